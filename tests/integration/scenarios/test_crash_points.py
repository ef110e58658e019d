"""Die before and after every commit of every job, come back, and count."""

from email.message import EmailMessage

import pytest

from payproc.database.models import Payment, PaymentEvent
from payproc.domain.states import Effect, Fact, PaymentStatus
from tests.support.faults.crashes import live_and_die
from tests.support.world import World

# More than any job has transactions: a crash that is never reached would prove nothing, so that is asserted too.
COMMITS = range(1, 7)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", COMMITS)
def test_a_start_that_dies_at_any_commit_ends_in_one_session(world: World, commit: int, after: bool) -> None:
    payment = world.checkout()
    # One more commit than runner.run has: the dispatch, by the relay, is the first.
    assert live_and_die(world, commit=commit + 1, after=after)
    world.drain()

    assert world.sessions_at_stripe() == [world.payment(payment.id).stripe_session_id]
    assert len({request["idempotency_key"] for request in world.requests_to("POST /v1/customers")}) == 1
    assert len([call for call in world.calls() if call.subject == payment.id]) == 1


def paid_at_stripe(world: World) -> Payment:
    payment = world.started()
    world.act(payment, "pay")
    return payment


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", range(1, 5))
def test_notices_that_die_at_any_commit_are_applied_once(
    world: World, posted: list[EmailMessage], commit: int, after: bool
) -> None:
    payment = paid_at_stripe(world)
    world.deliver_all(payment)
    assert live_and_die(world, commit=commit, after=after)
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    moves = [e for e in world.rows(PaymentEvent) if e.fact is Fact.PAID and e.effect is Effect.MOVED]
    assert len(moves) == 1
    # A mail whose server said yes before we died may go out again, but only as the same mail.
    assert len({mail["Message-ID"] for mail in posted}) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", range(1, 5))
def test_a_poll_that_dies_at_any_commit_leaves_the_payment_paid_once(
    world: World, posted: list[EmailMessage], commit: int, after: bool
) -> None:
    payment = paid_at_stripe(world)
    world.make_due()
    assert live_and_die(world, commit=commit, after=after)
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert len({mail["Message-ID"] for mail in posted}) == 1
