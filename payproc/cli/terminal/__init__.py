"""What every command shares: the edge, tables, progress."""
