"""Services of environments: databases, object storage, brokers, caches, search."""
