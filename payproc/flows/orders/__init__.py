"""What becomes of an order: made for a customer, ended by its time, and what else of it was open when it was paid."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Order, OrderStatus, Payment, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.order import OrderRequest
from payproc.domain.states import PaymentStatus
from payproc.errors import InvalidRequest
from payproc.flows.redirects import check_redirect
from payproc.providers.base import Cancelling
from payproc.records import orders


def make_order(app: Application, session: Session, wanted: OrderRequest, *, payer: User, by: User | None) -> Order:
    """Write an order down; `payer` is its customer, or its shop where that leaves open who comes with the link.

    Raises InvalidRequest or Conflict, and then nothing is written.
    """
    for field in ("success_url", "cancel_url"):
        if (url := getattr(wanted, field)) is not None:
            check_redirect(url, field=field, settings=app.settings)
    if wanted.methods is not None:
        _check_methods(app, wanted)
    elif not methods_for(app, wanted.money):
        code = wanted.money.currency.code.upper()
        raise InvalidRequest(f"No payment method here takes {code}.", code="currency_unsupported", field="currency")
    return orders.create_order(session, payer, wanted, by=by)


def _check_methods(app: Application, wanted: OrderRequest) -> None:
    possible = methods_for(app, wanted.money)
    refused = [method for method in wanted.methods or () if method not in possible]
    if refused:
        code, known = wanted.money.currency.code.upper(), ", ".join(possible) or "none"
        raise InvalidRequest(
            f"{', '.join(refused)} cannot take {code} here; {known} can.", code="method_unsupported", field="methods"
        )


def methods_for(app: Application, money: Money) -> list[PaymentMethod]:
    """Return the payment methods that are set up here and take money of this currency."""
    code = money.currency.code
    return [method for method, provider in app.providers.items() if provider.only_currency in (None, code)]


def methods_of(app: Application, order: Order) -> list[PaymentMethod]:
    """Return the payment methods by which an order may be paid, of those that are set up here."""
    possible = methods_for(app, order.money)
    return possible if order.methods is None else [method for method in possible if method in order.methods]


def expire_order(app: Application, job: jobs.Claimed) -> None:
    """Run an `order.expire` job."""
    with app.database.transaction() as session:
        orders.expire(session, job.subject)
        jobs.finish(session, job)


def settle_order(app: Application, job: jobs.Claimed) -> None:
    """Run an `order.settle` job: an order that is paid, or has ended, leaves no other session of it to be paid.

    One that is being started this moment is called off when it has been: its start looks at the order as well.
    """
    with app.database.transaction() as session:
        for payment in _still_open(session, job.subject):
            # A wallet takes nothing back: its push ends by itself, and its page is shown no more.
            if isinstance(app.providers.get(payment.payment_method), Cancelling):
                jobs.stage(session, jobs.Kind.CANCEL_PAYMENT, payment.id, method=payment.payment_method)
        jobs.finish(session, job)


def _still_open(session: Session, order_id: str) -> list[Payment]:
    order = session.get_one(Order, order_id)
    if order.status in (OrderStatus.OPEN, OrderStatus.PROCESSING):
        # Its only paid payment was undone meanwhile: it may be paid again.
        return []
    still_open = select(Payment).where(Payment.order_id == order_id, Payment.status == PaymentStatus.PENDING)
    return list(session.scalars(still_open))
