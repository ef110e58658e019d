"""What was begun to pay an order and may still be paid, and what has to happen before another way is taken.

docs/decisions/0024 says why each of these waits for what it waits for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import transaction_time
from payproc.database.models import Job, Order, Payment, User
from payproc.domain.states import OPEN, PaymentStatus
from payproc.errors import Conflict, ProviderError
from payproc.flows.cancel import request_cancel
from payproc.providers.base import Cancelling, Provider
from payproc.providers.requests import StartMode
from payproc.records import orders, payments
from payproc.records.reviews import has_open_mismatch

# A wallet's "nothing was paid" is believed for this long. The customer has just said that they left its page.
_BELIEVED_FOR = timedelta(minutes=5)
# What an order's page knows as its newest payment before there is one.
NONE = "none"


class WayOut(StrEnum):
    """How an open payment of an order makes room for another one."""

    CALL_OFF = "call_off"  # its provider can take it back, and nobody has asked for that
    CALLING_OFF = "calling_off"
    ASK = "ask"  # it begins on a wallet's page that we cannot close, but its wallet can say whether it was paid
    ASKING = "asking"
    LET_GO = "let_go"  # its wallet has said just now that nothing was paid
    WAIT = "wait"  # nobody can take it back: a phone rings, or money is on its way
    PERSON = "person"  # it was paid otherwise than asked for, and somebody looks at it


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A payment of an order that may still be paid; `asked_at` is when its provider will be asked about it (UTC)."""

    payment: Payment
    way_out: WayOut
    asked_at: datetime | None


def open_attempts(app: Application, session: Session, order: Order) -> list[Attempt]:
    """Return what of an order may still be paid, the newest first."""
    begun = orders.payments_of(session, order)
    return [_attempt(app, session, payment) for payment in reversed(begun) if payment.status in OPEN]


def newest_of(begun: Sequence[Payment]) -> str:
    """Return the name of an order's newest payment, of all of them, oldest first; NONE where there is none."""
    return begun[-1].id if begun else NONE


def check_room(attempts: list[Attempt]) -> None:
    """Raise Conflict where one of these payments may be paid any moment, so that another must not begin."""
    for attempt in attempts:
        if attempt.way_out is not WayOut.LET_GO:
            raise Conflict(
                f"Payment {attempt.payment.id} of this order may still be paid.",
                code="order_attempt_open",
                subject=attempt.payment.id,
            )


def make_room(app: Application, session: Session, order: Order) -> None:
    """Call off what of an order can be called off, and have the wallet asked about what cannot."""
    for attempt in open_attempts(app, session, order):
        payment = attempt.payment
        if attempt.way_out is WayOut.CALL_OFF:
            request_cancel(app, session, payment.id, user=session.get_one(User, payment.user_id))
        elif attempt.way_out is WayOut.ASK:
            jobs.stage(session, jobs.Kind.INQUIRE_PAYMENT, payment.id, method=payment.payment_method)


def is_set_aside(session: Session, payment: Payment) -> bool:
    """Tell whether an open payment should be paid no more: its order has ended, or is being paid in another way."""
    if payment.order_id is None or payment.status is not PaymentStatus.PENDING:
        return False
    if orders.is_settled(session, payment.order_id):
        return True
    newer = select(Payment.id).where(
        Payment.order_id == payment.order_id, Payment.created_at > payment.created_at, Payment.status.in_(OPEN)
    )
    return session.scalar(newer.limit(1)) is not None


def _attempt(app: Application, session: Session, payment: Payment) -> Attempt:
    staged = select(Job).where(Job.subject == payment.id, jobs.READY)
    work = {job.kind: job for job in session.scalars(staged)}
    inquiry = work.get(jobs.Kind.INQUIRE_PAYMENT)
    return Attempt(
        payment=payment,
        way_out=_way_out(app, session, payment, work),
        asked_at=None if inquiry is None else inquiry.due_at,
    )


def _way_out(app: Application, session: Session, payment: Payment, work: dict[str, Job]) -> WayOut:
    provider = app.providers.get(payment.payment_method)
    if has_open_mismatch(session, payment.id):
        return WayOut.PERSON
    if payment.status is not PaymentStatus.PENDING or provider is None:
        return WayOut.WAIT
    if isinstance(provider, Cancelling):
        return WayOut.CALLING_OFF if jobs.Kind.CANCEL_PAYMENT in work else WayOut.CALL_OFF
    inquiry = work.get(jobs.Kind.INQUIRE_PAYMENT)
    if inquiry is None or not _begins_on_a_page(provider, payment):
        return WayOut.WAIT
    return _asked(payment, inquiry, now=transaction_time(session))


def _begins_on_a_page(provider: Provider, payment: Payment) -> bool:
    try:
        return provider.start_mode(payment.dialect) is StartMode.FORM_POST
    except ProviderError:
        return False


def _asked(payment: Payment, inquiry: Job, *, now: datetime) -> WayOut:
    # The job that is staged after an answer counts it, and has not been tried: so the time is that answer's, and not of
    # a question that went unanswered.
    answered = inquiry.payload.get("polled", 0) > 0 and inquiry.attempts == 0
    if answered and payment.polled_at is not None and payment.polled_at > now - _BELIEVED_FOR:
        # Asked for once more meanwhile, it is still an answer of just now.
        return WayOut.LET_GO
    # Before its first answer the schedule says how soon a gateway may be asked at all; it is not hurried.
    waits_for_first = inquiry.payload.get("polled", 0) == 0
    return WayOut.ASKING if waits_for_first or not answered or inquiry.due_at <= now else WayOut.ASK


def ended_at(session: Session, order: Order) -> datetime | None:
    """Return when an order came to its end (UTC); None while it may be paid."""
    if order.status in orders.PAYABLE:
        return None
    ends = [payments.ended_at(session, payment) for payment in orders.payments_of(session, order)]
    return max([moment for moment in (order.closed_at, *ends) if moment is not None], default=None)
