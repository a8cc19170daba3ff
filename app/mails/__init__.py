"""The outbox: what the panel has to say by mail, kept until it is delivered."""
