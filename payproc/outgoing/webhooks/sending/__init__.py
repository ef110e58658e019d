"""Deliveries on their way: what is sent, how, when again, and what is noted of it."""
