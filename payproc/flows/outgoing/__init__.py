"""How what is staged leaves."""
