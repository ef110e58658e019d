"""Die before and after every commit of every job, come back, and count."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage

import pytest
from sqlalchemy.orm import Session

from payproc.database.engine import Database
from payproc.database.models import Payment, PaymentEvent
from payproc.domain.states import Effect, Fact, PaymentStatus
from tests.integration.conftest import World
from tests.integration.test_starts import sessions_at_stripe

# More than any job has transactions: a crash that is never reached would prove nothing, so that is asserted too.
COMMITS = range(1, 7)


class Crash(BaseException):
    """The process is gone: no handler of ours may catch it."""


class DyingDatabase(Database):
    """A database whose client dies at its n-th commit, either side of it."""

    def __init__(self, url: str, *, commit: int, after: bool) -> None:
        super().__init__(url, pool_size=1)
        self.commits_left = commit
        self._after = after

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
            self.commits_left -= 1
            if self.commits_left == 0 and not self._after:
                raise Crash
        if self.commits_left == 0:
            raise Crash


def live_and_die(world: World, *, commit: int, after: bool) -> bool:
    """Run what is due until death; tell whether it came. Then the lease runs out."""
    dying = DyingDatabase(world.app.settings.database_url, commit=commit, after=after)
    try:
        with pytest.raises(Crash):
            replace(world, app=replace(world.app, database=dying)).drain()
    except pytest.fail.Exception:
        died = False
    else:
        died = True
    dying.dispose()
    world.make_due()
    return died


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", COMMITS)
def test_a_start_that_dies_at_any_commit_ends_in_one_session(world: World, commit: int, after: bool) -> None:
    payment = world.checkout()
    # One more commit than runner.run has: the dispatch, by the relay, is the first.
    assert live_and_die(world, commit=commit + 1, after=after)
    world.drain()

    assert sessions_at_stripe(world) == [world.payment(payment.id).stripe_session_id]
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
