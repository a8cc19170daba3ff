module moonbase/limits

go 1.21
