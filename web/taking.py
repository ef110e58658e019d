"""Take a payment over HTTP: once per Idempotency-Key, answered at once or after a wait."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from flask import Response, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from payproc import checkouts, idempotency
from payproc.idempotency import Answer
from payproc.models import Payment, User
from payproc.payments import PaymentRequest
from payproc.providers.names import PaymentMethod
from payproc.states import OPEN, PaymentStatus
from web.auth import application, current_user
from web.json import json_answer, text_of
from web.schemas import AcceptedAnswer, StartHeader

log = structlog.get_logger()

PREFIX = "/api/v1/payments"

_LONGEST_WAIT_SECONDS = 30
# The provider has answered about half a second after the request; asking the row more often gains nothing a person
# sees.
_LOOK_EVERY_SECONDS = 0.05
# A waiting request holds a thread. With four threads a process or more, two may wait: the others stay free for
# webhooks. Who finds no seat gets the 202 that waiting would have ended in.
_seats = threading.BoundedSemaphore(2)

# Says how a payment that was taken is answered, after a wait of so many seconds or none. The answer is kept for
# replays, so it must hold nothing that may not be stored.
Describe = Callable[[Payment, int], Answer]


@dataclass(frozen=True, kw_only=True)
class _Begun:
    payment_id: str
    replay: Answer | None = None


def take(wanted: PaymentRequest, method: PaymentMethod, *, header: StartHeader, describe: Describe) -> Answer:
    """Take a payment, or find the one that the same request made before, and say how it is answered.

    Raises InvalidRequest, Conflict, NotFound or IdempotencyKeyReused.
    """
    key = header.idempotency_key
    begun = _begin(wanted, method, key)
    if begun.replay is not None:
        return begun.replay
    # The payment is committed: whatever the database does now, "not stored" would be a lie that invites a second one.
    try:
        answer = _answer(begun.payment_id, describe, wait=_wait_seconds(header.prefer or ""))
        if key is not None:
            with application().database.transaction() as session:
                idempotency.remember_answer(session, current_user(), key, answer)
    except (OperationalError, InterfaceError, PoolTimeout) as trouble:
        log.warning("answered from memory", payment=begun.payment_id, error=type(trouble).__name__)
        accepted = AcceptedAnswer(payment_id=begun.payment_id, status=PaymentStatus.PENDING)
        return Answer(status=202, location=location_of(begun.payment_id), body=text_of(accepted))
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


def _begin(wanted: PaymentRequest, method: PaymentMethod, key: str | None) -> _Begun:
    user = current_user()
    if key is not None:
        idempotency.check_key(key)
    with application().database.transaction() as session:
        begun = _take_key(session, user, key)
        match begun:
            case idempotency.Answer():
                return _Begun(payment_id="", replay=begun)
            case idempotency.Resumed():
                return _Begun(payment_id=begun.payment_id)
            case idempotency.Fresh():
                payment = checkouts.take_payment(application(), session, wanted, user=user, method=method)
                if key is not None:
                    idempotency.remember_payment(session, user, key, payment_id=payment.id)
                return _Begun(payment_id=payment.id)


def _take_key(session: Session, user: User, key: str | None) -> idempotency.Begun:
    if key is None:
        return idempotency.Fresh()
    where = request.full_path if request.query_string else request.path
    mark = idempotency.fingerprint(request.method, where, request.get_json())
    return idempotency.begin(session, user, key, fingerprint=mark)


def _answer(payment_id: str, describe: Describe, *, wait: int) -> Answer:
    if wait and _seats.acquire(blocking=False):
        try:
            _wait_until_begun(payment_id, seconds=wait)
        finally:
            _seats.release()
    return describe(_read(payment_id), wait)


def _wait_until_begun(payment_id: str, *, seconds: int) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        payment = _read(payment_id)
        if payment.next_action is not None or payment.status not in OPEN:
            return
        time.sleep(_LOOK_EVERY_SECONDS)


def _read(payment_id: str) -> Payment:
    with application().database.transaction() as session:
        return session.get_one(Payment, payment_id)


def _wait_seconds(prefer: str) -> int:
    # RFC 7240: a preference that is not understood is passed over.
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        number = value.strip().strip('"')
        if name.strip().lower() == "wait" and number.isascii() and number.isdigit():
            return min(int(number[:4]), _LONGEST_WAIT_SECONDS)
    return 0
