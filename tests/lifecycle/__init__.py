"""Applications coming into being."""
