"""The production set-up: what is written in its files, and (`check`) the whole of it, for real."""
