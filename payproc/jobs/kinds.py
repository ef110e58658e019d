"""The kinds of work: one row of one table each, from which Celery's tasks, beat's schedule and the rest are made."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Self

from payproc.domain.payment_methods import PaymentMethod


class Queue(StrEnum):
    """Queues of no provider. Each provider has its own: a sick one holds up neither another nor the notices.

    And each has one for its pushes, which wait for their customers: behind those nothing short would be done.
    """

    NOTICES = "notices"
    MAIL = "mail"
    WEBHOOKS = "webhooks"
    CLOCK = "clock"
    INVARIANTS = "invariants"
    RECONCILE = "reconcile"


def provider_queue(method: PaymentMethod) -> str:
    """Name the queue of a provider's calls."""
    return f"provider.{method}"


def push_queue(method: PaymentMethod) -> str:
    """Name the queue of a provider's wallet charges."""
    return f"push.{method}"


class Turn(StrEnum):
    """Which work goes first where there is more of it than hands."""

    FIRST = "first"
    LATER = "later"  # nobody waits for it; a share is kept for it all the same


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds after which a task is interrupted, and after which its process is killed."""

    soft: int
    hard: int


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Work that the clock starts, once in each `period`.

    Beat ticks more often than the periods are long: a tick is keyed by its period, so repeats do nothing, and a beat
    that was down catches up at once.
    """

    period: timedelta
    tick: timedelta


# Longer than the two calls a start may need (46 s at worst). No lease follows from it: what runs renews its own.
USUAL_LIMITS = Limits(soft=50, hard=60)
# A gateway may hold a wallet charge until the customer has typed the MPIN: PUSH_TIMEOUT, 105 s at most, and a
# connection before it.
_WAITING_LIMITS = Limits(soft=125, hard=135)

_FIVE_MINUTES = Clock(period=timedelta(minutes=5), tick=timedelta(minutes=1))
_QUARTER_HOURLY = Clock(period=timedelta(minutes=15), tick=timedelta(minutes=1))
_HOURLY = Clock(period=timedelta(hours=1), tick=timedelta(minutes=5))
_DAILY = Clock(period=timedelta(days=1), tick=timedelta(minutes=15))


@dataclass(frozen=True)
class Policy:
    """How a kind of work is named, sent for and run."""

    name: str  # in the database, in messages and on the command line
    purpose: str
    _: KW_ONLY
    handler: str  # takes the application and the job; named and not imported, for it stands above the jobs
    # Takes the application and all jobs of a message, where they can share what they cost; returns by their ids those
    # that are not done, and why. What it raises has changed nothing: then they go to `handler`, one by one.
    batch_handler: str | None = None
    queue: Queue | Callable[[PaymentMethod], str] = provider_queue  # or one of the payment's provider
    turn: Turn = Turn.FIRST
    batch: int = 1  # ids in a message
    side_by_side: int = 1  # how many of a message run at once
    limits: Limits = USUAL_LIMITS
    patience: timedelta | None = None  # trouble that passes is waited out this long; then a person should know
    clock: Clock | None = None


class Kind(StrEnum):
    """The closed list of work."""

    START_PAYMENT = Policy(
        "payment.start",
        "Carry a new payment to its provider",
        handler="payproc.flows.start:start_payment",
        patience=timedelta(hours=24),  # by then the customer is gone
        # As with inquiries. Not as many: each keeps a thread busy for a few transactions, and a customer waits for it.
        batch=8,
        side_by_side=8,
    )
    PUSH_PAYMENT = Policy(
        "payment.push",
        "Start a payment whose customer is waited for; it must not go out twice",
        handler="payproc.flows.start:start_payment",
        queue=push_queue,
        limits=_WAITING_LIMITS,
    )
    INQUIRE_PAYMENT = Policy(
        "payment.inquire",
        "Ask the provider how an open payment stands",
        handler="payproc.flows.poll:inquire_payment",
        turn=Turn.LATER,
        # Nearly all of an inquiry is waiting for the gateway: twenty wait together, for one message's cost.
        batch=20,
        side_by_side=20,
    )
    CANCEL_PAYMENT = Policy(
        "payment.cancel",
        "Call an open payment off",
        handler="payproc.flows.cancel:cancel_payment",
    )
    SEND_REFUND = Policy(
        "refund.send",
        "Send a refund to its provider, once",
        handler="payproc.flows.send_refund:send_refund",
    )
    INQUIRE_REFUND = Policy(
        "refund.inquire",
        "Ask the provider how a refund in doubt stands",
        handler="payproc.flows.send_refund:inquire_refund",
        turn=Turn.LATER,
    )
    APPLY_NOTICE = Policy(
        "notice.apply",
        "Apply a stored notice to its payment",
        handler="payproc.flows.inbox.apply:apply_notice",
        batch_handler="payproc.flows.inbox.apply:apply_notices",
        queue=Queue.NOTICES,
        batch=50,  # a notice is a few rows and no call: fifty share one transaction
    )
    SEND_MAIL = Policy(
        "mail.send",
        "Hand mail to the mail server",
        handler="payproc.flows.outgoing.send_mail:send_mail",
        batch_handler="payproc.flows.outgoing.send_mail:send_mails",
        queue=Queue.MAIL,
        batch=50,  # they share a claim and one connection to the mail server; that of a slow one ends sooner
        patience=timedelta(days=3),  # with one mail; what holds all of them up is waited out
    )
    DELIVER_WEBHOOK = Policy(
        "webhook.deliver",
        "Deliver an event to an endpoint of a shop's",
        handler="payproc.flows.outgoing.deliver_webhooks:deliver_webhook",
        batch_handler="payproc.flows.outgoing.deliver_webhooks:deliver_webhooks",
        queue=Queue.WEBHOOKS,
        batch=50,  # they share what is read and written, and the connections to their endpoints
    )
    EXPIRE_ORDER = Policy(
        "order.expire",
        "End an order whose time is over",
        handler="payproc.flows.orders:expire_order",
        queue=Queue.NOTICES,  # a few rows and no call, as a notice is
        turn=Turn.LATER,
    )
    SETTLE_ORDER = Policy(
        "order.settle",
        "Call off what else is open of an order that is paid or has ended",
        handler="payproc.flows.orders:settle_order",
        queue=Queue.NOTICES,
    )
    PRUNE = Policy(
        "clock.prune",
        "Forget what nobody will ask for again",
        handler="payproc.operations.pruning:prune",
        queue=Queue.CLOCK,
        clock=_HOURLY,
    )
    CHECK_INVARIANTS = Policy(
        "clock.check_invariants",
        "Check that the promises hold",
        handler="payproc.operations.clock:check_invariants",
        queue=Queue.INVARIANTS,
        clock=_QUARTER_HOURLY,
    )
    DIGEST = Policy(
        "clock.digest",
        "Tell the operators what waits for them",
        handler="payproc.operations.clock:digest",
        queue=Queue.CLOCK,
        clock=_HOURLY,
    )
    RECONCILE_EVENTS = Policy(
        "reconcile.events",
        "Fetch notices that never arrived",
        handler="payproc.reconcile.schedule:run_period",
        queue=Queue.RECONCILE,
        clock=_FIVE_MINUTES,
    )
    RECONCILE_OBJECTS = Policy(
        "reconcile.objects",
        "Compare the last day's payments, refunds and disputes",
        handler="payproc.reconcile.schedule:run_period",
        queue=Queue.RECONCILE,
        clock=_HOURLY,
    )
    RECONCILE_ALL_OBJECTS = Policy(
        "reconcile.all_objects",
        "Compare those of the last weeks: a refund may fail for a month",
        handler="payproc.reconcile.schedule:run_period",
        queue=Queue.RECONCILE,
        clock=_DAILY,
    )
    RECONCILE_MONEY = Policy(
        "reconcile.money",
        "Bring the lines of the balance into the ledger, and add up payouts",
        handler="payproc.reconcile.schedule:run_period",
        queue=Queue.RECONCILE,
        clock=_DAILY,
    )
    RECONCILE_WALLETS = Policy(
        "reconcile.wallets",
        "Ask the wallets, which list nothing, about late payments and a sample of the ended ones",
        handler="payproc.reconcile.schedule:run_period",
        queue=Queue.RECONCILE,
        clock=_HOURLY,
    )

    policy: Policy

    def __new__(cls, policy: Policy | str) -> Self:
        """Make a member that is its policy's name; `str` is for mypy, which reads Kind("payment.start") as this."""
        assert isinstance(policy, Policy)
        kind = str.__new__(cls, policy.name)
        kind._value_ = policy.name
        kind.policy = policy
        return kind
