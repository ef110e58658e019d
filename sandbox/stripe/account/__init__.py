"""What the simulated account has, and what becomes of it."""
