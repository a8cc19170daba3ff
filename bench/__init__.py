"""Benchmarks: what the panel costs, against what the same thing costs without it."""
