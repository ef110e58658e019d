"""What somebody with an order's link is looking at: one page state for every way an order can stand."""

from enum import StrEnum

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
