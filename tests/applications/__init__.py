"""Applications and collaborators."""
