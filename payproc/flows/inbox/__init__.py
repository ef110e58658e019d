"""What providers and returning browsers tell us."""
