"""What became of all that was accepted: counted from rows, from the gateway's books, and from the mail that left."""

import itertools
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from payproc.database.engine import Database
from payproc.operations.doctor import broken_invariants
from tests.faults.table.grounds import Grounds
from tests.faults.table.load import Accepted

# Of what was accepted, what is not done. Where a person was asked, the work is theirs.
_WAITING = """
SELECT (
    SELECT count(*) FROM unnest(%(payments)s::text[]) AS asked (id)
    LEFT JOIN payments p ON p.id = asked.id
    WHERE p.id IS NULL OR (p.status IN ('pending', 'processing') AND p.stripe_session_id IS NULL AND NOT EXISTS (
        SELECT FROM reviews r WHERE r.payment_id = p.id AND r.resolved_at IS NULL))
) + (
    SELECT count(*) FROM unnest(%(events)s::text[]) AS asked (key)
    LEFT JOIN notices n ON n.provider = 'stripe' AND n.key = asked.key
    WHERE n.id IS NULL OR n.state IN ('new', 'parked', 'dead')
) + (
    SELECT count(*) FROM emails
    WHERE payment_id = ANY (%(payments)s) AND sent_at IS NULL AND withdrawn_at IS NULL
)
"""
_AT_WORK = """
SELECT (SELECT count(*) FROM payments p
        WHERE created_at >= %(since)s AND status IN ('pending', 'processing') AND NOT EXISTS (
            SELECT FROM reviews r WHERE r.payment_id = p.id AND r.resolved_at IS NULL))
    + (SELECT count(*) FROM notices WHERE received_at >= %(since)s AND state IN ('new', 'parked'))
    + (SELECT count(*) FROM emails WHERE created_at >= %(since)s AND sent_at IS NULL AND withdrawn_at IS NULL)
"""
_COMPLETED = "SELECT id, reference FROM payments WHERE completed_at IS NOT NULL AND created_at >= %(since)s"
_DOUBLED = """
SELECT (SELECT count(*) FROM (
    SELECT FROM payments WHERE created_at >= %(since)s GROUP BY description HAVING count(*) > 1) AS twice)
+ (SELECT count(*) FROM (
    SELECT FROM payment_events e JOIN payments p ON p.id = e.payment_id
    WHERE p.created_at >= %(since)s AND e.fact = 'paid' AND e.effect = 'moved'
    GROUP BY e.payment_id HAVING count(*) > 1) AS twice)
+ (SELECT count(*) FROM (
    SELECT FROM journals j JOIN payments p ON p.id = j.payment_id
    WHERE p.created_at >= %(since)s AND j.kind = 'sale'
    GROUP BY j.payment_id HAVING count(*) > 1) AS twice)
+ (SELECT count(*) FROM refunds WHERE created_at >= %(since)s)
"""
_SESSIONS = """
SELECT json_extract(body, '$.client_reference_id'), json_extract(body, '$.payment_status')
FROM objects WHERE kind = 'checkout.session' AND seq > ?
"""
_DELIVERED = "SELECT event_id FROM deliveries WHERE state = 'delivered' AND id > ?"
_RECEIPTS = """
SELECT json_extract(body, '$.subject'), json_extract(body, '$.message_id') FROM mails
WHERE id > ? AND json_extract(body, '$.subject') LIKE 'Receipt%'
"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How many were lost or doubled, to how many customers two different receipts went, and what else is wrong."""

    lost: int
    doubled: int
    mailed_twice: int
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Counts what came since it was made."""

    grounds: Grounds
    since: Any
    sessions: int
    deliveries: int
    mails: int

    @classmethod
    def of(cls, grounds: Grounds) -> "Judge":
        """Begin to count."""
        [[since]] = _rows(grounds, "SELECT clock_timestamp()", {})
        return cls(
            grounds=grounds,
            since=since,
            sessions=_last(grounds, "SELECT max(seq) FROM objects"),
            deliveries=_last(grounds, "SELECT max(id) FROM deliveries"),
            mails=_last(grounds, "SELECT max(id) FROM mails"),
        )

    def with_deliveries(self, accepted: Accepted) -> Accepted:
        """Add what the simulator delivered itself and was answered 2xx for."""
        delivered = (str(row[0]) for row in self.grounds.at_gateway(_DELIVERED, self.deliveries))
        return Accepted(payments=accepted.payments, events=accepted.events.union(delivered))

    def waiting(self, accepted: Accepted) -> int | None:
        """Count what of it is not done; None while the database cannot say."""
        values = {"payments": list(accepted.payments), "events": list(accepted.events)}
        return self._number(_WAITING, values)

    def at_work(self) -> int | None:
        """Count all that came since and is open, accepted or not; None while the database cannot say."""
        return self._number(_AT_WORK, {"since": self.since})

    def _number(self, query: str, values: Mapping[str, Any]) -> int | None:
        try:
            [[found]] = _rows(self.grounds, query, values)
        except psycopg.Error:
            return None
        return int(found)

    def verdict(self, accepted: Accepted) -> Verdict:
        """Judge, once all is done or given up."""
        completed = dict(_rows(self.grounds, _COMPLETED, {"since": self.since}))
        sessions = [(str(payment), status) for payment, status in self.grounds.at_gateway(_SESSIONS, self.sessions)]
        paid = {payment for payment, status in sessions if status == "paid"}
        receipts = [(str(each[0]), str(each[1])) for each in self.grounds.at_gateway(_RECEIPTS, self.mails)]
        told = " ".join(subject for subject, _ in receipts)
        without_receipt = sum(reference not in told for reference in completed.values())
        invented = completed.keys() - paid
        [[doubled]] = _rows(self.grounds, _DOUBLED, {"since": self.since})
        return Verdict(
            lost=(self.waiting(accepted) or 0) + len(paid - completed.keys()) + without_receipt,
            doubled=int(doubled) + _repeated(payment for payment, _ in sessions) + len(invented),
            mailed_twice=_repeated(subject for subject, _ in set(receipts)),
            broken=self._broken(),
        )

    def _broken(self) -> tuple[str, ...]:
        database = Database(self.grounds.stack.database_url, pool_size=1)
        try:
            with database.transaction() as session:
                return tuple(sorted({each.sentence for each in broken_invariants(session)}))
        except SQLAlchemyError as error:
            return (f"the doctor could not look: {type(error).__name__}",)
        finally:
            database.dispose()


def _repeated(names: Iterable[str]) -> int:
    return sum(len(list(same)) > 1 for _, same in itertools.groupby(sorted(names)))


def _rows(grounds: Grounds, query: str, values: Mapping[str, Any]) -> list[Any]:
    with closing(psycopg.connect(grounds.own_url, connect_timeout=5, options="-c statement_timeout=20s")) as connection:
        return connection.execute(query.encode(), values).fetchall()


def _last(grounds: Grounds, query: str) -> int:
    [[found]] = grounds.at_gateway(query)
    return int(str(found or 0))
