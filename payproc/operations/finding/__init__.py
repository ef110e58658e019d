"""Payments found: by what somebody has in hand, and in pages."""
