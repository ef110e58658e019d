"""The database goes away, or is demoted, under a worker's hands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import Database, Parameters
from payproc.database.models import Job, JobState
from payproc.domain.states import PaymentStatus
from tasks import holding, runner
from tasks.crew import Crew
from tests.support.waiting import wait_until
from tests.support.world import World

SESSIONS = "POST /v1/checkout/sessions"
MINUTE = timedelta(minutes=1)


class Troubled(Database):
    """A database that is in trouble for some of its transactions, counted from 1; rows asked for are one as well."""

    def __init__(self, url: str, *, troubled: range) -> None:
        super().__init__(url, pool_size=2)
        self._troubled = troubled
        self.opened = 0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self.opened += 1
        if self.opened in self._troubled:
            with self.in_trouble() as session:
                yield session
            return
        with super().transaction() as session:
            yield session

    def rows_once(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        self.opened += 1
        if self.opened not in self._troubled:
            return super().rows_once(statement, parameters, after=after)
        with self.in_trouble():
            return super().rows_once(statement, parameters, after=after)
        raise AssertionError("a database in trouble raises")

    @contextmanager
    def in_trouble(self) -> Iterator[Session]:
        if self.opened:
            raise OperationalError("SELECT 1", {}, ConnectionRefusedError())
        yield Session()


class Demoted(Troubled):
    """A server that takes no writes meanwhile: the error is its own."""

    @contextmanager
    def in_trouble(self) -> Iterator[Session]:
        with Database.transaction(self) as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            yield session


class Forgetful(Troubled):
    """A server that commits and dies before it says so."""

    @contextmanager
    def in_trouble(self) -> Iterator[Session]:
        with Database.transaction(self) as session:
            yield session
        raise OperationalError("COMMIT", {}, ConnectionResetError())


class Broken(Troubled):
    """A database that cannot note one thing, however often it is asked."""

    @contextmanager
    def in_trouble(self) -> Iterator[Session]:
        if self.opened:
            raise ProgrammingError("UPDATE jobs", {}, ValueError())
        yield Session()


def run_over(world: World, database: Database) -> int:
    """Do what is due once, over another database; only the worker's own transactions are counted."""
    messages = [(job.job_id, job.token) for job in jobs.dispatch(world.app.database, limit=10, lease=MINUTE)]
    try:
        # One after the other, so that its transactions can be counted.
        return runner.run(replace(world.app, database=database), messages, crew=Crew(threads=1))
    finally:
        database.dispose()


def job_of(world: World, subject: str) -> Job:
    with world.app.database.transaction() as session:
        return session.scalars(select(Job).where(Job.subject == subject, Job.kind == "payment.start")).one()


@pytest.mark.parametrize("commit", range(3, 6))
def test_a_worker_whose_server_is_demoted_tries_again_and_is_no_killer(world: World, commit: int) -> None:
    payment = world.checkout()
    assert run_over(world, Demoted(world.app.settings.database_url, troubled=range(commit, commit + 1))) == 1
    job = job_of(world, payment.id)
    assert (job.state, job.crashes, job.leased_until) == (JobState.READY, 0, None)
    world.make_due()
    world.drain()
    assert world.sessions_at_stripe() == [world.payment(payment.id).stripe_session_id]


def test_a_failure_is_noted_as_soon_as_the_database_is_back(world: World) -> None:
    payment = world.checkout()
    # Every transaction after the claim, and the first try to note it.
    assert run_over(world, Troubled(world.app.settings.database_url, troubled=range(2, 4))) == 1
    job = job_of(world, payment.id)
    assert (job.state, job.leased_until, job.last_error) == (JobState.READY, None, "OperationalError")


def test_a_refusal_is_noted_as_soon_as_the_database_is_back(world: World) -> None:
    payment = world.checkout()
    world.break_stripe("POST /v1/customers", "error_500_before", times=None)
    assert run_over(world, Troubled(world.app.settings.database_url, troubled=range(4, 5))) == 1
    assert job_of(world, payment.id).leased_until is None


def test_a_failure_that_cannot_be_noted_takes_no_other_job_of_its_message_down(world: World) -> None:
    first, second = world.checkout(), world.checkout()
    # The provider is away for both; the fourth transaction would note it of the first.
    world.break_stripe("POST /v1/customers", "error_500_before", times=None)
    assert run_over(world, Broken(world.app.settings.database_url, troubled=range(4, 5))) == 2
    assert job_of(world, first.id).leased_until is not None
    noted = job_of(world, second.id)
    assert (noted.leased_until, noted.attempts) == (None, 1)


@pytest.mark.parametrize("kind", [Troubled, Forgetful])
def test_work_whose_claim_met_a_restart_is_begun_once_and_at_once(world: World, kind: type[Troubled]) -> None:
    payment = world.checkout()
    assert run_over(world, kind(world.app.settings.database_url, troubled=range(1, 2))) == 1
    job = job_of(world, payment.id)
    assert (job.state, job.attempts, job.crashes) == (JobState.DONE, 1, 0)
    assert world.status(payment.id) is PaymentStatus.PENDING
    assert len(world.sessions_at_stripe()) == 1


def test_an_effect_that_was_committed_unheard_is_not_had_twice(world: World) -> None:
    payment = world.started()
    world.act(payment, "pay")
    world.deliver_all(payment)
    messages = [(job.job_id, job.token) for job in jobs.dispatch(world.app.database, limit=10, lease=MINUTE)]
    database = Forgetful(world.app.settings.database_url, troubled=range(2, 3))
    runner.run(replace(world.app, database=database), messages)
    database.dispose()
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert len([event for event in world.events(payment.id) if event.fact == "paid" and event.effect == "moved"]) == 1
    assert len(world.emails()) == 1


def left(world: World) -> timedelta:
    """How much of its lease a running job has left."""
    with world.app.database.transaction() as session:
        job = session.scalars(select(Job).where(Job.started_at.is_not(None), Job.state == JobState.READY)).one()
        assert job.leased_until is not None
        return job.leased_until - session.scalars(select(func.now())).one()


def claimed(world: World, *, lease: timedelta) -> jobs.Claimed:
    world.checkout()
    messages = [(job.job_id, job.token) for job in jobs.dispatch(world.app.database, limit=10, lease=MINUTE)]
    return holding.persistently(
        lambda: jobs.claim(world.app.database, messages, token=messages[0][1], lease=lease)[0], longest=MINUTE
    )


def test_a_run_that_lives_holds_its_job_however_long_it_takes(world: World) -> None:
    lease = timedelta(seconds=0.8)
    job = claimed(world, lease=lease)
    with holding.held(world.app.database, [job], lease=lease):
        wait_until(lambda: left(world) < 0.85 * lease, what="some of the lease gone")
        wait_until(lambda: left(world) > 0.9 * lease, what="a renewal")
    wait_until(lambda: left(world) < timedelta(0), what="the end of the lease of who is gone")


def test_a_run_that_lives_holds_its_job_again_when_the_database_is_back(world: World) -> None:
    lease = timedelta(seconds=0.8)
    job = claimed(world, lease=lease)
    away = Troubled(world.app.settings.database_url, troubled=range(1, 3))
    with holding.held(away, [job], lease=lease):
        wait_until(lambda: away.opened >= 3 and left(world) > lease / 2, what="a renewal after the trouble")
    away.dispose()
