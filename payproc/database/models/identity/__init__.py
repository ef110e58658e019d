"""People, and the keys they call with."""
