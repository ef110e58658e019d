"""What happens to a payment, one file a story."""
