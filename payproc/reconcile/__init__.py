"""Hold our rows against what a provider has: find every difference, mend what may be mended, and tell the rest."""
