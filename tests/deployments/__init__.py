"""Deployments and the pipeline."""
