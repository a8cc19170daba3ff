"""Environments: Test, Live and more, each with its own branch, containers and variables."""
