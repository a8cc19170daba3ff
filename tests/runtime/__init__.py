"""The resolved configuration."""
