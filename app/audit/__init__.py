"""Who did what to which thing, from where. Every room writes here; nobody changes a line."""
