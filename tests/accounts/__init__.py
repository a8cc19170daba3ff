"""People, keys and tokens."""
