"""Cron jobs: schedules, what is due, runs, pages."""
