"""What leaves the house: mail to people, events to shops."""
