"""A wallet's statement, imported from its portal's file."""
