"""Commands about what shops are told."""
