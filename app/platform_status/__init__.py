"""How the platform itself is: its components, and incidents its operators tell of (G5)."""
