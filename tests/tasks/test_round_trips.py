"""How often a worker asks PostgreSQL for a message's work: whatever is in it, a statement is for all of it."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import Database
from payproc.database.models import Email, Job, JobState, NoticeState, Payment
from payproc.domain.states import PaymentStatus
from payproc.jobs import Kind
from payproc.settings import Settings
from tasks import runner
from tests.support.configuration import settings_of_a_test
from tests.support.round_trips import Wire
from tests.support.world import World

# A claim is its statement; a batch of notices is applied between BEGIN and COMMIT.
CLAIM = 1
APPLY = 15  # one of them tells the shops of all that moved
SEND = 4 + 4  # composed in one transaction, noted in another


@pytest.fixture
def settings(wire: Wire) -> Settings:
    return settings_of_a_test(wire.url)


@pytest.fixture
def app(app: Application) -> Iterator[Application]:
    # Counted without the question, each second, whether the server still writes: a slow test would be asked it.
    database = Database(app.settings.database_url, trusted_for=timedelta(hours=1))
    yield replace(app, database=database)
    database.dispose()


def paid(world: World, count: int) -> None:
    """Have so many payments, and a stored notice of each that says it was paid."""
    for _ in range(count):
        payment = world.checkout()
        found = {
            "id": f"cs_{payment.reference}",
            "object": "checkout.session",
            "metadata": {"payment_id": payment.id},
            "status": "complete",
            "payment_status": "paid",
            "payment_intent": f"pi_{payment.reference}",
            "amount_total": 1999,
            "currency": "usd",
            "livemode": False,
        }
        told = {"id": f"evt_{secrets.token_hex(8)}", "object": "event", "type": "checkout.session.completed"}
        world.deliver(told | {"livemode": False, "data": {"object": found}})
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET state = 'done' WHERE kind = 'payment.start'"))


def message(world: World) -> list[tuple[str, UUID]]:
    found = jobs.dispatch(world.app.database, limit=100, lease=timedelta(seconds=20))
    return [(job.job_id, job.token) for job in found]


def warm(world: World) -> None:
    """Psycopg prepares a statement at its sixth use."""
    for _ in range(8):
        paid(world, 2)
        world.drain()


def test_fifty_notices_are_applied_as_one_is(world: World, wire: Wire) -> None:
    warm(world)
    costs = []
    for count in (2, 50):
        paid(world, count)
        sent = message(world)
        with wire.counted() as counted:
            assert runner.run(world.app, sent) == count
        costs.append(len(counted.round_trips))
        assert len(counted.round_trips) <= CLAIM + APPLY, counted
        world.drain()
    assert costs[0] == costs[1]
    assert {notice.state for notice in world.notices()} == {NoticeState.APPLIED}
    assert {payment.status for payment in world.rows(Payment)} == {PaymentStatus.COMPLETED}


def test_ten_mails_are_sent_as_one_is(world: World, wire: Wire) -> None:
    warm(world)
    costs = []
    for count in (2, 10):
        paid(world, count)
        runner.run(world.app, message(world))
        mails = message(world)
        with wire.counted() as counted:
            assert runner.run(world.app, mails) == count
        costs.append(len(counted.round_trips))
        assert len(counted.round_trips) <= CLAIM + SEND, counted
    assert costs[0] == costs[1]
    assert all(email.sent_at for email in world.rows(Email))
    assert {job.state for job in world.rows(Job) if job.kind == Kind.SEND_MAIL} == {JobState.DONE}
