"""Packages as they are uploaded: their names, what must be in them, and files to begin with."""
