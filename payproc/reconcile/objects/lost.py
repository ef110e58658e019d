"""Payments that a restored database has forgotten: made again out of what stands at their provider.

Only where a person says so (`reconcile stripe --remake`). Another deployment may share the account, and its payments
bear the same kind of marks: what is made again is of a user whom we know.
"""

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from payproc.database.models import Order, Payment, User
from payproc.domain.ids import Prefix, is_id, is_reference
from payproc.domain.money import Money
from payproc.providers.listing import RemotePayment
from payproc.reconcile.runs import Work


def lost_payment(session: Session, work: Work, remote: RemotePayment) -> Payment | None:
    """Return the payment that one of theirs was here; None where its marks are not ours, or name nobody we know."""
    money, payment_id, reference = remote.outcome.money, remote.payment_id, remote.reference
    if money is None or not is_id(payment_id, Prefix.PAYMENT) or not is_reference(reference):
        return None
    if remote.outcome.live_mode is not work.provider.live_mode or _is_taken(session, remote):
        return None
    user = session.scalar(select(User).where(_names_user(remote)))
    if user is None:
        return None
    return Payment(
        id=payment_id,
        reference=reference,
        user_id=user.id,
        order_id=_order_of(session, remote, user, money),
        amount_minor=money.amount_minor,
        currency=money.currency.code,
        payment_method=work.method,
        dialect=work.provider.dialect,
        environment=work.app.settings.environment,
        live_mode=work.provider.live_mode,
        # What it was for is on nothing that is listed.
        description=f"Payment {reference}",
        meta={},
        created_at=remote.created_at,
    )


def _is_taken(session: Session, remote: RemotePayment) -> bool:
    # Another of theirs bears the same marks, and may have been met on this very page.
    taken = exists().where(or_(Payment.id == remote.payment_id, Payment.reference == remote.reference))
    return bool(session.scalar(select(taken)))


def _names_user(remote: RemotePayment) -> ColumnElement[bool]:
    if remote.user_id is not None:
        return User.id == remote.user_id
    # Begun by a release that did not write down whose it was.
    return (User.stripe_customer_id == remote.customer) & User.stripe_customer_id.is_not(None)


def _order_of(session: Session, remote: RemotePayment, user: User, money: Money) -> str | None:
    of_user = select(Order).where(Order.id == remote.order_id, Order.user_id == user.id)
    order = session.scalar(of_user) if remote.order_id else None
    return order.id if order is not None and order.money == money else None
