"""Moonbase: a control panel that turns Git repositories into running web sites."""
