"""Stripe's objects and ours, both ways. Pure."""
