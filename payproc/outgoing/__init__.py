"""What leaves the house: mail to people, webhooks to shops."""
