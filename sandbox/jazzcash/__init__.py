"""A simulator of JazzCash, read from its guides and independent of payproc."""
