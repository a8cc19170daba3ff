"""Cron jobs as they run: what is due, the runs and their history."""
