"""The switches under /_sandbox."""
