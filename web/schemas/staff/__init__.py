"""What the staff and their machines are answered."""
