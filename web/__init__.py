"""The HTTP front: parse, one call into the core, render."""
