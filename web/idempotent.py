"""Take something on over HTTP: once per Idempotency-Key, answered at once or after a wait."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from flask import Response, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from payproc.database.models import User
from payproc.records import idempotency
from payproc.records.idempotency import Answer
from web.api.schemas.headers import StartHeader
from web.auth import application, current_user
from web.json import json_answer

log = structlog.get_logger()

PREFIX = "/api/v1/payments"

_LONGEST_WAIT_SECONDS = 30
# The provider has answered about half a second after the request; asking the row more often gains nothing a person
# sees.
_LOOK_EVERY_SECONDS = 0.05
# A waiting request holds a thread. With four threads a process or more, two may wait: the others stay free for
# webhooks. Who finds no seat gets the 202 that waiting would have ended in.
_seats = threading.BoundedSemaphore(2)


@dataclass(frozen=True, kw_only=True)
class Undertaking:
    """Something that a request sets going.

    `begin` writes it down and returns its id; `is_settled` says whether there is more to tell than that. `describe`
    says how it is answered, after a wait of so many seconds or none: the answer is kept for replays, so it must hold
    nothing that may not be stored. `promise` is the answer that needs no database.
    """

    begin: Callable[[Session], str]
    is_settled: Callable[[Session, str], bool]
    describe: Callable[[str, int], Answer]
    promise: Callable[[str], Answer]


@dataclass(frozen=True, kw_only=True)
class _Begun:
    subject: str
    replay: Answer | None = None


def take(wanted: Undertaking, *, header: StartHeader) -> Answer:
    """Set it going, or find what the same request set going before, and say how it is answered.

    Raises what `begin` raises, or IdempotencyKeyReused.
    """
    key = header.idempotency_key
    begun = _begin(wanted, key)
    if begun.replay is not None:
        return begun.replay
    # It is committed: whatever the database does now, "not stored" would be a lie that invites a second one.
    try:
        answer = _answer(wanted, begun.subject, wait=_wait_seconds(header.prefer or ""))
        if key is not None:
            with application().database.transaction() as session:
                idempotency.remember_answer(session, current_user(), key, answer)
    except (OperationalError, InterfaceError, PoolTimeout) as trouble:
        log.warning("answered from memory", subject=begun.subject, error=type(trouble).__name__)
        return wanted.promise(begun.subject)
    return answer


def location_of(payment_id: str) -> str:
    """Return where a payment is looked up."""
    return f"{PREFIX}/{payment_id}"


def respond(answer: Answer) -> Response:
    """Send an answer, and say where it is one that was given before."""
    response = json_answer(answer.body, status=answer.status, location=answer.location)
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _begin(wanted: Undertaking, key: str | None) -> _Begun:
    user = current_user()
    if key is not None:
        idempotency.check_key(key)
    with application().database.transaction() as session:
        begun = _take_key(session, user, key)
        match begun:
            case idempotency.Answer():
                return _Begun(subject="", replay=begun)
            case idempotency.Resumed():
                return _Begun(subject=begun.subject)
            case idempotency.Fresh():
                subject = wanted.begin(session)
                if key is not None:
                    idempotency.remember_subject(session, user, key, subject=subject)
                return _Begun(subject=subject)


def _take_key(session: Session, user: User, key: str | None) -> idempotency.Begun:
    if key is None:
        return idempotency.Fresh()
    where = request.full_path if request.query_string else request.path
    mark = idempotency.fingerprint(request.method, where, request.get_json())
    return idempotency.begin(session, user, key, fingerprint=mark)


def _answer(wanted: Undertaking, subject: str, *, wait: int) -> Answer:
    if wait and _seats.acquire(blocking=False):
        try:
            _wait_until_settled(wanted, subject, seconds=wait)
        finally:
            _seats.release()
    return wanted.describe(subject, wait)


def _wait_until_settled(wanted: Undertaking, subject: str, *, seconds: int) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with application().database.transaction() as session:
            if wanted.is_settled(session, subject):
                return
        time.sleep(_LOOK_EVERY_SECONDS)


def _wait_seconds(prefer: str) -> int:
    # RFC 7240: a preference that is not understood is passed over.
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        number = value.strip().strip('"')
        if name.strip().lower() == "wait" and number.isascii() and number.isdigit():
            return min(int(number[:4]), _LONGEST_WAIT_SECONDS)
    return 0
