"""Handing work to the workers, once the data it needs is safe; and what a recovery does first."""
