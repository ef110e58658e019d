"""One SQLite file holding everything the simulator knows, so that a restart forgets nothing."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_expiry
    ON objects (kind, json_extract(body, '$.status'), json_extract(body, '$.expires_at'));
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    created INTEGER NOT NULL,
    status INTEGER,
    body TEXT
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_ms INTEGER NOT NULL,
    history TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, next_attempt_ms);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event_id);
CREATE TABLE IF NOT EXISTS alarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL,
    action TEXT NOT NULL,
    due INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    body TEXT NOT NULL
);
"""

EMPTY_EVERYTHING = """
DELETE FROM objects; DELETE FROM idempotency; DELETE FROM deliveries;
DELETE FROM alarms; DELETE FROM requests; DELETE FROM mails;
"""


class Kind(StrEnum):
    """The `object` field of everything kept in the objects table."""

    CUSTOMER = "customer"
    SESSION = "checkout.session"
    PAYMENT_INTENT = "payment_intent"
    CHARGE = "charge"
    BALANCE_TRANSACTION = "balance_transaction"
    EVENT = "event"


@dataclass(frozen=True)
class Query:
    """One page of a Stripe list; `matches` compares JSON paths such as `$.status` with a value."""

    kind: Kind
    limit: int = 10
    matches: dict[str, str] = field(default_factory=dict)
    clauses: tuple[str, ...] = ()
    values: tuple[object, ...] = ()
    after_seq: int | None = None
    before_seq: int | None = None


@dataclass(frozen=True)
class Page:
    """Objects newest first, and whether more lie beyond them in the direction of travel."""

    rows: list[Json]
    has_more: bool


class Store:
    """The only owner of the connection; every use of it goes through `transaction`."""

    def __init__(self, path: str) -> None:
        # Re-entrant: an outcome opens a transaction and calls emit, which opens its own.
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # The file must survive a killed process, not a power cut, so no fsync is waited for.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection; the outermost block commits, or rolls back when it is left by an error."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def put(self, body: Json) -> None:
        """Insert the object, or replace the one with the same id, keeping its place in lists."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO objects (id, kind, created, body) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (body["id"], body["object"], body["created"], json.dumps(body)),
            )

    def get(self, kind: Kind, object_id: str) -> Json | None:
        """Return the object, or nothing when no object of that kind has the id."""
        with self.transaction() as connection:
            row = connection.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind)).fetchone()
        return None if row is None else _loaded(row["body"])

    def seq(self, kind: Kind, object_id: str) -> int | None:
        """Return the object's place in creation order: `created` alone ties within a second."""
        with self.transaction() as connection:
            row = connection.execute("SELECT seq FROM objects WHERE id = ? AND kind = ?", (object_id, kind)).fetchone()
        return None if row is None else int(row["seq"])

    def page(self, query: Query) -> Page:
        """Return one page, newest first, as Stripe's lists do in both paging directions."""
        clauses = ["kind = ?", *query.clauses]
        values: list[object] = [query.kind, *query.values]
        for path, wanted in query.matches.items():
            clauses.append("json_extract(body, ?) = ?")
            values += [path, wanted]
        if query.after_seq is not None:
            clauses.append("seq < ?")
            values.append(query.after_seq)
        if query.before_seq is not None:
            clauses.append("seq > ?")
            values.append(query.before_seq)
        rows = self._select(clauses, values, limit=query.limit + 1, upwards=query.before_seq is not None)
        kept = rows[: query.limit]
        if query.before_seq is not None:
            kept.reverse()
        return Page(kept, has_more=len(rows) > query.limit)

    def _select(self, clauses: list[str], values: list[object], *, limit: int, upwards: bool) -> list[Json]:
        order = "ASC" if upwards else "DESC"
        where = " AND ".join(clauses)
        # Only fixed fragments from this package are joined; every value travels as a parameter.
        statement = f"SELECT body FROM objects WHERE {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608 (see above)
        with self.transaction() as connection:
            return [_loaded(row["body"]) for row in connection.execute(statement, [*values, limit])]

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._connection.executescript(EMPTY_EVERYTHING)

    def close(self) -> None:
        """Close the file; the store is unusable afterwards."""
        with self._lock:
            self._connection.close()


def _loaded(text: str) -> Json:
    body: Json = json.loads(text)
    return body
