"""The tests, mirroring `app/`; real engines, repositories and processes live in fixtures."""
