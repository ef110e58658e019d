"""Webhooks: what happens to payments and orders, told to shops by Standard Webhooks 1.0."""
