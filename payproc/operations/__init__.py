"""What operators do and read."""
