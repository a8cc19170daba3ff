"""The status page, incidents, and what operators see."""
