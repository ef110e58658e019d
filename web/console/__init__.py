"""Pages for the merchant's operators."""
