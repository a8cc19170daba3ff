"""Backups of environments: taken, kept, proved and restored."""
