"""Environment variables that people set, per environment."""
