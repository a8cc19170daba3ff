"""Routes and the feed."""
