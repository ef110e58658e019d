"""What every call to a gateway goes through."""
