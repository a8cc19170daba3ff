"""Regions and subnets."""
