"""The panel's own backup: taken while it runs, the original destroyed, everything back."""
