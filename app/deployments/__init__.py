"""Deployments: from a commit to containers that answer, and back."""
