"""The HTTP API: parse, one call into the core, render."""
