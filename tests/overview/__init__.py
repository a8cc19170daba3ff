"""Pages over many applications."""
