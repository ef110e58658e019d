"""Refunds and disputes: whatever order Stripe's events come in, and however often, one state, one ledger, one mail."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from payproc.database.models import Dispute, Email, Journal, LedgerEntry, Payment, Refund
from payproc.domain.money import Money
from payproc.domain.states import PaymentStatus
from tests.support.after_payment import STAYS_PENDING
from tests.support.world import World

HUNDRED = 10000


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happens at Stripe, and how it must end here. Amounts are cents, by account."""

    happens: Callable[["Stripe"], None]
    ends: PaymentStatus
    ledger: dict[str, int]
    refunds: tuple[str, ...] = ()
    disputes: tuple[str, ...] = ()
    mails: dict[str, int] = field(default_factory=dict)
    amount: int = HUNDRED


@dataclass(frozen=True, kw_only=True)
class Stripe:
    """One payment as Stripe has it: nothing of what is done to it is told to us by itself."""

    world: World
    payment: Payment

    def session(self) -> dict[str, Any]:
        return dict(self.world.stripe().v1.checkout.sessions.retrieve(self.payment.stripe_session_id or "").to_dict())

    def pays(self) -> None:
        self.world.act(self.payment, "pay")

    def refunds(self, amount: int | None = None) -> str:
        words: Any = {"payment_intent": self.session()["payment_intent"]} | ({"amount": amount} if amount else {})
        return self.world.stripe().v1.refunds.create(words).id

    def ends_refund(self, refund: str, action: str) -> None:
        self.world.at_stripe(f"refunds/{refund}/{action}")

    def disputes(self, *actions: str, **words: Any) -> None:
        found = self.world.at_stripe(f"payment_intents/{self.session()['payment_intent']}/dispute", **words)
        for action in actions:
            self.world.at_stripe(f"disputes/{found['id']}/{action}")

    def tells(self) -> list[dict[str, Any]]:
        """Everything that there is to tell of this payment."""
        listed = requests.get(f"{self.world.gateway.base_url}/_sandbox/events", timeout=5).json()
        intent = self.session()["payment_intent"]
        return [event for event in listed if self.payment.id in str(event) or intent in str(event)]


def gives_part_back(stripe: Stripe) -> None:
    stripe.pays()
    for part in (3333, 3334):
        stripe.refunds(part)


def gives_all_back(stripe: Stripe) -> None:
    gives_part_back(stripe)
    stripe.refunds()


def fails_late(stripe: Stripe) -> None:
    stripe.pays()
    stripe.ends_refund(stripe.refunds(), "fail")


def goes_a_long_way(stripe: Stripe) -> None:
    stripe.pays()
    refund = stripe.refunds()
    stripe.ends_refund(refund, "succeed")
    stripe.ends_refund(refund, "fail")


def is_won(stripe: Stripe) -> None:
    stripe.pays()
    stripe.disputes("submit", "win")


def is_lost(stripe: Stripe) -> None:
    stripe.pays()
    stripe.disputes("lose", amount=6000)


def escalates(stripe: Stripe) -> None:
    stripe.pays()
    stripe.disputes("escalate", "lose", inquiry=True)


def overtakes(stripe: Stripe) -> None:
    stripe.pays()
    stripe.refunds(STAYS_PENDING)
    stripe.disputes("lose")


SOLD = {"receivable": HUNDRED, "sales": -HUNDRED}
STORIES = {
    "gives two parts back": Story(
        happens=gives_part_back,
        ends=PaymentStatus.COMPLETED,
        refunds=("succeeded", "succeeded"),
        ledger={"receivable": 3333, "sales": -HUNDRED, "refunds": 6667},
        mails={"receipt": 1, "refund": 2},
    ),
    "gives all of it back in three parts": Story(
        happens=gives_all_back,
        ends=PaymentStatus.REFUNDED,
        refunds=("succeeded", "succeeded", "succeeded"),
        ledger={"sales": -HUNDRED, "refunds": HUNDRED},
        mails={"receipt": 1, "refund": 3},
    ),
    "gives it back, and the bank returns it": Story(
        happens=fails_late,
        ends=PaymentStatus.COMPLETED,
        refunds=("failed",),
        ledger=SOLD,
        mails={"receipt": 1, "refund": 1, "refund_failed": 1},
    ),
    "gives it back slowly, and the bank returns it": Story(
        happens=goes_a_long_way,
        amount=STAYS_PENDING,
        ends=PaymentStatus.COMPLETED,
        refunds=("failed",),
        ledger={"receivable": STAYS_PENDING, "sales": -STAYS_PENDING},
        mails={"receipt": 1, "refund": 1, "refund_failed": 1},
    ),
    "wins a dispute": Story(
        happens=is_won,
        ends=PaymentStatus.COMPLETED,
        disputes=("won",),
        ledger={"receivable": HUNDRED - 1500, "sales": -HUNDRED, "fees": 1500},
        mails={"receipt": 1, "dispute": 3},
    ),
    "loses a dispute over a part": Story(
        happens=is_lost,
        ends=PaymentStatus.COMPLETED,
        disputes=("lost",),
        ledger={"receivable": 2500, "sales": -HUNDRED, "disputes": 6000, "fees": 1500},
        mails={"receipt": 1, "dispute": 2},
    ),
    "is asked, disputed, and loses": Story(
        happens=escalates,
        ends=PaymentStatus.COMPLETED,
        disputes=("lost",),
        ledger={"receivable": -1500, "sales": -HUNDRED, "disputes": HUNDRED, "fees": 1500},
        mails={"receipt": 1, "dispute": 3},
    ),
    "loses a dispute that overtakes a refund": Story(
        happens=overtakes,
        amount=STAYS_PENDING,
        ends=PaymentStatus.COMPLETED,
        refunds=("failed",),
        disputes=("lost",),
        ledger={"receivable": -1500, "sales": -STAYS_PENDING, "disputes": STAYS_PENDING, "fees": 1500},
        mails={"receipt": 1, "refund_failed": 1, "dispute": 2},
    ),
}


def again(event: dict[str, Any]) -> dict[str, Any]:
    """Stripe may tell of one change in two events."""
    return {**event, "id": f"{event['id']}_again"}


def of(world: World, model: type[Any], payment: Payment) -> list[Any]:
    return [row for row in world.rows(model) if row.payment_id == payment.id]


def booked(world: World, payment: Payment) -> dict[str, int]:
    """What the journals of a payment come to, by account."""
    query = (
        select(LedgerEntry.account, func.sum(LedgerEntry.amount_minor))
        .join(Journal, Journal.id == LedgerEntry.journal_id)
        .where(Journal.payment_id == payment.id)
        .group_by(LedgerEntry.account)
    )
    with world.app.database.transaction() as session:
        return {account.value: int(total) for account, total in session.execute(query) if total}


@pytest.mark.parametrize("name", STORIES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_order_of_the_events_after_a_payment_ends_the_same(name: str, data: st.DataObject, world: World) -> None:
    story = STORIES[name]
    world = world.with_settings(operator_mail="operators@shop.pk")
    payment = world.started(money=Money.of(story.amount, "usd"))
    stripe = Stripe(world=world, payment=payment)
    story.happens(stripe)
    events = stripe.tells()
    doubled = [*events, *(again(event) for event in data.draw(st.lists(st.sampled_from(events), max_size=3)))]
    repeated = data.draw(st.lists(st.sampled_from(doubled), max_size=3))
    for event in [*data.draw(st.permutations(doubled)), *repeated]:
        world.deliver(event)
        if data.draw(st.booleans()):
            world.drain()
    for _ in range(3):
        # What waited for its payment is tried again.
        world.make_due()
        world.drain()

    assert world.status(payment.id) is story.ends
    assert sorted(refund.status for refund in of(world, Refund, payment)) == sorted(story.refunds)
    assert sorted(dispute.status for dispute in of(world, Dispute, payment)) == sorted(story.disputes)
    assert booked(world, payment) == story.ledger
    assert Counter(email.kind for email in of(world, Email, payment)) == Counter(story.mails)
