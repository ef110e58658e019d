"""Signed delivery of events: kept in the store until answered with 2xx or given up."""

import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from enum import StrEnum
from sqlite3 import Row

from sandbox.condition import CountingCondition
from sandbox.faults.orders import WEBHOOK, Faults, Order, WebhookFault
from sandbox.outgoing import Reply, send
from sandbox.store import Json, Store
from sandbox.stripe.config import StripeConfig, unix_now

_log = logging.getLogger(__name__)

# An attempt older than this is refused by every receiver that checks the age of a signature.
OLD_SIGNATURE_AGE = 3600

ON_CREATION: frozenset[WebhookFault] = frozenset(
    {WebhookFault.DROP, WebhookFault.DUPLICATE, WebhookFault.DELAY, WebhookFault.SHUFFLE}
)
ON_ATTEMPT: frozenset[WebhookFault] = frozenset({WebhookFault.BAD_SIGNATURE, WebhookFault.OLD_SIGNATURE})


class DeliveryState(StrEnum):
    """Where a delivery is; only pending ones are ever sent."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    DROPPED = "dropped"


def sign(payload: bytes, *, secret: str, timestamp: int) -> str:
    """Return the Stripe-Signature header for the exact bytes; the timestamp is in unix seconds."""
    signed = f"{timestamp}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def _headers(signature: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }


class Postman:
    """Background threads that bring stored deliveries to the merchant."""

    def __init__(self, config: StripeConfig, store: Store, faults: Faults) -> None:
        self._config = config
        self._store = store
        self._faults = faults
        self._condition = CountingCondition()
        self._paused = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start delivering, first of all what a previous process left half sent."""
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET state = ? WHERE state = ?",
                (DeliveryState.PENDING, DeliveryState.SENDING),
            )
        for number in range(self._config.delivery_workers):
            thread = threading.Thread(target=self._work, name=f"webhooks-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop after the attempts now on the wire; what is pending stays stored."""
        self._condition.stop()
        for thread in self._threads:
            thread.join(self._config.delivery_timeout + 1)

    def pause(self, *, paused: bool) -> None:
        """Hold back every delivery, or let them go."""
        self._paused = paused
        self.notify()

    @property
    def paused(self) -> bool:
        """Whether deliveries are held back."""
        return self._paused

    def notify(self) -> None:
        """Tell the threads there may be something to send."""
        self._condition.notify()

    def enqueue(self, payload: str, *, event_id: str, event_type: str, endpoint_id: str | None = None) -> None:
        """Store a delivery of the exact payload, broken by whichever webhook fault is open.

        It goes to the endpoint that was registered, or to the one of the settings.
        """
        if endpoint_id is None and not self._config.webhook_url:
            return
        fault = self._faults.take(WEBHOOK, only=ON_CREATION)
        state = DeliveryState.DROPPED if _is(fault, WebhookFault.DROP) else DeliveryState.PENDING
        copies = 2 if _is(fault, WebhookFault.DUPLICATE) else 1
        due = _now_ms() + _lateness_ms(fault)
        with self._store.transaction() as connection:
            for _ in range(copies):
                made = connection.execute(
                    "INSERT INTO deliveries (event_id, event_type, payload, state, next_attempt_ms)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (event_id, event_type, payload, state, due),
                )
                if endpoint_id is not None:
                    connection.execute(
                        "INSERT INTO endpoint_deliveries (delivery_id, endpoint_id) VALUES (?, ?)",
                        (made.lastrowid, endpoint_id),
                    )

    def listed(self) -> list[Json]:
        """Return every delivery, newest first, with the history of its attempts."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT * FROM deliveries ORDER BY id DESC").fetchall()
        return [_shown(row) for row in rows]

    def wait_for_answer(self, event_id: str, *, seconds: float) -> None:
        """Return once the event's due deliveries were each tried, or when the time is up."""
        deadline = time.monotonic() + seconds
        while not self._condition.stopped and not self._paused:
            seen = self._condition.count
            left = deadline - time.monotonic()
            if left <= 0 or not self._unanswered(event_id):
                return
            self._condition.wait(seen, left)

    def _unanswered(self, event_id: str) -> bool:
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT 1 FROM deliveries WHERE event_id = ? AND attempts = 0 AND state IN (?, ?)"
                " AND next_attempt_ms <= ?",
                (event_id, DeliveryState.PENDING, DeliveryState.SENDING, _now_ms()),
            ).fetchone()
        return row is not None

    def _work(self) -> None:
        while not self._condition.stopped:
            seen = self._condition.count
            row = self._claim()
            if row is not None:
                self._attempt(row)
            else:
                self._condition.wait(seen, self._until_next())

    def _claim(self) -> Row | None:
        with self._store.transaction() as connection:
            # Asked where nobody else writes: what is stored after a pause has begun must meet it.
            if self._paused or self._condition.stopped:
                return None
            row: Row | None = connection.execute(
                "SELECT * FROM deliveries WHERE state = ? AND next_attempt_ms <= ? ORDER BY id LIMIT 1",
                (DeliveryState.PENDING, _now_ms()),
            ).fetchone()
            if row is not None:
                connection.execute("UPDATE deliveries SET state = ? WHERE id = ?", (DeliveryState.SENDING, row["id"]))
        return row

    def _until_next(self) -> float | None:
        if self._paused:
            return None
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT min(next_attempt_ms) AS due FROM deliveries WHERE state = ?", (DeliveryState.PENDING,)
            ).fetchone()
        return None if row["due"] is None else max(0.0, (row["due"] - _now_ms()) / 1000)

    def _attempt(self, row: Row) -> None:
        payload, target = str(row["payload"]).encode(), self._target(row)
        if target is None:
            self._drop(row)
            return
        url, secret = target
        reply = send(
            "POST",
            url,
            payload,
            headers=_headers(self._signature(payload, secret=secret)),
            timeout=self._config.delivery_timeout,
        )
        _log.info("%s %s answered %s", row["event_type"], row["event_id"], reply.status or reply.error)
        self._note(row, reply)
        self.notify()

    def _target(self, row: Row) -> tuple[str, str] | None:
        """Return the address and the secret of a delivery; none where its endpoint is gone, or takes nothing."""
        with self._store.transaction() as connection:
            found = connection.execute(
                "SELECT objects.body FROM endpoint_deliveries LEFT JOIN objects ON objects.id = endpoint_id"
                " WHERE delivery_id = ?",
                (row["id"],),
            ).fetchone()
        if found is None:
            return self._config.webhook_url, self._config.webhook_secret
        endpoint = json.loads(found["body"] or "{}")
        return (endpoint["url"], endpoint["_secret"]) if endpoint.get("status") == "enabled" else None

    def _drop(self, row: Row) -> None:
        with self._store.transaction() as connection:
            connection.execute("UPDATE deliveries SET state = ? WHERE id = ?", (DeliveryState.DROPPED, row["id"]))
        self.notify()

    def _signature(self, payload: bytes, *, secret: str) -> str:
        # Made afresh for every attempt: a retry an hour later must not carry an hour-old timestamp.
        fault = self._faults.take(WEBHOOK, only=ON_ATTEMPT)
        if _is(fault, WebhookFault.BAD_SIGNATURE):
            wrong = f"whsec_{secrets.token_hex(8)}"
            return sign(payload, secret=wrong, timestamp=unix_now())
        age = OLD_SIGNATURE_AGE if _is(fault, WebhookFault.OLD_SIGNATURE) else 0
        return sign(payload, secret=secret, timestamp=unix_now() - age)

    def _note(self, row: Row, reply: Reply) -> None:
        attempts = row["attempts"] + 1
        history = [*json.loads(row["history"]), {"at": unix_now(), "status": reply.status, "error": reply.error}]
        schedule = self._config.retry_schedule
        wait = schedule[min(attempts, len(schedule)) - 1] if schedule else 0
        state = DeliveryState.PENDING
        if reply.accepted:
            state = DeliveryState.DELIVERED
        elif attempts >= self._config.max_attempts:
            state = DeliveryState.GIVEN_UP
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, next_attempt_ms = ?, history = ? WHERE id = ?",
                (state, attempts, _now_ms() + int(wait * 1000), json.dumps(history), row["id"]),
            )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _is(order: Order | None, fault: WebhookFault) -> bool:
    return order is not None and order.fault is fault


def _lateness_ms(order: Order | None) -> int:
    if order is None:
        return 0
    longest = int(order.seconds * 1000)
    if order.fault is WebhookFault.SHUFFLE:
        return secrets.randbelow(longest + 1)
    return longest if order.fault is WebhookFault.DELAY else 0


def _shown(row: Row) -> Json:
    shown: Json = dict(row)
    shown["history"] = json.loads(row["history"])
    return shown
