"""Organisations own applications; members have a role in them."""
