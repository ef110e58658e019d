"""Refunds: the only code that writes one's status.

Asking reserves the money under the payment's row lock: what has been given back, is on its way, or waits for a person
never exceeds what was paid.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc import jobs, payments
from payproc.application import Application
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.models import Payment, Refund, ReviewKind, User
from payproc.money import Money
from payproc.payments import Told
from payproc.providers.base import Refunding, RefundMode
from payproc.reviews import open_review
from payproc.states import Fact, PaymentStatus, RefundStatus

_HOLDING = (RefundStatus.PENDING, RefundStatus.MANUAL, RefundStatus.SUCCEEDED)
IN_FLIGHT = frozenset({RefundStatus.PENDING, RefundStatus.MANUAL})


def request_refund(
    app: Application, session: Session, payment_id: str, *, user: User, money: Money | None, reason: str | None = None
) -> Refund:
    """Reserve money to give back, and stage the call that does; nobody is called here.

    Without `money` all that is left goes back. Where the provider has no call for it the refund is `manual`, and a
    person is asked. Raises NotFound, InvalidRequest or Conflict, and then nothing is written.
    """
    payments.visible_payment(session, payment_id, user=user)
    payment = payments.locked(session, payment_id)
    _check_refundable(app, session, payment)
    left = _left(session, payment)
    wanted = money or left
    _check_covered(payment, wanted, left=left)
    provider = app.provider_of(payment)
    by_call = isinstance(provider, Refunding) and provider.refund_mode(payment.dialect) is not RefundMode.BY_HAND
    refund = Refund(
        payment_id=payment.id,
        amount_minor=wanted.amount_minor,
        currency=wanted.currency.code,
        status=RefundStatus.PENDING if by_call else RefundStatus.MANUAL,
        reason=reason,
        requested_by=user.id,
    )
    session.add(refund)
    session.flush()
    if by_call:
        jobs.stage(session, jobs.Kind.SEND_REFUND, refund.id, method=payment.payment_method)
    else:
        _ask_for_hands(session, payment, refund)
    return refund


def _check_refundable(app: Application, session: Session, payment: Payment) -> None:
    if payment.status is not PaymentStatus.COMPLETED or payment.completed_at is None:
        raise Conflict(
            f"Payment {payment.id} is {payment.status}; only a completed payment can be refunded.",
            code="payment_not_refundable",
            subject=payment.id,
        )
    if datetime.now(UTC) - payment.completed_at > timedelta(days=app.settings.refund_window_days):
        raise Conflict(
            f"Payment {payment.id} was completed more than {app.settings.refund_window_days} days ago.",
            code="refund_window_over",
            subject=payment.id,
        )
    in_flight = select(Refund.id).where(Refund.payment_id == payment.id, Refund.status.in_(IN_FLIGHT))
    if (other := session.scalar(in_flight)) is not None:
        raise Conflict(
            f"Refund {other} of this payment is still on its way; wait for it.", code="refund_in_flight", subject=other
        )


def _check_covered(payment: Payment, wanted: Money, *, left: Money) -> None:
    if wanted.currency != left.currency:
        raise InvalidRequest(f"Payment {payment.id} is in {left.currency.code.upper()}.", field="amount")
    if wanted.amount_minor > left.amount_minor:
        raise Conflict(
            f"Of payment {payment.id} {left} is left to refund, not {wanted}.",
            code="refund_exceeds_payment",
            subject=payment.id,
        )


def _left(session: Session, payment: Payment) -> Money:
    return Money.of(payment.amount_minor - _held(session, payment, _HOLDING), payment.currency)


def given_back(session: Session, payment: Payment) -> Money:
    """Return how much of a payment has surely been given back."""
    return Money.of(_held(session, payment, (RefundStatus.SUCCEEDED,)), payment.currency)


def _held(session: Session, payment: Payment, statuses: tuple[RefundStatus, ...]) -> int:
    total = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id, Refund.status.in_(statuses)
    )
    return int(session.scalars(total).one())


def _ask_for_hands(session: Session, payment: Payment, refund: Refund) -> None:
    open_review(
        session,
        ReviewKind.REFUND_MANUAL,
        refund.id,
        payment_id=payment.id,
        detail=(
            f"{payment.payment_method} gives nothing back by a call: return "
            f"{Money.of(refund.amount_minor, refund.currency)} of {payment.reference} in its portal, then resolve this "
            "with --as refunded (or not_refunded)."
        ),
    )


def settle(
    session: Session,
    refund_id: str,
    status: RefundStatus,
    *,
    told: Told,
    code: str | None = None,
    message: str | None = None,
) -> Refund:
    """End a refund. A failed one frees what it held; the last of a payment's money makes it `refunded`.

    One that has ended stays as it is. Locks are taken payment first.
    """
    refund = _locked(session, refund_id)
    payment = session.get_one(Payment, refund.payment_id)
    if refund.status not in IN_FLIGHT:
        return refund
    refund.status = status
    refund.failure_code, refund.failure_message = code, message
    refund.settled_at = session.scalars(select(func.now())).one()
    session.flush()
    if status is RefundStatus.SUCCEEDED and given_back(session, payment).amount_minor >= payment.amount_minor:
        payments.apply_fact(session, payment.id, Fact.REFUNDED, told=told, detail=refund.id)
    return refund


def _locked(session: Session, refund_id: str) -> Refund:
    refund = session.get(Refund, refund_id)
    if refund is None:
        raise NotFound(f"There is no refund {refund_id}.", code="refund_not_found", subject=refund_id)
    payments.locked(session, refund.payment_id)
    return session.get_one(Refund, refund_id, with_for_update=True, populate_existing=True)
