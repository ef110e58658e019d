"""What is done about every request, whatever it asks."""
