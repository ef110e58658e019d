"""The way to PostgreSQL, its tables, and what must always be true of them."""
