"""Logs and masking."""
