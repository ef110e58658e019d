"""Checkout, look-up, list, timeline and cancel."""

from flask import Response
from sqlalchemy.orm import Session

from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import OPEN, PaymentStatus
from payproc.errors import InvalidRequest
from payproc.flows.cancel import request_cancel
from payproc.flows.checkout import has_begun
from payproc.operations.finding import lists
from payproc.operations.refund_balances import RefundBalance, payment_with_balance, refund_balances
from payproc.operations.timeline import customers_timeline, timeline
from payproc.outgoing.decline_reasons import decline_reason
from payproc.providers.registry import PROVIDERS
from payproc.providers.stripe import STRIPE
from payproc.records import payments
from payproc.records.idempotency import Answer
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.api.locations import PAYMENTS, payment_location
from web.auth import application, current_user, needs
from web.json import json_answer, text_of
from web.pay import links
from web.request import waiting
from web.request.idempotent import IdempotentRequest, respond, respond_again
from web.schemas.headers import LookHeader, StartHeader
from web.schemas.payments import (
    AcceptedAnswer,
    CheckoutAnswer,
    CheckoutBody,
    ListQuery,
    PageAnswer,
    PaymentAnswer,
    PaymentPath,
    StartedAnswer,
    TimelineAnswer,
)

_STATUS = "SELECT status FROM payments WHERE id = %(id)s"

blueprint = authenticated(
    "payments", "Take a payment and follow it.", prefix=PAYMENTS, refusals=problems(404, 409, 422, 503)
)


@blueprint.post("/checkout", responses={"201": StartedAnswer, "202": CheckoutAnswer, **problems(400, 413, 415)})
@needs(Act.START_PAYMENT)
def checkout(header: StartHeader, body: CheckoutBody) -> Response:
    """Start a card payment through Stripe Checkout.

    Answers 202 at once; with `Prefer: wait=N` (at most 30 seconds) 201 as soon as the provider has answered: with the
    session's URL, or with `status` failed and why. `pay_url` is a page that leads the customer to it.
    `Idempotency-Key` makes a repeated request the same payment and the same answer for 72 hours.
    """
    asked = IdempotentRequest.of(header)

    def answered(payment: Payment) -> Answer:
        return _checkout_answer(payment, asked.wait)

    claim = asked.take(body.request(), STRIPE, answered=answered)
    if claim.replay is not None:
        return respond_again(claim.replay)
    return respond(asked.answer(claim, answered=answered))


def _checkout_answer(payment: Payment, wait: int) -> Answer:
    location, pay_url = payment_location(payment.id), links.url_of(payment.id)
    if not has_begun(payment):
        accepted = CheckoutAnswer(payment_id=payment.id, status=payment.status, pay_url=pay_url)
        return Answer(status=202, location=location, body=text_of(accepted))
    started = StartedAnswer(
        payment_id=payment.id,
        status=payment.status,
        pay_url=pay_url,
        session_id=payment.stripe_session_id,
        url=(payment.next_action or {}).get("url"),
        decline_reason=decline_reason(payment),
        failure_code=payment.failure_code,
        failure_message=payment.failure_message,
    )
    return Answer(status=201 if wait else 202, location=location, body=text_of(started))


@blueprint.get("/<payment_id>", responses={"200": PaymentAnswer})
@needs(Act.SEE_PAYMENT)
def show(header: LookHeader, path: PaymentPath) -> Response:
    """Show a payment as we know it; nobody else is asked.

    With `Prefer: wait=N` (at most 30 seconds) an open one is answered as soon as its status is another one, or else as
    it is by then; at once where many wait already.
    """
    database, user, seconds = application().database, current_user(), waiting.seconds_of(header.prefer)
    found = payment, _ = payment_with_balance(database, path.payment_id, user=user)
    if seconds and payment.status in OPEN:
        waiting.wait_until(lambda: _status_of(payment.id) is not payment.status, seconds=seconds)
        found = payment_with_balance(database, path.payment_id, user=user)
    return json_answer(text_of(_shown(*found)))


def _status_of(payment_id: str) -> PaymentStatus:
    return PaymentStatus(application().database.single_statement(_STATUS, {"id": payment_id}))


@blueprint.get("/", responses={"200": PageAnswer})
@needs(Act.SEE_PAYMENT)
def list_payments(query: ListQuery) -> Response:
    """List payments, newest first: one's own, what one's shop made, or everybody's for staff.

    `q` finds a payment by whatever you have in hand: our id or reference of it, of its order, refund or dispute; an id
    of the provider's; a receipt number; your own reference of an order; an e-mail; a whole phone, or its last four
    digits; an amount such as 19.99 or 1999 pkr. Filters hold beside it. With `metadata` or `updated_…` a page may
    hold fewer than `limit`, or none, and still name a next one: go on until `next_cursor` is null.
    """
    wanted = query.filter(method=_known_method(query.payment_method), phones=application().phone_hasher)
    user = current_user()

    def page_of(session: Session) -> PageAnswer:
        page = lists.page_of_payments(session, wanted, user=user, limit=query.limit, cursor=query.cursor)
        balances = refund_balances(session, page.payments)
        shown = [_shown(payment, balances[payment.id]) for payment in page.payments]
        return PageAnswer(payments=shown, next_cursor=page.next_cursor)

    return json_answer(text_of(application().database.read(page_of)))


def _shown(payment: Payment, balance: RefundBalance) -> PaymentAnswer:
    pay_url = links.url_of(payment.id) if payment.status in OPEN else None
    return PaymentAnswer.of(payment, balance=balance, pay_url=pay_url)


def _known_method(name: str | None) -> PaymentMethod | None:
    if name is None or name in PROVIDERS or name in application().providers:
        return None if name is None else PaymentMethod(name)
    known = ", ".join(PROVIDERS)
    raise InvalidRequest(f"There is no payment method {name}; there are {known}.", field="payment_method")


@blueprint.get("/<payment_id>/timeline", responses={"200": TimelineAnswer})
@needs(Act.SEE_PAYMENT)
def show_timeline(path: PaymentPath) -> Response:
    """Explain why a payment is in its state: staff see everything on record, its customer what concerns them."""
    user = current_user()
    entries = timeline if permissions.reaches_all(Act.SEE_WORKINGS, user=user) else customers_timeline

    def timeline_of(session: Session) -> TimelineAnswer:
        payment = payments.visible_payment(session, path.payment_id, user=user)
        return TimelineAnswer.of(payment, entries(session, payment))

    return json_answer(text_of(application().database.read(timeline_of)))


@blueprint.post("/<payment_id>/cancel", responses={"202": AcceptedAnswer})
@needs(Act.CANCEL_PAYMENT)
def cancel(path: PaymentPath) -> Response:
    """Call an open payment off. Stripe has the last word: it may have been paid a moment ago. Wallets do not do it."""
    with application().database.transaction() as session:
        payment = request_cancel(application(), session, path.payment_id, user=current_user())
    accepted = AcceptedAnswer(payment_id=payment.id, status=payment.status)
    return json_answer(text_of(accepted), status=202, location=payment_location(payment.id))
