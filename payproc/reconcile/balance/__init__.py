"""A provider's balance, line by line, and its payouts."""
