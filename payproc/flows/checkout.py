"""Take a payment in: write it down, and stage what carries it to its provider."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any, assert_never

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Order, Payment, Role, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.phones import masked, normalised
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import OPEN, PaymentStatus
from payproc.errors import Conflict, InvalidRequest
from payproc.flows import poll
from payproc.flows.provider_requests import start_request
from payproc.flows.push_quota import COUNTED, PushQuota
from payproc.flows.redirects import check_redirect
from payproc.providers.answers import PostForm
from payproc.providers.base import PostingForms
from payproc.providers.requests import Payer, StartMode
from payproc.records import outcomes, payments
from payproc.records.idempotency import CLAIMED, NewKey
from payproc.records.identity.customers import named_customer
from payproc.records.orders import payable_order
from payproc.records.payments import Beside

# The hosted pages of both wallets take a form for a day.
_FORM_LIFE = timedelta(hours=24)
_ITS_ID = "{PAYMENT_ID}"


def take_payment(app: Application, request: PaymentRequest, *, user: User, method: PaymentMethod) -> Payment:
    """Write a payment down with the work that starts it, in one statement; nobody is called here.

    Raises InvalidRequest, Conflict or TooManyRequests, and then nothing is written.
    """
    taken = take_drafted(app, draft_payment(app, request, user=user, method=method))
    assert taken is not None, "only a key can be taken"
    return taken


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A payment that may be written down: how long one can be paid for that has begun, and its first work."""

    payment: Payment
    asked_by: str
    begun_for: timedelta | None = None
    first_job: Mapping[str, Any]
    quota: PushQuota | None = None


def take_drafted(app: Application, draft: Draft, *, key: NewKey | None = None) -> Payment | None:
    """Write a draft down, under the key of its client's where there is one; None where that is taken.

    Raises TooManyRequests. Where an error leaves open whether it was written, the same once more finds it.
    """
    payment = draft.payment
    parameters = dict(draft.first_job)
    if key is not None:
        parameters |= key.parameters()
    if draft.quota is not None:
        parameters |= draft.quota.parameters()
    rows = payments.add(
        app.database,
        payment,
        provenance=Provenance(source=Source.API, evidence=draft.asked_by),
        begun_for=draft.begun_for,
        beside=_beside(keyed=key is not None, pushed=draft.quota is not None),
        parameters=parameters,
    )
    if draft.quota is not None:
        draft.quota.check(rows)
    return payment if rows else None


@cache
def _beside(*, keyed: bool, pushed: bool) -> Beside:
    beside = COUNTED if pushed else Beside()
    if keyed:
        # What may not be rung takes no key either: the same again, later, is the first.
        claimed = CLAIMED.format(where=beside.where)
        beside = replace(
            beside, parts_before=(*beside.parts_before, claimed), where="WHERE EXISTS (SELECT FROM claimed)"
        )
    return replace(beside, parts_after=(*beside.parts_after, jobs.STAGED))


def draft_payment(app: Application, request: PaymentRequest, *, user: User, method: PaymentMethod) -> Draft:
    """Return what a request asks for, of which nothing is written yet.

    Raises InvalidRequest or Conflict.
    """
    provider = app.provider(method)
    payer = Payer(phone=normalised(request.phone) if request.phone else None, cnic=request.cnic)
    party = _party_of(app, request, user=user, method=method)
    payment = _new_payment(app, request, party=party, method=method, payer=payer)
    provider.check(start_request(payment, party.customer, payer=payer))
    match provider.start_mode(payment.dialect):
        case StartMode.IDEMPOTENT:
            work = jobs.first_job(jobs.Kind.START_PAYMENT, payment.id, method=method)
            return Draft(payment=_waiting(app, payment, payer), asked_by=user.id, first_job=work)
        case StartMode.SINGLE_SHOT:
            work = jobs.first_job(jobs.Kind.PUSH_PAYMENT, payment.id, method=method)
            # A provider that pushes has refused by now what names no phone.
            quota = PushQuota(payment, phone=payer.phone or "", address=request.address, settings=app.settings)
            return Draft(payment=_waiting(app, payment, payer), asked_by=user.id, first_job=work, quota=quota)
        case StartMode.FORM_POST:
            payment.next_action = outcomes.stored_action(_drawn_form(app, payment, party.customer))
            work = poll.first_poll(app, payment, ends_in=_FORM_LIFE)
            return Draft(payment=payment, asked_by=user.id, begun_for=_FORM_LIFE, first_job=work)
        case mode:
            assert_never(mode)


def _waiting(app: Application, payment: Payment, payer: Payer) -> Payment:
    """Keep with a payment what its wallet is told when its work is done."""
    payment.encrypted_payer = app.payer_cipher.encrypt(payer)
    return payment


@dataclass(frozen=True, kw_only=True)
class _Party:
    """For whom a payment is: the customer, the shop that made it where one did, and the order it is of."""

    customer: User
    shop_id: str | None = None
    order: Order | None = None


def _party_of(app: Application, request: PaymentRequest, *, user: User, method: PaymentMethod) -> _Party:
    if request.order_id is None:
        return _named_party(app, request, user=user)
    if request.customer is not None:
        raise InvalidRequest("The order says who pays.", code="order_has_a_customer", field="customer")
    # Whether it is payable was never held by a lock: of two payments of one order the second asks a person.
    with app.database.transaction() as session:
        order = payable_order(session, request.order_id, user=user, method=method)
        customer = user if order.user_id == user.id else session.get_one(User, order.user_id)
    return _Party(customer=customer, shop_id=order.shop_id, order=order)


def _named_party(app: Application, request: PaymentRequest, *, user: User) -> _Party:
    shop_id = user.id if user.role is Role.SHOP else None
    if request.customer is None:
        return _Party(customer=user, shop_id=shop_id)
    if user.role is Role.CUSTOMER:
        raise InvalidRequest("Customers pay for themselves.", code="customer_not_yours", field="customer")
    with app.database.transaction() as session:
        customer = named_customer(session, request.customer, by=user, cipher=app.payer_cipher)
    return _Party(customer=customer, shop_id=shop_id)


def _new_payment(
    app: Application, request: PaymentRequest, *, party: _Party, method: PaymentMethod, payer: Payer
) -> Payment:
    provider = app.provider(method)
    for field_name in ("success_url", "cancel_url"):
        url = getattr(request, field_name)
        if url is not None:
            check_redirect(url, field=field_name, settings=app.settings)
    order = party.order
    usual = order.currency if order else app.settings.default_currency
    money = _price_of(order, offered=request.offered(usual_currency=usual), currency=request.currency)
    payment = Payment(
        user_id=party.customer.id,
        shop_id=party.shop_id,
        order_id=order.id if order else None,
        amount_minor=money.amount_minor,
        currency=money.currency.code,
        payment_method=method,
        dialect=provider.dialect,
        environment=app.settings.environment,
        live_mode=provider.live_mode,
        description=request.description,
        meta=request.meta,
        phone=masked(payer.phone) if payer.phone else None,
        phone_hash=app.phone_hasher.hashed(payer.phone) if payer.phone else None,
        phone_last_four=payer.phone[-4:] if payer.phone else None,
    )
    payments.begin(payment)
    # A shop's page can look the payment up by it. That somebody arrived there proves nothing.
    for field_name in ("success_url", "cancel_url"):
        url = getattr(request, field_name)
        setattr(payment, field_name, url.replace(_ITS_ID, payment.id) if url else None)
    return payment


def _price_of(order: Order | None, *, offered: Money | None, currency: str | None) -> Money:
    if order is None:
        if offered is None:
            raise InvalidRequest(
                "Say amount or amount_minor, or name an order_id.", code="amount_missing", field="amount"
            )
        return offered
    due = order.money
    if offered is not None and offered != due:
        raise InvalidRequest(
            f"Order {order.reference} is over {due}, not {offered}.", code="order_amount_differs", field="amount"
        )
    if currency is not None and currency != order.currency:
        raise InvalidRequest(f"Order {order.reference} is over {due}.", code="order_amount_differs", field="currency")
    return due


def has_begun(payment: Payment) -> bool:
    """Tell whether there is more to say of a payment than that it was taken."""
    return payment.next_action is not None or payment.status is not PaymentStatus.PENDING


def payment_form(app: Application, payment: Payment, user: User) -> PostForm:
    """Draw the form with which the browser of the payment's user begins it.

    Raises Conflict where it has ended or begins in another way.
    """
    if payment.status not in OPEN:
        raise Conflict(
            f"Payment {payment.id} is {payment.status}; only an open payment has a form.",
            code="payment_ended",
            subject=payment.id,
        )
    return _drawn_form(app, payment, user)


def _drawn_form(app: Application, payment: Payment, user: User) -> PostForm:
    provider = app.provider_of(payment)
    if not isinstance(provider, PostingForms) or provider.start_mode(payment.dialect) is not StartMode.FORM_POST:
        raise Conflict(f"Payment {payment.id} begins without a form.", code="payment_has_no_form", subject=payment.id)
    return provider.form(start_request(payment, user))
