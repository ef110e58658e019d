"""The kinds of work, and how each is sent for and run."""

from dataclasses import dataclass
from enum import StrEnum

from payproc.domain.payment_methods import PaymentMethod


class Queue(StrEnum):
    """Queues of no provider. Each provider has its own: a sick one holds up neither another nor the notices."""

    NOTICES = "notices"
    MAIL = "mail"
    CLOCK = "clock"
    RECONCILE = "reconcile"


def provider_queue(method: PaymentMethod) -> str:
    """Name the queue of a provider's calls."""
    return f"provider.{method}"


class Kind(StrEnum):
    """The closed list of work."""

    START_PAYMENT = "payment.start"
    PUSH_PAYMENT = "payment.push"  # a start that waits for the customer, and must not go out twice
    INQUIRE_PAYMENT = "payment.inquire"
    CANCEL_PAYMENT = "payment.cancel"
    SEND_REFUND = "refund.send"
    INQUIRE_REFUND = "refund.inquire"
    APPLY_NOTICE = "notice.apply"
    SEND_MAIL = "mail.send"
    PRUNE = "clock.prune"
    CHECK_INVARIANTS = "clock.check_invariants"
    DIGEST = "clock.digest"
    RECONCILE_EVENTS = "reconcile.events"
    RECONCILE_OBJECTS = "reconcile.objects"
    RECONCILE_ALL_OBJECTS = "reconcile.all_objects"
    RECONCILE_MONEY = "reconcile.money"
    RECONCILE_WALLETS = "reconcile.wallets"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How a kind of work is rung for and run.

    `queue`: None where the payment's provider decides. `batch`: ids in a message. `side_by_side`: how many of a message
    run at once. `waits`: a customer may be waited for, so that it may take PUSH_TIMEOUT longer than other work.
    """

    queue: Queue | None
    batch: int = 1
    side_by_side: int = 1
    waits: bool = False


POLICIES: dict[Kind, Policy] = {
    Kind.START_PAYMENT: Policy(queue=None),
    # A gateway may hold a wallet's push until the customer has typed the MPIN.
    Kind.PUSH_PAYMENT: Policy(queue=None, waits=True),
    # Nearly all of an inquiry is waiting for the gateway: twenty wait together, for one message's cost.
    Kind.INQUIRE_PAYMENT: Policy(queue=None, batch=20, side_by_side=20),
    Kind.SEND_REFUND: Policy(queue=None),
    Kind.INQUIRE_REFUND: Policy(queue=None),
    Kind.CANCEL_PAYMENT: Policy(queue=None),
    # A notice is a few rows and no call: fifty share one message's cost.
    Kind.APPLY_NOTICE: Policy(queue=Queue.NOTICES, batch=50),
    Kind.SEND_MAIL: Policy(queue=Queue.MAIL),
    Kind.PRUNE: Policy(queue=Queue.CLOCK),
    Kind.CHECK_INVARIANTS: Policy(queue=Queue.CLOCK),
    Kind.DIGEST: Policy(queue=Queue.CLOCK),
    Kind.RECONCILE_EVENTS: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_OBJECTS: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_ALL_OBJECTS: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_MONEY: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_WALLETS: Policy(queue=Queue.RECONCILE),
}
