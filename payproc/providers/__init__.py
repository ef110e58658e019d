"""Translators: our words in, a provider's words out, and back."""
