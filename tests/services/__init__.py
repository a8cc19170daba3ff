"""Services of environments."""
