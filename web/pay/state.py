"""What the customer is looking at: one page state for every way a payment can stand."""

from enum import StrEnum
from typing import Any, assert_never

from payproc.database.models import Payment
from payproc.domain.states import OPEN, PaymentStatus
from payproc.outgoing.decline_reasons import DeclineReason, reason_of
from payproc.providers.answers import PostForm
from payproc.providers.requests import StartMode


class PageState(StrEnum):
    """What the page has to say."""

    # The browser has to post a form; the script moves between the first four by itself.
    FORM = "form"
    LEAVING = "leaving"  # the form is on its way
    AGAIN = "again"  # back here without having paid, as far as we know
    RETURNED = "returned"  # back from the wallet, and its word is still to come
    STUCK = "stuck"  # there should be a form, and none can be drawn
    PUSH = "push"  # the phone rings
    WAITING = "waiting"  # it has rung, and nobody has said yes or no
    COUNTER = "counter"  # a token to pay at a shop
    REDIRECT = "redirect"  # the provider's own page
    PREPARING = "preparing"
    PROCESSING = "processing"
    SET_ASIDE = "set_aside"  # its order has ended, or is being paid in another way
    MISMATCH = "mismatch"  # it was paid, but not what was asked for: a person looks at it
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    # These are about no payment that we could show.
    FORWARD = "forward"  # between two pages of a wallet
    BACK = "back"  # from a wallet, in a browser that we never showed a payment
    UNKNOWN_LINK = "unknown_link"
    OUT_OF_REACH = "out_of_reach"


class Follow(StrEnum):
    """How closely the page keeps asking how the payment stands."""

    CLOSELY = "closely"
    LOOSELY = "loosely"  # it has failed, and may be paid after all
    NOT = "not"


# A wait in which nobody but the provider has the next word, and it is asked for it by our clock.
ASKED_ABOUT = frozenset({PageState.RETURNED, PageState.WAITING, PageState.COUNTER, PageState.PROCESSING})

_FOLLOWED_LOOSELY = frozenset({PageState.FAILED, PageState.CANCELLED, PageState.EXPIRED})
_NOT_FOLLOWED = frozenset(
    {
        PageState.COMPLETED,
        PageState.REFUNDED,
        PageState.FORWARD,
        PageState.BACK,
        PageState.UNKNOWN_LINK,
        PageState.OUT_OF_REACH,
    }
)


def follow(state: PageState) -> Follow:
    """Return how closely a page in this state is followed."""
    if state in _NOT_FOLLOWED:
        return Follow.NOT
    return Follow.LOOSELY if state in _FOLLOWED_LOOSELY else Follow.CLOSELY


def state_of(
    payment: Payment,
    *,
    mode: StartMode | None,
    form: PostForm | None,
    came_back: bool,
    rings: bool,
    mismatch: bool,
    set_aside: bool,
) -> PageState:
    """Choose the page state of a payment.

    `mode` is how it begins, None where nobody can say; `form` is what the browser has to post. `came_back`: the
    browser has been at the wallet. `rings`: a wallet charge as young as this may still be ringing. `mismatch`: a person
    was told that it was paid otherwise than asked for. `set_aside`: it should be paid no more.
    """
    if mismatch and payment.status in OPEN:
        return PageState.MISMATCH
    if set_aside:
        return PageState.SET_ASIDE
    match payment.status:
        case PaymentStatus.PROCESSING | PaymentStatus.COMPLETED | PaymentStatus.REFUNDED | PaymentStatus.FAILED:
            return PageState(payment.status.value)
        case PaymentStatus.CANCELLED:
            return PageState.EXPIRED if reason_of(payment) is DeclineReason.EXPIRED else PageState.CANCELLED
        case PaymentStatus.PENDING:
            return _begun(payment.next_action, mode=mode, form=form, came_back=came_back, rings=rings)
        case _:
            assert_never(payment.status)


def _begun(
    action: dict[str, Any] | None, *, mode: StartMode | None, form: PostForm | None, came_back: bool, rings: bool
) -> PageState:
    ringing = PageState.PUSH if rings else PageState.WAITING
    match action:
        case {"type": "post_form"}:
            if form is None:
                return PageState.STUCK
            return PageState.RETURNED if came_back else PageState.FORM
        case {"type": "await_customer", "token": str()}:
            return PageState.COUNTER
        case {"type": "await_customer"}:
            return ringing
        case {"type": "redirect"}:
            return PageState.REDIRECT
        case _:
            # The call that charges a wallet is answered when the customer has typed the MPIN: it rings meanwhile.
            return ringing if mode is StartMode.SINGLE_SHOT else PageState.PREPARING
