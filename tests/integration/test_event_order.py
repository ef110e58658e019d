"""Whatever order Stripe's events come in, and however often: one state, one mail."""

import secrets
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payproc import jobs
from payproc.database.models import Email, EmailKind, Payment
from payproc.domain.states import PaymentStatus
from tests.support.world import World

MAILS = {
    PaymentStatus.COMPLETED: [EmailKind.RECEIPT],
    PaymentStatus.FAILED: [EmailKind.FAILURE],
    PaymentStatus.CANCELLED: [],
}


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened at Stripe, as (event type, object) in Stripe's own order, and how it must end here."""

    told: tuple[tuple[str, dict[str, Any]], ...]
    ends: PaymentStatus


def session(**fields: Any) -> dict[str, Any]:
    return {"object": "checkout.session", "amount_total": 1999, "currency": "usd", "livemode": False} | fields


def intent(**fields: Any) -> dict[str, Any]:
    return {"object": "payment_intent", "amount_received": 1999, "currency": "usd", "livemode": False} | fields


DECLINED = intent(status="requires_payment_method", last_payment_error={"code": "card_declined", "message": "No."})
PAID = session(status="complete", payment_status="paid")
UNPAID = session(status="complete", payment_status="unpaid")
EXPIRED = session(status="expired", payment_status="unpaid")

STORIES = {
    "pays at once": Story(
        told=(("payment_intent.succeeded", intent(status="succeeded")), ("checkout.session.completed", PAID)),
        ends=PaymentStatus.COMPLETED,
    ),
    "pays with the second card": Story(
        told=(
            ("payment_intent.payment_failed", DECLINED),
            ("payment_intent.succeeded", intent(status="succeeded")),
            ("checkout.session.completed", PAID),
        ),
        ends=PaymentStatus.COMPLETED,
    ),
    "pays later": Story(
        told=(
            ("payment_intent.processing", intent(status="processing")),
            ("checkout.session.completed", UNPAID),
            ("payment_intent.succeeded", intent(status="succeeded")),
            ("checkout.session.async_payment_succeeded", PAID),
        ),
        ends=PaymentStatus.COMPLETED,
    ),
    "does not pay later": Story(
        told=(
            ("payment_intent.processing", intent(status="processing")),
            ("checkout.session.completed", UNPAID),
            ("payment_intent.payment_failed", DECLINED),
            ("checkout.session.async_payment_failed", UNPAID),
        ),
        ends=PaymentStatus.FAILED,
    ),
    "walks away": Story(
        told=(
            ("payment_intent.payment_failed", DECLINED),
            ("checkout.session.expired", EXPIRED),
            ("payment_intent.canceled", intent(status="canceled")),
        ),
        ends=PaymentStatus.CANCELLED,
    ),
    "pays in the last second": Story(
        told=(
            ("payment_intent.succeeded", intent(status="succeeded")),
            ("checkout.session.completed", PAID),
            ("checkout.session.expired", EXPIRED),
        ),
        ends=PaymentStatus.COMPLETED,
    ),
}


def events_of(story: Story, payment: Payment) -> list[dict[str, Any]]:
    ids = {"checkout.session": f"cs_{payment.reference}", "payment_intent": f"pi_{payment.reference}"}
    return [
        {
            "id": f"evt_{secrets.token_hex(8)}",
            "object": "event",
            "type": kind,
            "livemode": False,
            "data": {"object": found | {"id": ids[found["object"]], "metadata": {"payment_id": payment.id}}},
        }
        for kind, found in story.told
    ]


@pytest.mark.parametrize("name", STORIES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_order_of_the_events_ends_the_same(name: str, data: st.DataObject, world: World) -> None:
    story = STORIES[name]
    # Drawn before anything is done: an example that hypothesis breaks off must leave no payment without work.
    places = list(range(len(story.told)))
    order = data.draw(st.permutations(places)) + data.draw(st.lists(st.sampled_from(places), max_size=4))
    pauses = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    payment = world.checkout()
    with world.app.database.transaction() as database:
        # The session of the story is the payment's own: no other may be made beside it.
        jobs.withdraw(database, jobs.Kind.START_PAYMENT, payment.id)
    events = events_of(story, payment)
    for place, pause in zip(order, pauses, strict=True):
        world.deliver(events[place])
        if pause:
            world.drain()
    world.drain()

    assert world.status(payment.id) is story.ends
    mails = [email for email in world.rows(Email) if email.payment_id == payment.id and not email.withdrawn_at]
    assert [email.kind for email in mails] == MAILS[story.ends]
