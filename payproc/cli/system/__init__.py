"""The installation itself."""
