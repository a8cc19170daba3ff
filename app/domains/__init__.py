"""Host names: each one belongs to one environment of the whole installation."""
