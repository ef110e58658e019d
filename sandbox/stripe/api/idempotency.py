"""Stripe's promise that a POST repeated under one key is executed once."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.store import Json, Store
from sandbox.stripe.errors import ErrorType, RefusedError

LONGEST_KEY = 255
# Keys may be forgotten after a day: the same key then executes again.
LIFETIME = 24 * 3600


@dataclass(frozen=True)
class Saved:
    """The first answer given under a key, good or bad."""

    status: int
    body: Json


def check_key(key: str | None) -> str | None:
    """Return the key, None when absent or empty, refusing one that is too long."""
    if not key:
        return None
    if len(key) > LONGEST_KEY:
        raise RefusedError(
            f"Idempotency keys must be at most {LONGEST_KEY} characters; yours has {len(key)}.",
            code="idempotency_key_invalid",
        )
    return key


def fingerprint(method: str, path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return what makes two requests the same one; the order of parameters does not."""
    text = json.dumps([method, path, sorted(pairs)])
    return hashlib.sha256(text.encode()).hexdigest()


class IdempotencyKeys:
    """The keys of the last day. A row without a status belongs to a request still running."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Requests running when the last process died will never finish.
        with store.transaction() as connection:
            connection.execute("DELETE FROM idempotency WHERE status IS NULL")

    def claim(self, key: str, print_: str, *, now: int) -> Saved | None:
        """Return the saved answer, or nothing when the caller is the first and must execute."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM idempotency WHERE created <= ?", (now - LIFETIME,))
            row = connection.execute("SELECT * FROM idempotency WHERE key = ?", (key,)).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO idempotency (key, fingerprint, created) VALUES (?, ?, ?)", (key, print_, now)
                )
                return None
        if row["fingerprint"] != print_:
            raise _other_parameters(key)
        if row["status"] is None:
            raise _in_use()
        return Saved(row["status"], json.loads(row["body"]))

    def save(self, key: str, answer: Saved) -> None:
        """Keep the answer for everyone who repeats the request."""
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE idempotency SET status = ?, body = ? WHERE key = ?",
                (answer.status, json.dumps(answer.body), key),
            )

    def release(self, key: str) -> None:
        """Forget a key whose request was refused before anything was executed."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM idempotency WHERE key = ? AND status IS NULL", (key,))


def _other_parameters(key: str) -> RefusedError:
    return RefusedError(
        "Keys for idempotent requests can only be used with the same parameters they were first used with."
        f" Try using a key other than '{key}' if you meant to execute a different request.",
        error_type=ErrorType.IDEMPOTENCY,
    )


def _in_use() -> RefusedError:
    return RefusedError(
        "There is currently another in-progress request using this Idempotent Key (that probably means you"
        " submitted twice, and the other request is still going through). Please try again later.",
        status=409,
        code="idempotency_key_in_use",
    )
