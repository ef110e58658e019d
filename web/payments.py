"""Checkout, look-up, list, timeline and cancel."""

import threading
import time
from dataclasses import dataclass

import structlog
from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from payproc import idempotency, listing, payments
from payproc.idempotency import Answer
from payproc.models import Payment, User
from payproc.providers.base import PaymentMethod
from payproc.states import OPEN, PaymentStatus
from payproc.timeline import timeline
from web.auth import application, current_user, require_caller
from web.json import json_answer, text_of
from web.schemas import (
    AcceptedAnswer,
    CheckoutBody,
    CheckoutHeader,
    ListQuery,
    PageAnswer,
    PaymentAnswer,
    PaymentPath,
    Problem,
    StartedAnswer,
    TimelineAnswer,
)

log = structlog.get_logger()

PREFIX = "/api/v1/payments"

blueprint = APIBlueprint(
    "payments",
    __name__,
    url_prefix=PREFIX,
    abp_tags=[Tag(name="payments", description="Take a payment and follow it.")],
    abp_security=[{"bearer": []}],
    abp_responses={"401": Problem, "404": Problem, "409": Problem, "422": Problem, "503": Problem},
)
blueprint.before_request(require_caller)

_LONGEST_WAIT_SECONDS = 30
# The session is there about half a second after the request; asking the row more often gains nothing a person sees.
_LOOK_EVERY_SECONDS = 0.05
# A waiting request holds a thread. With four threads a process or more, two may wait: the others stay free for
# webhooks. Who finds no seat gets the 202 that waiting would have ended in.
_seats = threading.BoundedSemaphore(2)


@dataclass(frozen=True, kw_only=True)
class _Begun:
    payment_id: str
    replay: Answer | None = None


@blueprint.post(
    "/checkout",
    responses={
        "201": StartedAnswer,
        "202": AcceptedAnswer,
        "400": Problem,
        "403": Problem,
        "413": Problem,
        "415": Problem,
    },
)
def checkout(header: CheckoutHeader, body: CheckoutBody) -> Response:
    """Start a card payment through Stripe Checkout.

    Answers 202 at once; with `Prefer: wait=N` (at most 30 seconds) 201 with the session's URL as soon as it is
    there. `Idempotency-Key` makes a repeated request the same payment and the same answer for 72 hours.
    """
    key = header.idempotency_key
    begun = _begin(body, key)
    if begun.replay is not None:
        return _replayed(begun.replay)
    answer = _answer_once_written(begun.payment_id, key, wait=_wait_seconds(header.prefer or ""))
    return json_answer(answer.body, status=answer.status, location=answer.location)


def _answer_once_written(payment_id: str, key: str | None, *, wait: int) -> Answer:
    # The payment is committed: whatever the database does now, "not stored" would be a lie that invites a second one.
    try:
        answer = _answer(payment_id, wait=wait)
        if key is not None:
            with application().database.transaction() as session:
                idempotency.remember_answer(session, current_user(), key, answer)
    except (OperationalError, InterfaceError, PoolTimeout) as trouble:
        log.warning("answered from memory", payment=payment_id, error=type(trouble).__name__)
        accepted = AcceptedAnswer(payment_id=payment_id, status=PaymentStatus.PENDING)
        return Answer(status=202, location=f"{PREFIX}/{payment_id}", body=text_of(accepted))
    return answer


def _begin(body: CheckoutBody, key: str | None) -> _Begun:
    user = current_user()
    if key is not None:
        idempotency.check_key(key)
    wanted = body.request()
    with application().database.transaction() as session:
        begun = _take_key(session, user, key)
        match begun:
            case idempotency.Answer():
                return _Begun(payment_id="", replay=begun)
            case idempotency.Resumed():
                return _Begun(payment_id=begun.payment_id)
            case idempotency.Fresh():
                payment = payments.create_payment(
                    session,
                    wanted,
                    user=user,
                    method=PaymentMethod.STRIPE,
                    provider=application().provider(PaymentMethod.STRIPE),
                    settings=application().settings,
                )
                if key is not None:
                    idempotency.remember_payment(session, user, key, payment_id=payment.id)
                return _Begun(payment_id=payment.id)


def _take_key(session: Session, user: User, key: str | None) -> idempotency.Begun:
    if key is None:
        return idempotency.Fresh()
    mark = idempotency.fingerprint(request.method, request.path, request.get_json())
    return idempotency.begin(session, user, key, fingerprint=mark)


def _answer(payment_id: str, *, wait: int) -> Answer:
    if wait and _seats.acquire(blocking=False):
        try:
            _wait_for_session(payment_id, seconds=wait)
        finally:
            _seats.release()
    payment = _read(payment_id)
    location = f"{PREFIX}/{payment.id}"
    if payment.next_action is None or payment.stripe_session_id is None:
        accepted = AcceptedAnswer(payment_id=payment.id, status=payment.status)
        return Answer(status=202, location=location, body=text_of(accepted))
    started = StartedAnswer(
        payment_id=payment.id,
        status=payment.status,
        session_id=payment.stripe_session_id,
        url=payment.next_action["url"],
    )
    return Answer(status=201 if wait else 202, location=location, body=text_of(started))


def _wait_for_session(payment_id: str, *, seconds: int) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        payment = _read(payment_id)
        if payment.next_action is not None or payment.status not in OPEN:
            return
        time.sleep(_LOOK_EVERY_SECONDS)


def _read(payment_id: str) -> Payment:
    with application().database.transaction() as session:
        return session.get_one(Payment, payment_id)


def _replayed(answer: Answer) -> Response:
    response = json_answer(answer.body, status=answer.status, location=answer.location)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _wait_seconds(prefer: str) -> int:
    # RFC 7240: a preference that is not understood is passed over.
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        number = value.strip().strip('"')
        if name.strip().lower() == "wait" and number.isascii() and number.isdigit():
            return min(int(number[:4]), _LONGEST_WAIT_SECONDS)
    return 0


@blueprint.get("/<payment_id>", responses={"200": PaymentAnswer})
def show(path: PaymentPath) -> Response:
    """Show a payment as we know it; nobody else is asked."""
    with application().database.transaction() as session:
        payment = payments.visible_payment(session, path.payment_id, user=current_user())
        return json_answer(text_of(PaymentAnswer.of(payment)))


@blueprint.get("/", responses={"200": PageAnswer})
def list_payments(query: ListQuery) -> Response:
    """List payments, newest first: one's own, or everybody's for staff."""
    wanted = listing.Filter(
        status=query.status,
        payment_method=query.payment_method,
        order_id=query.order_id,
        user_id=query.user_id,
        created_from=query.created_from,
        created_to=query.created_to,
    )
    with application().database.transaction() as session:
        page = listing.page_of_payments(session, wanted, user=current_user(), limit=query.limit, cursor=query.cursor)
        shown = [PaymentAnswer.of(payment) for payment in page.payments]
    return json_answer(text_of(PageAnswer(payments=shown, next_cursor=page.next_cursor)))


@blueprint.get("/<payment_id>/timeline", responses={"200": TimelineAnswer})
def show_timeline(path: PaymentPath) -> Response:
    """Explain why a payment is in its state."""
    with application().database.transaction() as session:
        payment = payments.visible_payment(session, path.payment_id, user=current_user())
        return json_answer(text_of(TimelineAnswer.of(payment, timeline(session, payment))))


@blueprint.post("/<payment_id>/cancel", responses={"202": AcceptedAnswer})
def cancel(path: PaymentPath) -> Response:
    """Call an open payment off. Stripe has the last word: it may have been paid a moment ago."""
    with application().database.transaction() as session:
        payment = payments.request_cancel(session, path.payment_id, user=current_user())
    accepted = AcceptedAnswer(payment_id=payment.id, status=payment.status)
    return json_answer(text_of(accepted), status=202, location=f"{PREFIX}/{payment.id}")
