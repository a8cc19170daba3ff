"""Which containers answer for which hosts, and which ingress node has loaded it."""
