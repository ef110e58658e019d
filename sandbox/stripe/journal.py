"""The log of API calls received, for tests that ask what really went over the wire."""

import json
from typing import Protocol

from flask import request

from sandbox.faults.injection import NO_ANSWER
from sandbox.faults.orders import Order
from sandbox.store import Json, Store
from sandbox.stripe.config import unix_now

# Enough for any test run; a sandbox left on for weeks must not grow without end.
KEPT = 10_000


class Heard(Protocol):
    """What the log needs to know of a request; the authorization header is not among it."""

    operation: str
    request_id: str
    version: str
    key: str | None
    pairs: list[tuple[str, str]]
    replayed: bool


class Journal:
    """The most recent calls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(self, heard: Heard, status: int, order: Order | None) -> None:
        """Record the current request and the status it was answered with."""
        entry: Json = {
            "at": unix_now(),
            "request_id": heard.request_id,
            "method": request.method,
            "path": request.path,
            "operation": heard.operation,
            "params": dict(heard.pairs),
            "idempotency_key": heard.key,
            "stripe_version": heard.version,
            "status": None if status == NO_ANSWER else status,
            "replayed": heard.replayed,
            "fault": None if order is None else order.fault,
        }
        with self._store.transaction() as connection:
            cursor = connection.execute("INSERT INTO requests (body) VALUES (?)", (json.dumps(entry),))
            connection.execute("DELETE FROM requests WHERE id <= ?", ((cursor.lastrowid or 0) - KEPT,))

    def entries(self) -> list[Json]:
        """Return the calls, oldest first."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT body FROM requests ORDER BY id").fetchall()
        return [json.loads(row["body"]) for row in rows]
