"""A provider that refuses our keys: trouble of the configuration waits, and one review asks for all that do."""

import pytest
from pydantic import SecretStr

from payproc.database.models import Job, JobState, Review, ReviewKind
from payproc.domain.money import Money
from tests.support.after_payment import read, refund
from tests.support.world import World


@pytest.fixture
def locked_out(world: World) -> World:
    """The same application, with a key that Stripe does not know."""
    return world.with_settings(stripe_secret_key=SecretStr("sk_wrong_key"))


def questions(world: World) -> list[Review]:
    return [review for review in world.reviews() if review.kind is ReviewKind.CONFIGURATION]


def test_every_start_waits_behind_one_review_and_goes_by_itself_once_it_is_mended(
    world: World, locked_out: World
) -> None:
    waiting = [locked_out.checkout() for _ in range(3)]
    locked_out.drain()
    assert {job.state for job in world.rows(Job)} == {JobState.READY}
    [question] = questions(world)
    assert (question.subject, question.resolved_at) == ("provider.stripe", None)

    world.make_due()
    world.drain()
    assert all(world.payment(payment.id).stripe_session_id for payment in waiting)
    [answered] = questions(world)
    assert answered.resolved_at is not None


def test_a_refund_waits_as_well_and_is_made_once(world: World, locked_out: World) -> None:
    paid = world.paid(money=Money.of(1999, "usd"))
    made = refund(world, paid)
    locked_out.drain()
    assert len(questions(world)) == 1
    # It may have been sent: asked about first, then sent under the same key.
    for _ in range(2):
        world.make_due()
        world.drain()
    assert read(world, made).status == "succeeded"
    assert len({call["idempotency_key"] for call in world.requests_to("POST /v1/refunds")}) == 1
