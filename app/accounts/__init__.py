"""People: how they sign in, the keys and tokens they act with."""
