"""Logs as chunk files, with secrets masked before anything is written."""
