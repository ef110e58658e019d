"""Payments as somebody looks for them."""
