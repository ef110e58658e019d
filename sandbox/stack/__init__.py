"""All of payproc on one machine."""
