"""What is done once before real money moves, and the proof that it was done."""
