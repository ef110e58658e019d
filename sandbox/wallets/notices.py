"""Notices to the merchant: kept in the store until acknowledged or given up."""

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from sqlite3 import Row
from typing import Protocol

from sandbox.condition import CountingCondition
from sandbox.faults.orders import Fault, Faults, Order, WebhookFault
from sandbox.outgoing import Reply
from sandbox.store import Json, Store
from sandbox.wallets.actions import News
from sandbox.wallets.config import WalletTimes
from sandbox.wallets.transactions import Transaction

_log = logging.getLogger(__name__)

_WORKERS = 4

SCHEMA = """
CREATE TABLE IF NOT EXISTS wallet_notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    reference TEXT NOT NULL,
    letter TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_ms INTEGER NOT NULL,
    history TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS wallet_notices_due ON wallet_notices (state, next_attempt_ms);
"""

ON_CREATION: frozenset[Fault] = frozenset(
    {WebhookFault.DROP, WebhookFault.DUPLICATE, WebhookFault.DELAY, WebhookFault.SHUFFLE}
)
ON_ATTEMPT: frozenset[Fault] = frozenset({WebhookFault.BAD_SIGNATURE})


class NoticeState(StrEnum):
    """Where a notice is; only pending ones are ever sent."""

    PENDING = "pending"
    SENDING = "sending"
    ACKNOWLEDGED = "acknowledged"
    GIVEN_UP = "given_up"
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What is sent and where to, before it is signed."""

    url: str
    body: Json


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """How a delivery ended: whether it counts, and why not."""

    reply: Reply
    accepted: bool
    refusal: str | None = None


class Channel(Protocol):
    """One kind of notice of one gateway."""

    name: str
    # How a fault order calls it.
    operation: str
    # In all, the first one included.
    deliveries: int

    def letter(self, transaction: Transaction, news: News) -> Letter | None:
        """Return what the merchant is told, or nothing when this gateway keeps it to itself."""

    def deliver(self, letter: Letter, *, forged: bool, timeout: float) -> Receipt:
        """Send it once; a forged one carries a signature of somebody else's. The timeout is in seconds."""


class Postman:
    """Background threads that bring stored notices to the merchant."""

    def __init__(self, store: Store, faults: Faults, times: WalletTimes, channels: Mapping[str, Channel]) -> None:
        self._store = store
        self._faults = faults
        self._times = times
        self._channels = channels
        self._condition = CountingCondition()
        self._threads: list[threading.Thread] = []
        store.add_tables(SCHEMA)

    def start(self) -> None:
        """Start delivering, first of all what a previous process left half sent."""
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE wallet_notices SET state = ? WHERE state = ?", (NoticeState.PENDING, NoticeState.SENDING)
            )
        for number in range(_WORKERS):
            thread = threading.Thread(target=self._work, name=f"notices-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop after the deliveries now on the wire; what is pending stays stored."""
        self._condition.stop()
        for thread in self._threads:
            thread.join(1)

    def notify(self) -> None:
        """Tell the threads there may be something to send."""
        self._condition.notify()

    def announce(self, transaction: Transaction, news: News, *, channel: str) -> None:
        """Store the notice, broken by whichever fault is open; the caller notifies once it has committed."""
        chosen = self._channels[channel]
        letter = chosen.letter(transaction, news)
        if letter is None or not letter.url:
            return
        fault = self._faults.take(chosen.operation, only=ON_CREATION)
        state = NoticeState.DROPPED if _is(fault, WebhookFault.DROP) else NoticeState.PENDING
        copies = transaction.notice_copies * (2 if _is(fault, WebhookFault.DUPLICATE) else 1)
        due = now_ms() + (int(fault.seconds * 1000) if fault is not None else 0)
        row = (channel, transaction.reference, json.dumps(asdict(letter)), state, due)
        with self._store.transaction() as connection:
            connection.executemany(
                "INSERT INTO wallet_notices (channel, reference, letter, state, next_attempt_ms)"
                " VALUES (?, ?, ?, ?, ?)",
                [row] * copies,
            )

    def listed(self) -> list[Json]:
        """Return every notice, newest first, with the history of its deliveries."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT * FROM wallet_notices ORDER BY id DESC").fetchall()
        return [_shown(row) for row in rows]

    def send_again(self, notice_id: int) -> None:
        """Begin the notice's deliveries anew; raises LookupError when there is none."""
        with self._store.transaction() as connection:
            changed = connection.execute(
                "UPDATE wallet_notices SET state = ?, attempts = 0, next_attempt_ms = ? WHERE id = ?",
                (NoticeState.PENDING, now_ms(), notice_id),
            ).rowcount
        if not changed:
            raise LookupError(notice_id)
        self.notify()

    def _work(self) -> None:
        while not self._condition.stopped:
            seen = self._condition.count
            if not self.deliver_next():
                self._condition.wait(seen, self._until_next())

    def deliver_next(self) -> bool:
        """Try to deliver the oldest notice that is due; return whether there was one."""
        row = self._claim()
        if row is None:
            return False
        self._attempt(row)
        return True

    def _claim(self) -> Row | None:
        with self._store.transaction() as connection:
            row: Row | None = connection.execute(
                "SELECT * FROM wallet_notices WHERE state = ? AND next_attempt_ms <= ? ORDER BY id LIMIT 1",
                (NoticeState.PENDING, now_ms()),
            ).fetchone()
            if row is not None:
                connection.execute("UPDATE wallet_notices SET state = ? WHERE id = ?", (NoticeState.SENDING, row["id"]))
        return row

    def _until_next(self) -> float | None:
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT min(next_attempt_ms) AS due FROM wallet_notices WHERE state = ?", (NoticeState.PENDING,)
            ).fetchone()
        return None if row["due"] is None else max(0.0, (row["due"] - now_ms()) / 1000)

    def _attempt(self, row: Row) -> None:
        channel = self._channels.get(row["channel"])
        if channel is None:
            # Its gateway is not served this time. The next start that serves it finds the notice half sent.
            return
        forged = self._faults.take(channel.operation, only=ON_ATTEMPT) is not None
        letter = Letter(**json.loads(row["letter"]))
        receipt = channel.deliver(letter, forged=forged, timeout=self._times.notice_timeout)
        _log.info("%s %s: %s", row["channel"], row["reference"], receipt.refusal or "acknowledged")
        self._note(row, receipt, last=row["attempts"] + 1 >= channel.deliveries)
        self.notify()

    def _note(self, row: Row, receipt: Receipt, *, last: bool) -> None:
        attempt = {"at": int(time.time()), "status": receipt.reply.status, "refusal": receipt.refusal}
        state = NoticeState.GIVEN_UP if last else NoticeState.PENDING
        if receipt.accepted:
            state = NoticeState.ACKNOWLEDGED
        due = now_ms() + int(self._times.notice_retry_pause * 1000)
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE wallet_notices SET state = ?, attempts = attempts + 1, next_attempt_ms = ?, history = ?"
                " WHERE id = ?",
                (state, due, json.dumps([*json.loads(row["history"]), attempt]), row["id"]),
            )


def now_ms() -> int:
    """Return the current time in unix milliseconds."""
    return time.time_ns() // 1_000_000


def _is(order: Order | None, fault: WebhookFault) -> bool:
    return order is not None and order.fault is fault


def _shown(row: Row) -> Json:
    shown: Json = dict(row)
    shown["history"] = json.loads(row["history"])
    letter = json.loads(row["letter"])
    # JazzCash's notice carries the merchant's password, which no control shows.
    letter["body"].pop("pp_Password", None)
    return {**shown, "letter": letter}
