"""More messages than there are threads: what waits in a worker's own queue has not begun."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from payproc import jobs
from payproc.database.models import Job, JobState
from payproc.providers.jazz_cash import JAZZ_CASH
from tasks import runner
from tasks.crew import Crew
from tests.support.waiting import wait_until
from tests.support.wallet_world import NEVER, WalletWorld

INQUIRY = "jazzcash inquiry"
MINUTE = timedelta(minutes=1)
THREADS = 4

Message = list[tuple[str, UUID]]


@pytest.fixture
def world(wallet_world: WalletWorld) -> WalletWorld:
    return wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", circuit_rest="400ms")


@pytest.fixture
def crew() -> Iterator[Crew]:
    small = Crew(threads=THREADS)
    yield small
    small.stop()


def polls(world: WalletWorld, *, of: int, messages: int) -> list[Message]:
    """Send for the polls of as many open payments, so many in a message."""
    for _ in range(of * messages):
        world.begin(JAZZ_CASH, phone=NEVER)
    world.make_due()
    sent = [(job.job_id, job.token) for job in jobs.dispatch(world.app.database, limit=of * messages, lease=MINUTE)]
    return [sent[first : first + of] for first in range(0, len(sent), of)]


@contextmanager
def worked_on(world: WalletWorld, messages: list[Message], crew: Crew) -> Iterator[None]:
    with ThreadPoolExecutor(max_workers=len(messages)) as threads:
        running = [threads.submit(runner.run, world.app, message, crew=crew) for message in messages]
        yield
        assert sum(each.result() for each in running) == sum(map(len, messages))


def begun(world: WalletWorld) -> int:
    with world.app.database.transaction() as session:
        running = select(func.count()).where(Job.started_at.is_not(None), Job.state == JobState.READY)
        return session.scalars(running).one()


def test_what_waits_for_a_thread_has_not_begun_and_its_lease_neither(world: WalletWorld, crew: Crew) -> None:
    messages = polls(world, of=3, messages=3)
    world.break_wallet(INQUIRY, "slow", times=None, seconds=0.5)
    most = 0
    with worked_on(world, messages, crew):

        def all_done() -> bool:
            nonlocal most
            most = max(most, begun(world))
            return most > 0 and begun(world) == 0

        wait_until(all_done, what="the end of all polls")
    assert 3 <= most <= THREADS


def test_a_message_that_finds_no_threads_in_time_leaves_its_jobs_alone(world: WalletWorld, crew: Crew) -> None:
    [message] = polls(world, of=3, messages=1)
    with crew.places(THREADS, longest=MINUTE) as taken:
        assert taken is not None
        impatient = world.with_settings(ring_lease=timedelta(milliseconds=50))
        assert runner.run(impatient.app, message, crew=crew) == 0
        assert begun(world) == 0
    assert runner.run(world.app, message, crew=crew) == 3
