"""A client's Idempotency-Key: the same request twice is one payment, or one refund, and one answer.

The key's row is written in the transaction of what it makes, so there is no moment in which one exists without the
other. A second request with the key waits on the unique index until the first has committed.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Interval, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.models import IdempotencyKey, User
from payproc.errors import Conflict, IdempotencyKeyReused, InvalidRequest

_LONGEST_KEY = 255

# A waiting answer (`Prefer: wait`) takes at most 30 s; past this its process is dead and a retry takes over.
_LOCK = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a request is answered; `body` is JSON text. It is kept, so it must hold nothing that may not be stored."""

    status: int
    location: str | None
    body: str


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """The key is new: carry the request out, and `remember` what it made and how it was answered."""


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """The first request died before its answer: what it made exists, only the answer is missing."""

    subject: str


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The first request was answered: this is what it made, and its answer is this one's too."""

    subject: str
    answer: Answer


Claimed = Fresh | Resumed | Replay


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key to be taken for what is about to be made under it, with its answer unless another one is still to come."""

    user_id: str
    key: str
    fingerprint: bytes
    answer: Answer | None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of `CLAIMED` that are the key's own."""
        answer = self.answer
        return {
            "key_user": self.user_id,
            "key": self.key,
            "key_fingerprint": self.fingerprint,
            "key_lock": _LOCK,
            "key_status": None if answer is None else answer.status,
            "key_location": None if answer is None else answer.location,
            "key_answer": None if answer is None else answer.body,
        }


# A part of a statement that makes what is asked for, `id`, unless the key is taken. As in `claim`, it
# waits for whoever is taking the same one.
CLAIMED = """claimed AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, locked_until, subject, status, location, answer)
    SELECT %(key_user)s, %(key)s, %(key_fingerprint)s, now() + %(key_lock)s, %(id)s,
        %(key_status)s, %(key_location)s, %(key_answer)s
    {where}
    ON CONFLICT DO NOTHING RETURNING key
)"""


def fingerprint(method: str, path: str, body: Any) -> bytes:  # noqa: ANN401 (parsed JSON)
    """Boil a request down to what must be the same: its order of keys and white space may differ."""
    canonical = json.dumps([method, path, body], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).digest()


def check_key(key: str) -> None:
    """Raise InvalidRequest unless the key is 1 to 255 printable ASCII characters."""
    if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidRequest(
            "Idempotency-Key must be 1 to 255 printable ASCII characters.", code="idempotency_key_invalid"
        )


def claim(session: Session, user: User, key: str, *, fingerprint: bytes) -> Claimed:
    """Take the key, or return what came of the request that took it first.

    Raises IdempotencyKeyReused for another request, Conflict while the first is still being answered.
    """
    taken = session.scalar(
        insert(IdempotencyKey)
        .values(user_id=user.id, key=key, fingerprint=fingerprint, locked_until=_locked_until())
        .on_conflict_do_nothing()
        .returning(IdempotencyKey.key)
    )
    if taken is not None:
        return Fresh()
    row = session.get_one(IdempotencyKey, (user.id, key), with_for_update=True, populate_existing=True)
    return _found(session, row, fingerprint=fingerprint)


def known(session: Session, user: User, key: str, *, fingerprint: bytes) -> Resumed | Replay | None:
    """Return what came of the request that took the key; None where none has.

    Raises as `claim` does.
    """
    row = session.get(IdempotencyKey, (user.id, key), with_for_update=True, populate_existing=True)
    return None if row is None else _found(session, row, fingerprint=fingerprint)


def _found(session: Session, row: IdempotencyKey, *, fingerprint: bytes) -> Resumed | Replay:
    if row.fingerprint != fingerprint:
        raise IdempotencyKeyReused("This Idempotency-Key was used for another request.")
    assert row.subject is not None  # written in the transaction that took the key
    if row.answer is not None and row.status is not None:
        answer = Answer(status=row.status, location=row.location, body=row.answer)
        return Replay(subject=row.subject, answer=answer)
    if row.locked_until > session.scalars(select(func.now())).one():
        raise Conflict(
            "The first request with this Idempotency-Key is still being answered.",
            code="idempotency_key_in_use",
            subject=row.subject,
        )
    row.locked_until = session.scalars(select(_locked_until())).one()
    return Resumed(subject=row.subject)


def _locked_until() -> ColumnElement[datetime]:
    return func.now() + literal(_LOCK, Interval)


def remember(session: Session, user: User, key: str, *, subject: str, answer: Answer | None) -> None:
    """Tie the key to the payment, refund or order that was made under it, in the transaction that makes both.

    Without an answer a retry is refused until there is one, or until the first request must have died.
    """
    told = {} if answer is None else {"status": answer.status, "location": answer.location, "answer": answer.body}
    mine = (IdempotencyKey.user_id == user.id, IdempotencyKey.key == key)
    session.execute(update(IdempotencyKey).where(*mine).values(subject=subject, **told))
