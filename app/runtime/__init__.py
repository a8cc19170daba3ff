"""The resolved configuration of an environment: what its next deployment will run with."""
