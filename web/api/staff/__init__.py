"""What the merchant's staff and their machines read."""
