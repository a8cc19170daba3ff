"""Addons: the contract (`api`), the marketplace, and what they add to a site."""
