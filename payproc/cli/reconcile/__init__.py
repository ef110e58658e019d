"""Commands that hold our rows against what providers have."""
