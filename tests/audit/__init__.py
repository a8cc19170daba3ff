"""Audit lines: the chain, the words, the pages, the exports."""
