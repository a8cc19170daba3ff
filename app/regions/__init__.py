"""Where containers run: a region has an engine and a pool of networks."""
