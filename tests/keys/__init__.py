"""Rotating the keys of secrets at rest."""
