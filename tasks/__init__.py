"""Celery: the doorbell. What is to be done, and whether it was, stands in PostgreSQL."""
