"""What somebody with an order's link is looking at: one page state for every way an order can stand."""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

from payproc.database.models import Order, OrderStatus
from payproc.flows.orders.attempts import Attempt, WayOut
from web.pay.state import Follow


class OrderPageState(StrEnum):
    """What the page has to say."""

    CHOOSE = "choose"
    CHOOSE_ANOTHER = "choose_another"  # the wallet says that nothing was paid on the page that was left
    NO_METHOD = "no_method"  # none of those that may pay it is set up
    OPEN = "open"  # a payment has begun that can be called off
    CALLING_OFF = "calling_off"
    LEFT = "left"  # a payment has begun on a wallet's page that we cannot close
    ASKING = "asking"  # its wallet is being asked whether it was paid
    WAIT = "wait"  # a payment has begun that nobody can take back
    RETURNED = "returned"  # back from having paid, and the provider's word is still to come
    MISMATCH = "mismatch"
    PAID = "paid"
    PAID_TWICE = "paid_twice"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    CLOSED = "closed"


CHOICES = frozenset({OrderPageState.CHOOSE, OrderPageState.CHOOSE_ANOTHER})
# With a payment in them that may still be paid.
BEGUN = frozenset(
    {
        OrderPageState.OPEN,
        OrderPageState.CALLING_OFF,
        OrderPageState.LEFT,
        OrderPageState.ASKING,
        OrderPageState.WAIT,
        OrderPageState.RETURNED,
        OrderPageState.MISMATCH,
    }
)


def follow(state: OrderPageState) -> Follow:
    """Return how closely a page in this state is followed."""
    if state in BEGUN:
        return Follow.CLOSELY
    # Paid in another window, or late: nobody who looks at it should pay again.
    return Follow.LOOSELY if state not in (OrderPageState.PAID_TWICE, OrderPageState.REFUNDED) else Follow.NOT


def state_of(
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
    in_the_way = blocking(attempts)
    if in_the_way is not None:
        return _begun(in_the_way.way_out, came_back=came_back)
    if not has_methods:
        return OrderPageState.NO_METHOD
    return OrderPageState.CHOOSE_ANOTHER if attempts else OrderPageState.CHOOSE


def blocking(attempts: list[Attempt]) -> Attempt | None:
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
