"""A process stands still over its lease, and goes on: what it had not sent by then is never sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import requests
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import Database
from payproc.database.models import CallState, Job, Payment
from payproc.domain.states import PaymentStatus
from payproc.flows.request_refund import request_refund
from payproc.jobs import Claimed, LeaseLost
from payproc.providers.jazz_cash import JAZZ_CASH
from tasks import runner
from tests.support.waiting import wait_until
from tests.support.wallet_world import APPROVED, WalletWorld

LEASE = timedelta(seconds=1)

Standstill = Callable[[], None]


class Standing(Database):
    """A database whose client stands still after its n-th commit, until something is over."""

    def __init__(self, url: str, *, commit: int, until: Standstill) -> None:
        super().__init__(url, pool_size=1)
        self._commits_left = commit
        self._until = until

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
        self._commits_left -= 1
        if self._commits_left == 0:
            self._until()


@pytest.fixture
def world(wallet_world: WalletWorld) -> WalletWorld:
    return wallet_world.speaking(jazz_cash_dialect="mwallet-2.0")


def claimed(world: WalletWorld, subject: str, *, lease: timedelta = LEASE) -> Claimed:
    """Begin the one job about this, as a worker that nobody sees alive again."""
    messages = [(each.job_id, each.token) for each in jobs.dispatch(world.app.database, limit=10, lease=lease)]
    found = jobs.claim(world.app.database, messages, token=uuid4(), lease=lease)
    [job] = [each for each in found if each.subject == subject]
    return job


def lease_is_over(world: WalletWorld, job: Claimed) -> bool:
    with world.app.database.transaction() as session:
        left = session.scalar(select(Job.leased_until > func.now()).where(Job.id == job.id))
    return left is False


def run_standing(world: WalletWorld, job: Claimed, *, commit: int, meanwhile: Standstill = lambda: None) -> None:
    """Run a job in a process that goes on after its n-th commit when its lease is over and `meanwhile` has happened."""

    def until() -> None:
        wait_until(lambda: lease_is_over(world, job), what="the end of the lease")
        meanwhile()

    database = Standing(world.app.settings.database_url, commit=commit, until=until)
    try:
        runner.HANDLERS[job.kind](replace(world.app, database=database), job)
    finally:
        database.dispose()


def was_rung(world: WalletWorld, payment: Payment) -> bool:
    """Whether the wallet has heard of a payment."""
    return requests.get(f"{world.wallet_url}/transactions/{payment.reference}", timeout=5).ok


def calls_at_wallet(world: WalletWorld) -> set[str]:
    return {call["operation"] for call in requests.get(f"{world.wallet_url}/calls", timeout=5).json()}


def test_a_push_whose_lease_was_taken_over_does_not_go_out(world: WalletWorld) -> None:
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    job = claimed(world, payment.id)
    # The second commit writes the call down. The run that takes over finds it, and asks from then on.
    with pytest.raises(LeaseLost):
        run_standing(world, job, commit=2, meanwhile=world.drain)

    assert not was_rung(world, payment), "its customer may be paying otherwise by now"
    assert [call.state for call in world.calls()] == [CallState.SENT]
    assert world.status(payment.id) is PaymentStatus.PENDING


def test_a_push_whose_lease_is_over_does_not_go_out_though_nobody_took_it_yet(world: WalletWorld) -> None:
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    job = claimed(world, payment.id)
    with pytest.raises(LeaseLost):
        run_standing(world, job, commit=2)
    assert not was_rung(world, payment)


def test_a_push_that_another_run_has_begun_is_not_even_written_down(world: WalletWorld) -> None:
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    frozen = claimed(world, payment.id)
    wait_until(lambda: lease_is_over(world, frozen), what="the end of the lease")
    taken_over = claimed(world, payment.id, lease=timedelta(minutes=1))
    assert taken_over.id == frozen.id

    with pytest.raises(LeaseLost):
        runner.HANDLERS[frozen.kind](world.app, frozen)
    assert world.calls() == []

    runner.HANDLERS[taken_over.kind](world.app, taken_over)
    assert world.at_wallet(payment)["charge_calls"] == 1


def test_a_push_that_waited_for_its_payments_row_is_sent_with_a_whole_lease(world: WalletWorld) -> None:
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    job = claimed(world, payment.id)
    # The first commit reads. Nobody took the job over, so that writing the call down takes up the lease anew.
    run_standing(world, job, commit=1)
    assert world.at_wallet(payment)["debits"] == 1


def test_a_refund_whose_lease_was_taken_over_does_not_go_out(world: WalletWorld) -> None:
    payment = world.begin(JAZZ_CASH, phone=APPROVED)
    world.becomes(payment, "completed")
    with world.app.database.transaction() as session:
        refund = request_refund(world.app, session, payment.id, user=world.customer, money=None, reason="unripe")
    job = claimed(world, refund.id)
    with pytest.raises(LeaseLost):
        run_standing(world, job, commit=1, meanwhile=world.drain)
    assert "jazzcash refund" not in calls_at_wallet(world)
