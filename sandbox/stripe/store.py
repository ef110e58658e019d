"""Stripe's objects, its keys, its deliveries and its log, in the store the gateways share."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from sandbox.store import Json, Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_time ON objects (kind, created, seq);
CREATE INDEX IF NOT EXISTS objects_by_intent ON objects (kind, json_extract(body, '$.payment_intent'));
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (kind, json_extract(body, '$.charge'));
CREATE INDEX IF NOT EXISTS objects_by_source ON objects (kind, json_extract(body, '$.source'));
CREATE INDEX IF NOT EXISTS objects_by_payout ON objects (kind, json_extract(body, '$._payout'));
CREATE INDEX IF NOT EXISTS objects_by_expiry
    ON objects (kind, json_extract(body, '$.status'), json_extract(body, '$.expires_at'));
-- What the next payout takes along: all of the balance but earlier payouts, which have left it.
CREATE VIEW IF NOT EXISTS unpaid_lines AS
    SELECT seq, json_extract(body, '$.currency') AS currency, json_extract(body, '$.net') AS net
    FROM objects
    WHERE kind = 'balance_transaction' AND json_extract(body, '$._payout') IS NULL
        AND json_extract(body, '$.type') <> 'payout';
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
-- Which deliveries go to an endpoint that was registered; the others go to the one of the settings.
CREATE TABLE IF NOT EXISTS endpoint_deliveries (
    delivery_id INTEGER PRIMARY KEY,
    endpoint_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS alarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL,
    action TEXT NOT NULL,
    due INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS refund_alarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    refund_id TEXT NOT NULL,
    ending TEXT NOT NULL,
    due INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL
);
"""


class Kind(StrEnum):
    """The `object` field of everything kept in the objects table."""

    CUSTOMER = "customer"
    SESSION = "checkout.session"
    PAYMENT_INTENT = "payment_intent"
    CHARGE = "charge"
    BALANCE_TRANSACTION = "balance_transaction"
    REFUND = "refund"
    DISPUTE = "dispute"
    PAYOUT = "payout"
    EVENT = "event"
    WEBHOOK_ENDPOINT = "webhook_endpoint"


# When an object was made, in unix seconds, and its turn among those of the same second.
Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Query:
    """One page of a Stripe list; `matches` compares JSON paths such as `$.status` with a value.

    The paths are fixed words of this package and stand in the statement as they are: an index needs them literal.
    """

    kind: Kind
    limit: int = 10
    matches: dict[str, str] = field(default_factory=dict)
    clauses: tuple[str, ...] = ()
    values: tuple[object, ...] = ()
    after: Place | None = None
    before: Place | None = None


@dataclass(frozen=True)
class Page:
    """Objects newest first, and whether more lie beyond them in the direction of travel."""

    rows: list[Json]
    has_more: bool


class StripeStore(Store):
    """The shared store with Stripe's objects in it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.add_tables(SCHEMA)

    def put(self, body: Json) -> None:
        """Insert the object, or replace the one with the same id, keeping its place in lists."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO objects (id, kind, created, body) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body, created = excluded.created",
                (body["id"], body["object"], body["created"], json.dumps(body)),
            )

    def get(self, kind: Kind, object_id: str) -> Json | None:
        """Return the object, or nothing when no object of that kind has the id."""
        with self.transaction() as connection:
            row = connection.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (object_id, kind)).fetchone()
        return None if row is None else _loaded(row["body"])

    def find(self, object_id: str) -> Json | None:
        """Return the object of whatever kind."""
        with self.transaction() as connection:
            row = connection.execute("SELECT body FROM objects WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else _loaded(row["body"])

    def remove(self, object_id: str) -> None:
        """Forget the object, as if it had never been."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM objects WHERE id = ?", (object_id,))

    def place(self, kind: Kind, object_id: str) -> Place | None:
        """Return the object's place in creation order: `created` alone ties within a second."""
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT created, seq FROM objects WHERE id = ? AND kind = ?", (object_id, kind)
            ).fetchone()
        return None if row is None else (row["created"], row["seq"])

    def page(self, query: Query) -> Page:
        """Return one page, newest first, as Stripe's lists do in both paging directions."""
        clauses = ["kind = ?", *query.clauses]
        values: list[object] = [query.kind, *query.values]
        for path, wanted in query.matches.items():
            clauses.append(f"json_extract(body, '{path}') = ?")
            values.append(wanted)
        if query.after is not None:
            clauses.append("(created, seq) < (?, ?)")
            values += query.after
        if query.before is not None:
            clauses.append("(created, seq) > (?, ?)")
            values += query.before
        rows = self._select(clauses, values, limit=query.limit + 1, upwards=query.before is not None)
        kept = rows[: query.limit]
        if query.before is not None:
            kept.reverse()
        return Page(kept, has_more=len(rows) > query.limit)

    def _select(self, clauses: list[str], values: list[object], *, limit: int, upwards: bool) -> list[Json]:
        order = "ASC" if upwards else "DESC"
        where = " AND ".join(clauses)
        # Only fixed fragments from this package are joined; every value travels as a parameter.
        statement = f"SELECT body FROM objects WHERE {where} ORDER BY created {order}, seq {order} LIMIT ?"  # noqa: S608 (see above)
        with self.transaction() as connection:
            return [_loaded(row["body"]) for row in connection.execute(statement, [*values, limit])]


def _loaded(text: str) -> Json:
    body: Json = json.loads(text)
    return body
