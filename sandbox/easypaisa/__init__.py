"""A simulator of Easypaisa, read from its guides and independent of payproc."""
