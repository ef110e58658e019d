"""What a client asks for, before any row is written."""
