"""One payment of each kind, end to end."""
