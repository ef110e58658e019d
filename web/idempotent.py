"""A request is carried out once per Idempotency-Key, and answered at once or after a wait.

The key is claimed, the work done and its answer remembered in one transaction. Where the client waits, a second one
reads what came of it: its answer is then the one that is remembered, and the first is the fallback answer.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

import structlog
from flask import Response, request
from sqlalchemy.orm import Session

from payproc.database.models import Payment, Refund
from payproc.records import idempotency
from payproc.records.idempotency import Answer, Claimed, Fresh, Replay, Resumed
from web.auth import application, current_user
from web.errors import NO_DATABASE
from web.json import json_answer
from web.request_log import about
from web.schemas.headers import StartHeader

log = structlog.get_logger()

Row = TypeVar("Row", Payment, Refund)

_LONGEST_WAIT_SECONDS = 30
# The provider has answered about half a second after the request; asking the row more often gains nothing a person
# sees.
_LOOK_EVERY_SECONDS = 0.05
# A waiting request holds a thread. With four threads a process or more, two may wait: the others stay free for
# webhooks. Who finds no slot gets the 202 that waiting would have ended in.
_wait_slots = threading.BoundedSemaphore(2)


@dataclass(frozen=True, kw_only=True)
class IdempotentRequest:
    """The present request: its Idempotency-Key, if it has one, and how many seconds its client waits."""

    key: str | None
    wait: int

    @classmethod
    def of(cls, header: StartHeader) -> Self:
        """Read the headers.

        Raises InvalidRequest for a key that cannot be one.
        """
        if header.idempotency_key is not None:
            idempotency.check_key(header.idempotency_key)
        return cls(key=header.idempotency_key, wait=_wait_seconds(header.prefer or ""))

    def carry_out(
        self,
        kind: type[Row],
        make: Callable[[Session], Row],
        *,
        answer_of: Callable[[Row], Answer],
        until: Callable[[Row], bool],
        sent: Callable[[Session, Answer], Answer] = lambda _session, answer: answer,
    ) -> Response:
        """Make a row once and answer how it stands; a client that waits is answered when `until` holds of it.

        `sent` turns an answer as it is remembered into what is sent at once. Raises IdempotencyKeyReused where the key
        was another request's, Conflict while the first with this key is still being answered.
        """
        with application().database.transaction() as session:
            claimed = self._claim(session)
            if isinstance(claimed, Replay):
                about(claimed.subject)
                return _again(sent(session, claimed.answer))
            row = session.get_one(kind, claimed.subject) if isinstance(claimed, Resumed) else make(session)
            answer = answer_of(row)
            waits = self.wait > 0 and not until(row)
            self._remember(session, row.id, None if waits else answer)
            answer = sent(session, answer)
        if waits:
            try:
                _wait(kind, row.id, until=until, seconds=self.wait)
                with application().database.transaction() as session:
                    answer = answer_of(session.get_one(kind, row.id))
                    self._remember(session, row.id, answer)
            except NO_DATABASE as trouble:
                # What was asked for is committed: "not stored" would be a lie that invites a second one.
                log.warning("answered from memory", error=type(trouble).__name__)
        return _respond(answer)

    def _claim(self, session: Session) -> Claimed:
        # Without a key nothing was made before.
        if self.key is None:
            return Fresh()
        where = request.full_path if request.query_string else request.path
        fingerprint = idempotency.fingerprint(request.method, where, request.get_json())
        return idempotency.claim(session, current_user(), self.key, fingerprint=fingerprint)

    def _remember(self, session: Session, subject: str, answer: Answer | None) -> None:
        """Tie the key to what the request made, and to its answer unless another one is still to come."""
        about(subject)
        if self.key is not None:
            idempotency.remember(session, current_user(), self.key, subject=subject, answer=answer)


def _respond(answer: Answer) -> Response:
    return json_answer(answer.body, status=answer.status, location=answer.location)


def _again(answer: Answer) -> Response:
    response = _respond(answer)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _wait(kind: type[Row], subject: str, *, until: Callable[[Row], bool], seconds: int) -> None:
    if not _wait_slots.acquire(blocking=False):
        return
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with application().database.transaction() as session:
                if until(session.get_one(kind, subject)):
                    return
            time.sleep(_LOOK_EVERY_SECONDS)
    finally:
        _wait_slots.release()


def _wait_seconds(prefer: str) -> int:
    # RFC 7240: a preference that is not understood is passed over.
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        number = value.strip().strip('"')
        if name.strip().lower() == "wait" and number.isascii() and number.isdigit():
            return min(int(number[:4]), _LONGEST_WAIT_SECONDS)
    return 0
