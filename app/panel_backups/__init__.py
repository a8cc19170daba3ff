"""The panel's own backup and restore: `flask panel backup`, `flask panel restore`.

One age-encrypted tar.gz with the database, everything in the data directory that cannot be made
again, and the checksum of each file. docs/operating.md says what an operator does with it.
"""
