"""What happens to a card payment after it was paid: refunds of ours, and what the customer's bank asks back."""

from typing import Any

from payproc.database.models import Payment, Refund, User
from payproc.domain.money import Money
from payproc.flows import request_refund
from tests.support.world import World

# Amounts that mean something to the simulator (docs/sandbox.md).
STAYS_PENDING, FAILS_AT_ONCE = 470100, 470400


def refund(world: World, payment: Payment, amount_minor: int | None = None, *, user: User | None = None) -> Refund:
    money = None if amount_minor is None else Money.of(amount_minor, "usd")
    with world.app.database.transaction() as session:
        return request_refund.request_refund(
            world.app, session, payment.id, user=user or world.customer, money=money, reason="unripe"
        )


def given(world: World, payment: Payment, amount_minor: int | None = None) -> Refund:
    """A refund that was asked for and carried out."""
    made = refund(world, payment, amount_minor)
    world.drain()
    return read(world, made)


def read(world: World, made: Refund) -> Refund:
    with world.app.database.transaction() as session:
        return session.get_one(Refund, made.id)


def tell(world: World, payment: Payment, kind: str = "") -> None:
    """Deliver what Stripe has to tell of a payment; of one kind only, where it is named."""
    for event in world.stripe_events(payment):
        if event["type"].startswith(kind):
            world.deliver(event)
    world.drain()


def dispute(world: World, payment: Payment, **words: Any) -> str:
    found = world.at_stripe(f"payment_intents/{world.payment(payment.id).stripe_payment_intent_id}/dispute", **words)
    tell(world, payment, "charge.dispute.")
    return str(found["id"])
