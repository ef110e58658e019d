"""Payments, refunds and disputes, both ways."""
