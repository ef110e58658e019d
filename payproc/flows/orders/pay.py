"""Pay an order from its page: one attempt after the other, whoever presses how often."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.models import Order, User
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.payment import PaymentRequest
from payproc.errors import Conflict, InvalidRequest, RequestRefused
from payproc.flows.checkout import draft_payment, take_drafted
from payproc.flows.orders import methods_of
from payproc.flows.orders.attempts import check_room, newest_of, open_attempts
from payproc.outgoing import pay_links
from payproc.providers.requests import PayerDetail
from payproc.records import idempotency, orders
from payproc.records.idempotency import Answer, NewKey


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How somebody with an order's link wants to pay it, as they wrote it.

    `after` is the newest payment of the order that their page knew of, NONE where there was none.
    """

    method: PaymentMethod
    after: str
    phone: str | None = field(default=None, repr=False)
    cnic: str | None = field(default=None, repr=False)
    address: str | None = field(default=None, repr=False)


def pay_order(app: Application, order_id: str, choice: Choice) -> str:
    """Begin a payment of an order, and return its id; the one that was begun after the same payment is the same one.

    So a second press, a second window and a page of an hour ago lead to the payment that there is. Raises
    InvalidRequest, Conflict where the order is paid, has ended or may be paid any moment, and TooManyRequests.
    """
    key = f"pay page of {order_id} after {choice.after}"
    fingerprint = idempotency.fingerprint("POST", f"/pay/{order_id}", choice.after)
    with app.database.transaction() as session:
        order = session.get_one(Order, order_id)
        customer = session.get_one(User, order.user_id)
        earlier = idempotency.known(session, customer, key, fingerprint=fingerprint)
        if earlier is not None:
            return earlier.subject
        _check(app, session, order, choice)
        orders.note_opened(session, order)
    draft = draft_payment(app, _request(app, order, customer, choice), user=customer, method=choice.method)
    payment_id = draft.payment.id
    answer = Answer(status=303, location=pay_links.path_of(app.settings, payment_id), body="{}")
    new = NewKey(user_id=customer.id, key=key, fingerprint=fingerprint, answer=answer)
    if take_drafted(app, draft, key=new) is not None:
        return payment_id
    with app.database.transaction() as session:
        first = idempotency.known(session, customer, key, fingerprint=fingerprint)
    if first is None:
        raise Conflict("Another payment of this order was begun just now.", code="order_attempt_open", subject=order_id)
    return first.subject


def _check(app: Application, session: Session, order: Order, choice: Choice) -> None:
    if choice.method not in methods_of(app, order):
        raise InvalidRequest(f"This order is not paid by {choice.method}.", code="method_unsupported", field="method")
    check_room(open_attempts(app, session, order))
    if choice.after != newest_of(orders.payments_of(session, order)):
        raise Conflict("The page is older than the newest payment of this order.", code="order_page_stale")


def _request(app: Application, order: Order, customer: User, choice: Choice) -> PaymentRequest:
    own_page = pay_links.url_of(app.settings, order.id)
    provider = app.provider(choice.method)
    asked = provider.asks_payer(provider.dialect)
    phone = (choice.phone or known_phone(app, customer)) if PayerDetail.PHONE in asked else None
    return PaymentRequest(
        money=None,
        description=order.description or order.reference,
        success_url=order.success_url or f"{own_page}?returned=1",
        cancel_url=order.cancel_url or own_page,
        phone=phone,
        cnic=choice.cnic if PayerDetail.CNIC in asked else None,
        address=choice.address,
        order_id=order.id,
    )


def known_phone(app: Application, customer: User) -> str | None:
    """Return the number that its shop knows of a customer, which goes to a wallet and is shown to nobody."""
    try:
        return app.payer_cipher.decrypt(customer.encrypted_phone).phone
    except RequestRefused:
        # Encrypted under another SECRET_KEY: then nobody knows it any more, and the customer is asked.
        return None
