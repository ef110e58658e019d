"""An order's page: its customer chooses how to pay, and is told what became of it.

Whoever has the link sees the page: so it names no customer, and shows no number or address in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import assert_never

import segno
from flask import Response, request
from markupsafe import Markup
from sqlalchemy.orm import Session

from payproc.database.models import Order, OrderStatus, Payment, ReviewKind, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.phrases import Value, code, words
from payproc.domain.requests.customer import masked_email
from payproc.domain.states import PaymentStatus
from payproc.errors import NotFound
from payproc.flows.orders import methods_of
from payproc.flows.orders.attempts import Attempt, WayOut, ended_at, newest_of, open_attempts
from payproc.flows.provider_requests import end_of
from payproc.providers.requests import PayerDetail, StartMode
from payproc.records import orders
from payproc.records.reviews import is_open
from web.auth import application
from web.pay import drawing, formatting, links
from web.pay.order_state import BEGUN, CHOICES, OrderPageState, follow
from web.request.log import about
from web.schemas.pay import OrderStandingAnswer

_SECONDS_A_MINUTE = 60


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A choice that was not taken: why, at which field where it is one, and the phone that was typed."""

    method: str
    code: str
    at: str | None = None
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A way to pay that is offered, and what has to be typed for it."""

    method: PaymentMethod
    start_mode: StartMode
    asks_phone: bool
    asks_cnic: bool
    is_live: bool


@dataclass(frozen=True, kw_only=True)
class _Behind:
    """What an order's page is drawn from."""

    order: Order
    customer: User
    payments: list[Payment]
    attempts: list[Attempt]
    ways: list[_Way]
    state: OrderPageState


def show(token: str, *, refused: Refused | None = None) -> Response:
    """Draw the page of the order that a link names, with what was wrong with a choice made there.

    Raises NotFound.
    """
    with application().database.transaction() as session:
        order = order_of(session, token)
        if _is_opened_by_a_person():
            orders.note_opened(session, order)
        behind = _behind(session, order)
    return drawing.draw(
        "order.html",
        form=None,
        posts_here=behind.state in CHOICES | BEGUN,
        token=token,
        refused=refused if behind.state in CHOICES else None,
        **_context(behind),
    )


def standing(token: str) -> OrderStandingAnswer:
    """Return how the order that a link names stands.

    Raises NotFound.
    """
    with application().database.transaction() as session:
        behind = _behind(session, order_of(session, token))
    return OrderStandingAnswer(
        status=behind.order.status, payment_status=_newest_status(behind.payments), state=behind.state
    )


def order_of(session: Session, token: str) -> Order:
    """Return the order that a link names.

    Raises NotFound for a link that is not ours, or is over.
    """
    order_id = links.order_id_of(token)
    about(order_id)
    order = session.get(Order, order_id)
    if order is None or _link_is_over(session, order):
        raise NotFound("There is no such payment page.", code="pay_link_invalid")
    return order


def _link_is_over(session: Session, order: Order) -> bool:
    ended = ended_at(session, order)
    return ended is not None and datetime.now(UTC) - ended > timedelta(days=application().settings.pay_link_days)


def _is_opened_by_a_person() -> bool:
    # What makes a preview of a link, or fetches a page ahead, opens nothing as a document. Older browsers say nothing
    # of it either: then the order counts as opened when a payment is begun.
    ahead = "Sec-Purpose" in request.headers or "Purpose" in request.headers
    return request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "document" and not ahead


def _behind(session: Session, order: Order) -> _Behind:
    core = application()
    attempts = open_attempts(core, session, order)
    ways = [_way(method) for method in methods_of(core, order)]
    state = _state_of(
        order,
        attempts,
        now=datetime.now(UTC),
        paid_twice=is_open(session, ReviewKind.PAID_TWICE, order.id),
        came_back="returned" in request.args,
        has_methods=bool(ways),
    )
    return _Behind(
        order=order,
        customer=session.get_one(User, order.user_id),
        payments=orders.payments_of(session, order),
        attempts=attempts,
        ways=ways,
        state=state,
    )


def _state_of(
    order: Order,
    attempts: list[Attempt],
    *,
    now: datetime,
    paid_twice: bool,
    came_back: bool,
    has_methods: bool,
) -> OrderPageState:
    """Choose the page state of an order; `attempts` are those that may still be paid, the newest first."""
    if paid_twice:
        return OrderPageState.PAID_TWICE
    match order.status:
        case OrderStatus.PAID | OrderStatus.REFUNDED | OrderStatus.EXPIRED | OrderStatus.CLOSED:
            return OrderPageState(order.status.value)
        case OrderStatus.OPEN | OrderStatus.PROCESSING:
            if not attempts and order.expires_at is not None and order.expires_at <= now:
                # Its job is a moment late; no payment of it may begin any more.
                return OrderPageState.EXPIRED
            return _unpaid(attempts, came_back=came_back, has_methods=has_methods)
        case _:
            assert_never(order.status)


def _unpaid(attempts: list[Attempt], *, came_back: bool, has_methods: bool) -> OrderPageState:
    in_the_way = _blocking(attempts)
    if in_the_way is not None:
        return _begun(in_the_way.way_out, came_back=came_back)
    if not has_methods:
        return OrderPageState.NO_METHOD
    return OrderPageState.CHOOSE_ANOTHER if attempts else OrderPageState.CHOOSE


def _blocking(attempts: list[Attempt]) -> Attempt | None:
    """Return the payment because of which no other one may begin."""
    return next((attempt for attempt in attempts if attempt.way_out is not WayOut.LET_GO), None)


def _begun(way_out: WayOut, *, came_back: bool) -> OrderPageState:
    match way_out:
        case WayOut.PERSON:
            return OrderPageState.MISMATCH
        case WayOut.CALLING_OFF:
            return OrderPageState.CALLING_OFF
        case WayOut.CALL_OFF:
            return OrderPageState.RETURNED if came_back else OrderPageState.OPEN
        case WayOut.ASK:
            return OrderPageState.LEFT
        case WayOut.ASKING:
            return OrderPageState.ASKING
        case WayOut.WAIT:
            return OrderPageState.RETURNED if came_back else OrderPageState.WAIT
        case WayOut.LET_GO:
            raise AssertionError("what was let go stands in nobody's way")
        case _:
            assert_never(way_out)


def _way(method: PaymentMethod) -> _Way:
    provider = application().provider(method)
    asked = provider.asks_payer(provider.dialect)
    return _Way(
        method=method,
        start_mode=provider.start_mode(provider.dialect),
        asks_phone=PayerDetail.PHONE in asked,
        asks_cnic=PayerDetail.CNIC in asked,
        is_live=provider.live_mode,
    )


def _newest_status(payments: Sequence[Payment]) -> PaymentStatus | None:
    return payments[-1].status if payments else None


def _context(behind: _Behind) -> dict[str, object]:
    order, customer = behind.order, behind.customer
    return {
        "order": order,
        "state": behind.state,
        "is_choice": behind.state in CHOICES,
        "follow": follow(behind.state),
        "standing": f"{order.status} {_newest_status(behind.payments) or ''} {behind.state}",
        "amount": formatting.amount(order.money),
        "reference": code(order.reference) if order.reference.isascii() else words(order.reference),
        "items": _items(order),
        "ways": behind.ways,
        "is_test": not all(way.is_live for way in behind.ways),
        "after": newest_of(behind.payments),
        "known_phone": code(customer.phone) if customer.phone and customer.encrypted_phone else None,
        "own_url": links.url_of(order.id),
        "qr": _qr_of(links.url_of(order.id)) if behind.state in CHOICES else None,
        **_attempt_context(behind),
        **_end_context(behind),
    }


def _items(order: Order) -> list[tuple[str, int, Value | None]]:
    """Return of each item its name, how many there are, and what they cost together where that is known."""
    return [(item["name"], item["quantity"], _cost(item, order.currency)) for item in order.items]


def _cost(item: dict[str, object], currency: str) -> Value | None:
    each, quantity = item["amount_minor"], item["quantity"]
    if not isinstance(each, int) or not isinstance(quantity, int):
        return None
    return formatting.amount(Money.of(each * quantity, currency))


def _attempt_context(behind: _Behind) -> dict[str, object]:
    """Say of the payment that is in another one's way what it is, where it goes on and when there will be news."""
    attempt = _blocking(behind.attempts) or next(iter(behind.attempts), None)
    if attempt is None:
        return {"wallet": None, "attempt_path": None, "ends_by": None, "answer_in": None}
    ends_by = end_of(attempt.payment)
    waits = behind.state in (OrderPageState.WAIT, OrderPageState.LEFT) and ends_by > datetime.now(UTC)
    return {
        "wallet": drawing.vocabulary_asked_for().wallet(attempt.payment.payment_method),
        "attempt_path": links.path_of(attempt.payment.id),
        "ends_by": ends_by if waits else None,
        "answer_in": _minutes_until(attempt.asked_at),
    }


def _minutes_until(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return max(int((moment - datetime.now(UTC)).total_seconds()), 0) // _SECONDS_A_MINUTE + 1


def _end_context(behind: _Behind) -> dict[str, object]:
    paid = next((each for each in reversed(behind.payments) if each.status is PaymentStatus.COMPLETED), None)
    shops = paid is not None and paid.success_url is not None and not links.is_ours(paid.success_url)
    address = behind.customer.address
    return {
        "receipt": code(paid.provider_receipt) if paid is not None and paid.provider_receipt else None,
        "receipt_to": code(masked_email(address)) if address else None,
        "success_url": drawing.web_address(paid.success_url) if paid is not None and shops else None,
        "cancel_url": drawing.web_address(behind.order.cancel_url),
    }


@lru_cache(maxsize=256)
def _qr_of(url: str) -> Markup:
    drawn = segno.make(url, error="m", micro=False)
    # The quiet zone is the stylesheet's; the drawing has no size of its own and no inline style.
    return Markup(drawn.svg_inline(omitsize=True, border=0, svgclass="qr", lineclass=None))  # noqa: S704 (drawn from our own address)
