"""Payments: the only code that writes one's status.

Webhook, poll, API, operator and reconciliation all end in `apply_outcome` or `apply_fact`, which lock the row, ask
the grid in `states`, and append an event.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc import jobs, receipts
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.models import Order, Payment, PaymentEvent, ReviewKind, Source, User
from payproc.money import Money
from payproc.orders import follow_payments, payable_order
from payproc.providers.base import (
    Outcome,
    PaymentMethod,
    PaymentRef,
    Provider,
    Reference,
    References,
    StartResult,
    Verdict,
)
from payproc.redirects import check_redirect
from payproc.reviews import open_review
from payproc.settings import Settings
from payproc.states import OPEN, TERMINAL, Effect, Fact, PaymentStatus, transition


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """What a client asks for. Without an order `money` is needed; with one it must match or be absent."""

    money: Money | None
    description: str
    success_url: str
    cancel_url: str
    order_id: str | None = None
    # What the client said, even without an amount: it must not be another than the order's.
    currency: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who told us something, and what proves it."""

    source: Source
    evidence: str | None = None


def create_payment(
    session: Session,
    request: PaymentRequest,
    *,
    user: User,
    method: PaymentMethod,
    provider: Provider,
    settings: Settings,
) -> Payment:
    """Write a payment down and stage its start; nothing is sent to anybody here.

    Raises InvalidRequest or Conflict, and then nothing is written.
    """
    check_redirect(request.success_url, field="success_url", settings=settings)
    check_redirect(request.cancel_url, field="cancel_url", settings=settings)
    order = None if request.order_id is None else payable_order(session, request.order_id, user=user)
    money = _price(request, order)
    payment = Payment(
        user_id=user.id,
        order_id=order.id if order else None,
        amount_minor=money.amount_minor,
        currency=money.currency.code,
        status=PaymentStatus.PENDING,
        payment_method=method,
        dialect=provider.dialect,
        environment=settings.environment,
        live_mode=provider.live_mode,
        description=request.description,
        meta=request.meta,
        success_url=request.success_url,
        cancel_url=request.cancel_url,
    )
    session.add(payment)
    session.flush()
    _record(session, payment, Fact.CREATED, effect=Effect.MOVED, told=Told(source=Source.API, evidence=user.id))
    jobs.stage(session, jobs.Kind.START_PAYMENT, payment.id, method=method)
    return payment


def _price(request: PaymentRequest, order: Order | None) -> Money:
    offered = request.money
    if order is None:
        if offered is None:
            raise InvalidRequest(
                "Say amount or amount_minor, or name an order_id.", code="amount_missing", field="amount"
            )
        return offered
    due = Money.of(order.amount_minor, order.currency)
    if offered is not None and offered != due:
        raise InvalidRequest(
            f"Order {order.reference} is over {due}, not {offered}.", code="order_amount_differs", field="amount"
        )
    if request.currency is not None and request.currency != order.currency:
        raise InvalidRequest(f"Order {order.reference} is over {due}.", code="order_amount_differs", field="currency")
    return due


def visible_payment(session: Session, payment_id: str, *, user: User) -> Payment:
    """Return the payment if this user may see it.

    Raises NotFound otherwise: another user's payment does not exist for this one.
    """
    payment = session.get(Payment, payment_id)
    if payment is None or not (user.is_staff or payment.user_id == user.id):
        raise NotFound(f"There is no payment {payment_id}.", code="payment_not_found", subject=payment_id)
    return payment


def locked(session: Session, payment_id: str) -> Payment:
    """Return the payment under its row lock, freshly read.

    Raises NotFound.
    """
    payment = session.get(Payment, payment_id, with_for_update=True, populate_existing=True)
    if payment is None:
        raise NotFound(f"There is no payment {payment_id}.", code="payment_not_found", subject=payment_id)
    return payment


def find_by_reference(session: Session, references: References) -> Payment | None:
    """Find the payment a provider means, by any of the ids the provider gave it. Empty ids match nothing."""
    for reference, value in references.items():
        if not value:
            continue
        found = session.scalar(select(Payment).where(getattr(Payment, reference) == value))
        if found is not None:
            return found
    return None


def payment_ref(payment: Payment) -> PaymentRef:
    """Everything a provider needs to find the payment again."""
    known = {reference: getattr(payment, reference) for reference in Reference}
    return PaymentRef(
        payment_id=payment.id,
        reference=payment.reference,
        references={reference: value for reference, value in known.items() if value},
    )


def record_start(session: Session, payment_id: str, result: StartResult, *, told: Told) -> Payment:
    """Write down what the provider gave for a start: its ids, the customer's next step, and until when.

    A webhook may have been here first: what it has settled stays settled.
    """
    payment = locked(session, payment_id)
    _adopt(payment, result.references)
    payment.expires_at = result.expires_at
    if payment.status in OPEN and result.next_action is not None:
        payment.next_action = {"type": "redirect", "url": result.next_action.url}
    _apply(session, payment, Fact.STARTED, told=told)
    return payment


def apply_outcome(session: Session, payment_id: str, outcome: Outcome, *, told: Told) -> Payment:
    """Apply what a provider said about a payment; the one door for every source.

    "Paid" counts only for the amount, currency, mode and session we asked for. Anything else stays where it is and
    becomes a question for a person.
    """
    payment = locked(session, payment_id)
    fact = _fact(outcome)
    foreign = _foreign(payment, outcome.references)
    if fact is Fact.PAID and (problem := foreign or _mismatch(payment, outcome)):
        _report_mismatch(session, payment, problem, told=told)
        return payment
    if foreign is not None:
        # What became of another session that names our payment ends nothing here, and its ids are not ours.
        _apply(session, payment, Fact.MISMATCH, told=told, detail=foreign)
        return payment
    if fact is None:
        _adopt(payment, outcome.references)
        return payment
    _adopt(payment, outcome.references)
    moved = _apply(session, payment, fact, told=told, detail=outcome.failure_code)
    if moved and payment.status not in (PaymentStatus.COMPLETED, PaymentStatus.PROCESSING):
        payment.failure_code = outcome.failure_code or fact
        payment.failure_message = outcome.failure_message
    return payment


def fail(session: Session, payment_id: str, *, told: Told, code: str, message: str) -> Payment:
    """End a payment whose start was refused for good: there is nothing the customer could pay."""
    payment = locked(session, payment_id)
    if _apply(session, payment, Fact.DECLINED, told=told, detail=message):
        payment.failure_code = code
        payment.failure_message = message
    return payment


def apply_fact(session: Session, payment_id: str, fact: Fact, *, told: Told, detail: str | None = None) -> Payment:
    """Apply a fact that needs no check against the provider's words: our own decision, or an operator's."""
    payment = locked(session, payment_id)
    moved = _apply(session, payment, fact, told=told, detail=detail)
    if moved and payment.status in (PaymentStatus.FAILED, PaymentStatus.CANCELLED):
        payment.failure_code = payment.failure_code or fact
        payment.failure_message = detail
    return payment


def _fact(outcome: Outcome) -> Fact | None:
    match outcome.verdict:
        case Verdict.PAID:
            return Fact.PAID
        case Verdict.PROCESSING:
            return Fact.PROCESSING
        case Verdict.DECLINED:
            return Fact.DECLINED
        case Verdict.CANCELLED:
            return Fact.CANCELLED
        case Verdict.EXPIRED:
            return Fact.EXPIRED
        case Verdict.PENDING:
            return Fact.ATTEMPT_DECLINED if outcome.failure_code else None
        case Verdict.UNKNOWN:
            return None
        case _:
            assert_never(outcome.verdict)


def _mismatch(payment: Payment, outcome: Outcome) -> str | None:
    asked = Money.of(payment.amount_minor, payment.currency)
    if outcome.money is not None and outcome.money != asked:
        return f"paid {outcome.money}, asked for {asked}"
    if outcome.live_mode is not None and outcome.live_mode is not payment.live_mode:
        return "paid in the other mode (live or test)"
    return None


def _foreign(payment: Payment, references: References) -> str | None:
    for reference in (Reference.STRIPE_SESSION, Reference.STRIPE_PAYMENT_INTENT):
        ours, theirs = getattr(payment, reference), references.get(reference)
        if ours and theirs and ours != theirs:
            return f"told of {theirs}, ours is {ours}"
    return None


def _report_mismatch(session: Session, payment: Payment, problem: str, *, told: Told) -> None:
    _apply(session, payment, Fact.MISMATCH, told=told, detail=problem)
    open_review(
        session,
        ReviewKind.PAID_MISMATCH,
        payment.id,
        payment_id=payment.id,
        detail=f"{payment.id}: {problem}. Nothing was fulfilled; decide whether to accept it or to refund it.",
    )


def _adopt(payment: Payment, references: References) -> None:
    # First come, first kept: an id never changes, and a second one for the same thing is no correction.
    for reference, value in references.items():
        if value and getattr(payment, reference) is None:
            setattr(payment, reference, value)


def _apply(session: Session, payment: Payment, fact: Fact, *, told: Told, detail: str | None = None) -> bool:
    cell = transition(payment.status, fact)
    before = payment.status
    if cell.effect is Effect.MOVED:
        # Asked before the change: a query in between would flush a completed payment without its time.
        now = session.scalars(select(func.now())).one()
        payment.status = cell.to
        _stamp(payment, now=now)
    _record(session, payment, fact, effect=cell.effect, told=told, before=before, detail=detail)
    if cell.effect is not Effect.MOVED:
        return False
    session.flush()
    _follow_up(session, payment)
    if cell.review:
        open_review(
            session,
            ReviewKind.PAID_LATE,
            payment.id,
            payment_id=payment.id,
            detail=f"{payment.id} was {before} and has been paid after all: fulfil it or refund it.",
        )
    return True


def _stamp(payment: Payment, *, now: datetime) -> None:
    if payment.status is PaymentStatus.COMPLETED and payment.completed_at is None:
        payment.completed_at = now
        payment.failure_code = payment.failure_message = None
    if payment.status in TERMINAL:
        payment.next_action = None


def _follow_up(session: Session, payment: Payment) -> None:
    if payment.status in TERMINAL:
        # One look at Stripe fewer for each payment whose webhook came in time.
        jobs.withdraw(session, jobs.Kind.INQUIRE_PAYMENT, payment.id)
    if payment.status is PaymentStatus.COMPLETED:
        receipts.stage_receipt(session, payment)
    if payment.order_id:
        follow_payments(session, payment.order_id)


def _record(
    session: Session,
    payment: Payment,
    fact: Fact,
    *,
    effect: Effect,
    told: Told,
    before: PaymentStatus | None = None,
    detail: str | None = None,
) -> None:
    session.add(
        PaymentEvent(
            payment_id=payment.id,
            fact=fact,
            effect=effect,
            from_status=before,
            to_status=payment.status,
            source=told.source,
            evidence=told.evidence,
            detail=detail,
        )
    )


def request_cancel(session: Session, payment_id: str, *, user: User) -> Payment:
    """Stage the cancellation of an open payment; it may turn out to have been paid.

    Raises NotFound, or Conflict when the payment has ended.
    """
    payment = visible_payment(session, payment_id, user=user)
    if payment.status in TERMINAL:
        raise Conflict(
            f"Payment {payment.id} is {payment.status}; only an open payment can be cancelled.",
            code="payment_ended",
            subject=payment.id,
        )
    jobs.stage(session, jobs.Kind.CANCEL_PAYMENT, payment.id, method=payment.payment_method)
    return payment
