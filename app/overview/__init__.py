"""Pages over many applications: an agency's morning page."""
