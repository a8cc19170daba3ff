"""Applications: one site's code and settings, and who was given access to it."""
