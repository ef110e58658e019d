"""Faults that are ordered in advance, and how they look on the wire."""
