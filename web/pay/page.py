"""A payment's page: shows it, leads the customer to the wallet, and follows what becomes of it.

Whoever has the link sees the page, so it tells no more than the amount, what for, and how it stands, and it ends some
days after the payment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Response, request
from sqlalchemy.orm import Session

from payproc.database.models import Order, Payment, ReviewKind, User
from payproc.domain.phrases import code
from payproc.domain.requests.customer import masked_email
from payproc.domain.states import TERMINAL, PaymentStatus
from payproc.errors import Conflict, NotFound, ProviderError
from payproc.flows import checkout
from payproc.flows.orders.attempts import is_set_aside
from payproc.jobs import Kind
from payproc.operations.next_steps import next_steps
from payproc.outgoing.decline_reasons import nothing_was_charged, reason_of
from payproc.providers.answers import PostForm
from payproc.providers.base import Cancelling
from payproc.providers.requests import StartMode
from payproc.records import payments
from payproc.records.orders import PAYABLE
from payproc.records.reviews import has_open_mismatch, is_open
from web.auth import application
from web.pay import browsers, drawing, formatting, links
from web.pay.state import ASKED_ABOUT, PageState, follow, state_of
from web.request.log import about
from web.schemas.pay import PayStatusAnswer

_ASKING_SECONDS = 10


def show(token: str) -> Response:
    """Draw the page of the payment that a link names.

    Raises NotFound.
    """
    with application().database.transaction() as session:
        payment = payment_of(session, token)
        behind = _behind(session, payment)
    called_off = _can_be_called_off(payment, behind)
    answer = drawing.draw(
        "pay.html",
        form=behind.form,
        posts_here=called_off,
        token=token,
        can_be_called_off=called_off,
        **_context(payment, behind),
    )
    browsers.remember(answer, payment, token)
    return answer


def standing(token: str) -> PayStatusAnswer:
    """Return how the payment that a link names stands.

    Raises NotFound.
    """
    with application().database.transaction() as session:
        payment = payment_of(session, token)
        return PayStatusAnswer.of_row(
            payment, mismatch=has_open_mismatch(session, payment.id), set_aside=is_set_aside(session, payment)
        )


def payment_of(session: Session, token: str) -> Payment:
    """Return the payment that a link names.

    Raises NotFound for a link that is not ours, or is over.
    """
    payment_id = links.payment_id_of(token)
    about(payment_id)
    payment = session.get(Payment, payment_id)
    if payment is None or _link_is_over(session, payment):
        raise NotFound("There is no such payment page.", code="pay_link_invalid")
    return payment


def _link_is_over(session: Session, payment: Payment) -> bool:
    if payment.status not in TERMINAL:
        return False
    life = timedelta(days=application().settings.pay_link_days)
    return datetime.now(UTC) - payments.ended_at(session, payment) > life


def form_of(payment: Payment, user: User) -> PostForm | None:
    """Draw the form that the customer's browser has to post; None where there is none, or it can be drawn no more."""
    if payment.next_action is None or payment.next_action["type"] != "post_form":
        return None
    try:
        return checkout.payment_form(application(), payment, user)
    except (Conflict, ProviderError):
        # It ended meanwhile, or the account it was made with is gone: an operator hears of that from the polls.
        return None


def _start_mode(payment: Payment) -> StartMode | None:
    provider = application().providers.get(payment.payment_method)
    if provider is None:
        return None
    try:
        return provider.start_mode(payment.dialect)
    except ProviderError:
        return None


def _ringing_seconds(payment: Payment) -> int:
    """Return how long the wallet's call goes on waiting for an MPIN."""
    age = datetime.now(UTC) - payment.created_at
    return int((application().settings.push_timeout - age).total_seconds())


@dataclass(frozen=True, kw_only=True)
class _Behind:
    """What stands behind a payment: its form, the question whether it was paid otherwise, and what is due when."""

    form: PostForm | None
    mismatch: bool
    steps: Mapping[str, datetime]
    order: Order | None
    set_aside: bool
    paid_twice: bool
    receipt_to: str | None


def _behind(session: Session, payment: Payment) -> _Behind:
    set_aside = is_set_aside(session, payment)
    return _Behind(
        # What should not be paid any more must not post itself from a window that was left open.
        form=None if set_aside else form_of(payment, session.get_one(User, payment.user_id)),
        mismatch=has_open_mismatch(session, payment.id),
        steps=next_steps(session, payment.id),
        order=session.get(Order, payment.order_id) if payment.order_id else None,
        set_aside=set_aside,
        paid_twice=payment.order_id is not None and is_open(session, ReviewKind.PAID_TWICE, payment.order_id),
        receipt_to=session.get_one(User, payment.user_id).address if payment.order_id else None,
    )


def _seconds_until_asked(behind: _Behind) -> int | None:
    due_at = behind.steps.get(Kind.INQUIRE_PAYMENT)
    return None if due_at is None else max(int((due_at - datetime.now(UTC)).total_seconds()), 0)


def _changes_in(state: PageState, *, rings: int, asked: int | None) -> int | None:
    """Return after how many seconds the page says something else, though the payment stands as it did."""
    if state is PageState.PUSH:
        return rings
    # A little later than the question, so that the next one is staged.
    return asked + _ASKING_SECONDS if asked is not None and state in ASKED_ABOUT else None


def _can_be_called_off(payment: Payment, behind: _Behind) -> bool:
    if payment.status is not PaymentStatus.PENDING or behind.mismatch:
        return False
    return isinstance(application().providers.get(payment.payment_method), Cancelling)


def _context(payment: Payment, behind: _Behind) -> dict[str, object]:
    rings, asked = _ringing_seconds(payment), _seconds_until_asked(behind)
    state = state_of(
        payment,
        mode=_start_mode(payment),
        form=behind.form,
        came_back="returned" in request.args,
        rings=rings > 0,
        mismatch=behind.mismatch,
        set_aside=behind.set_aside,
    )
    action = payment.next_action or {}
    return {
        "mismatch": behind.mismatch,
        "being_called_off": Kind.CANCEL_PAYMENT in behind.steps,
        "asked_in": asked // 60 + 1 if asked is not None and state in ASKED_ABOUT else None,
        "payment": payment,
        "state": state,
        "follow": follow(state),
        "wallet": drawing.vocabulary_asked_for().wallet(payment.payment_method),
        "amount": formatting.amount(payment.money),
        "reason": reason_of(payment),
        "nothing_was_charged": nothing_was_charged(payment),
        "action": action,
        "changes_in": _changes_in(state, rings=rings, asked=asked),
        "success_url": _shops(payment.success_url),
        "cancel_url": _shops(payment.cancel_url),
        "provider_url": drawing.web_address(action.get("url")),
        **_order_context(behind),
    }


def _order_context(behind: _Behind) -> dict[str, object]:
    order = behind.order
    return {
        "order_path": links.path_of(order.id) if order else None,
        "order_is_payable": order is not None and order.status in PAYABLE,
        "paid_twice": behind.paid_twice,
        "receipt_to": code(masked_email(behind.receipt_to)) if behind.receipt_to else None,
    }


def _shops(url: str | None) -> str | None:
    """Return where the shop wants its customer; None where that is an order's own page, which is linked as such."""
    found = drawing.web_address(url)
    return None if found is not None and links.is_ours(found) else found
