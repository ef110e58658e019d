"""Stripe: cards and more, through hosted Checkout."""
