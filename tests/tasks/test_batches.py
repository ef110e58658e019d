"""A message's notices are applied together: what fails changes nothing, and each ends as if it had come alone."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from payproc import jobs
from payproc.database.engine import Database
from payproc.database.models import Job, JobState, Notice, NoticeState, Payment
from payproc.domain.states import PaymentStatus
from payproc.jobs import Kind
from payproc.providers.stripe import STRIPE
from tasks import runner
from tasks.time_limit import TimeLimitReached
from tests.support.waiting import wait_until
from tests.support.world import World

MINUTE = timedelta(minutes=1)
# The worker's first transaction, once it has claimed by a statement of its own.
BATCH = 1
WENT_ONE_BY_ONE = "a batch goes one by one"


def told(kind: str, **found: Any) -> dict[str, Any]:
    about = {"amount_total": 1999, "currency": "usd", "livemode": False} | found
    key = f"evt_{secrets.token_hex(8)}"
    return {"id": key, "object": "event", "type": kind, "livemode": False, "data": {"object": about}}


def paid(payment: Payment) -> dict[str, Any]:
    return told(
        "checkout.session.completed",
        id=f"cs_{payment.reference}",
        object="checkout.session",
        metadata={"payment_id": payment.id},
        status="complete",
        payment_status="paid",
        payment_intent=f"pi_{payment.reference}",
    )


def open_payments(world: World, count: int) -> list[Payment]:
    """Payments with no other work about them than what a test delivers."""
    found = [world.checkout() for _ in range(count)]
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET state = 'done' WHERE kind = 'payment.start'"))
    return found


def message(world: World) -> list[tuple[str, UUID]]:
    found = jobs.dispatch(world.app.database, limit=100, lease=MINUTE)
    assert {job.kind for job in found} == {Kind.APPLY_NOTICE}
    return [(job.job_id, job.token) for job in found]


def job_of(world: World, notice_id: str | None) -> Job:
    with world.app.database.transaction() as session:
        return session.scalars(select(Job).where(Job.subject == notice_id)).one()


def is_completed_once(world: World, payment: Payment) -> bool:
    moves = [event for event in world.events(payment.id) if event.fact == "paid" and event.effect == "moved"]
    mails = [email for email in world.emails() if email.payment_id == payment.id]
    return world.status(payment.id) is PaymentStatus.COMPLETED and len(moves) == 1 and len(mails) == 1


class Disturbed(Database):
    """A database of which one transaction, counted from 1, is disturbed once it is open."""

    def __init__(self, world: World, *, which: int, disturb: Callable[[Session], None]) -> None:
        super().__init__(world.app.settings.database_url, pool_size=2)
        self._which, self._disturb = which, disturb
        self.opened = 0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self.opened += 1
        with super().transaction() as session:
            if self.opened == self._which:
                self._disturb(session)
            yield session


def run_disturbed(world: World, disturb: Callable[[Session], None], *, which: int = BATCH) -> list[str]:
    """Run what is due over such a database; return what was logged."""
    sent = message(world)
    database = Disturbed(world, which=which, disturb=disturb)
    try:
        with capture_logs() as lines:
            runner.run(replace(world.app, database=database), sent)
    finally:
        database.dispose()
    return [line["event"] for line in lines]


def test_bad_notices_end_as_ever_and_the_others_go_through_once(world: World) -> None:
    *good, cursed = open_payments(world, 4)
    refuse_writes(world, cursed)
    first = world.deliver(paid(good[0]))
    assert world.deliver(paid(good[0]) | {"id": world.notices()[0].key}) is None, "a duplicate is stored once"
    again = world.deliver(paid(good[0]))
    poisonous = world.deliver(paid(cursed))
    foreign = world.deliver(told("payment_intent.succeeded", id="pi_x", object="payment_intent", status="succeeded"))
    unreadable = keep(world, body=b"{")
    world.deliver(paid(good[1]))
    world.deliver(paid(good[2]))
    world.drain_once()

    assert all(is_completed_once(world, payment) for payment in good)
    states: dict[str | None, NoticeState] = {notice.id: notice.state for notice in world.notices()}
    assert [states[each] for each in (first, again, foreign, unreadable)] == [
        *(NoticeState.APPLIED, NoticeState.APPLIED),
        *(NoticeState.IGNORED, NoticeState.DEAD),
    ]
    assert job_of(world, unreadable).state is JobState.DEAD
    poisoned = job_of(world, poisonous)
    assert (poisoned.state, poisoned.crashes, poisoned.last_error) == (JobState.READY, 1, "defect: IntegrityError")

    with world.app.database.transaction() as session:
        session.execute(text("ALTER TABLE payments DROP CONSTRAINT cursed"))
    world.make_due()
    world.drain()
    assert is_completed_once(world, cursed)


def refuse_writes(world: World, payment: Payment) -> None:
    """Have a payment's row refuse every change: a defect that only its own notice meets."""
    with world.app.database.transaction() as session:
        session.execute(text(f"ALTER TABLE payments ADD CONSTRAINT cursed CHECK (id <> '{payment.id}') NOT VALID"))


def keep(world: World, *, body: bytes) -> str:
    """Store a notice as an earlier release may have, with the job that applies it."""
    notice = Notice(provider=STRIPE, key=f"evt_{secrets.token_hex(8)}", kind="charge", body=body, headers={})
    with world.app.database.transaction() as session:
        session.add(notice)
        session.flush()
        jobs.stage(session, Kind.APPLY_NOTICE, notice.id)
    return notice.id


def test_a_lease_that_runs_out_in_the_middle_costs_the_others_nothing(world: World) -> None:
    payments = open_payments(world, 3)
    notices = [world.deliver(paid(payment)) for payment in payments]

    def take_over(_: Session) -> None:
        with world.app.database.transaction() as other:
            taken = text("UPDATE jobs SET lease_token = gen_random_uuid() WHERE subject = :id")
            other.execute(taken, {"id": notices[1]})

    logged = run_disturbed(world, take_over)
    assert WENT_ONE_BY_ONE in logged
    assert [is_completed_once(world, payment) for payment in payments] == [True, False, True]
    assert job_of(world, notices[1]).state is JobState.READY
    world.make_due()
    world.drain()
    assert is_completed_once(world, payments[1])


def test_a_session_that_the_server_ends_in_the_middle_is_no_crash(world: World) -> None:
    payments = open_payments(world, 3)
    for payment in payments:
        world.deliver(paid(payment))

    def restart(session: Session) -> None:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
        with world.app.database.transaction() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})

    logged = run_disturbed(world, restart)
    assert WENT_ONE_BY_ONE in logged
    assert all(is_completed_once(world, payment) for payment in payments)
    assert {job.crashes for job in world.rows(Job)} == {0}


def test_a_serialization_failure_is_no_crash(world: World) -> None:
    payments = open_payments(world, 3)
    for payment in payments:
        world.deliver(paid(payment))

    def change_under_a_snapshot(session: Session) -> None:
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        session.execute(text("SELECT count(*) FROM payments"))
        with world.app.database.transaction() as other:
            other.execute(text("UPDATE payments SET description = 'Three mangoes'"))

    logged = run_disturbed(world, change_under_a_snapshot)
    assert WENT_ONE_BY_ONE in logged
    assert all(is_completed_once(world, payment) for payment in payments)
    assert {job.crashes for job in world.rows(Job)} == {0}


def test_a_deadlock_is_no_crash(world: World) -> None:
    first, last = sorted(open_payments(world, 2), key=lambda payment: payment.id)
    for payment in (first, last):
        world.deliver(paid(payment))
    sent = message(world)
    held = text("SELECT FROM payments WHERE id = :id FOR UPDATE")
    # Whoever locks payments in another order: one that no code of ours has.
    with capture_logs() as lines:
        with world.app.database.transaction() as other:
            other.execute(held, {"id": last.id})
            worker = threading.Thread(target=runner.run, args=(world.app, sent))
            worker.start()
            wait_until(lambda: _waits_for_a_lock(world), what="the batch's wait")
            other.execute(held, {"id": first.id})
        worker.join()

    assert WENT_ONE_BY_ONE in [line["event"] for line in lines]
    assert is_completed_once(world, first)
    assert is_completed_once(world, last)
    assert {job.crashes for job in world.rows(Job)} == {0}


def _waits_for_a_lock(world: World) -> bool:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with world.app.database.transaction() as session:
        return bool(session.scalar(waiting))


def test_a_batch_that_takes_too_long_is_tried_one_by_one_the_next_time(world: World) -> None:
    payments = open_payments(world, 3)
    for payment in payments:
        world.deliver(paid(payment))

    def take_too_long(_: Session) -> None:
        raise TimeLimitReached

    run_disturbed(world, take_too_long)
    left = [job for job in world.rows(Job) if job.kind == Kind.APPLY_NOTICE]
    assert [(job.state, job.crashes, job.leased_until) for job in left] == [(JobState.READY, 1, None)] * 3
    world.make_due()
    world.drain()
    assert all(is_completed_once(world, payment) for payment in payments)


def test_an_effect_whose_commit_went_unheard_is_not_had_twice(world: World) -> None:
    payments = open_payments(world, 3)
    for payment in payments:
        world.deliver(paid(payment))
    sent = message(world)
    database = Unheard(world.app.settings.database_url, pool_size=2)
    runner.run(replace(world.app, database=database), sent)
    database.dispose()
    assert database.opened > BATCH, "unheard, it was tried again"
    assert all(is_completed_once(world, payment) for payment in payments)
    assert {job.crashes for job in world.rows(Job)} == {0}


class Unheard(Database):
    """A server that commits the batch and dies before it says so."""

    opened = 0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self.opened += 1
        opened = self.opened
        with super().transaction() as session:
            yield session
        if opened == BATCH:
            raise ConnectionResetError


def test_what_may_have_killed_its_worker_is_not_tried_with_the_others(world: World) -> None:
    payments = open_payments(world, 3)
    notices = [world.deliver(paid(payment)) for payment in payments]
    with world.app.database.transaction() as session:
        # Begun by a worker that has died since.
        begun = text("UPDATE jobs SET started_at = now() - interval '1 hour' WHERE subject = :id")
        session.execute(begun, {"id": notices[0]})
    sent = message(world)
    with capture_logs() as lines:
        runner.run(world.app, sent)
    alone = [line["evidence"] for line in lines if line["event"] == "payment moved"]
    assert alone == [notices[1], notices[2], notices[0]]
    assert all(is_completed_once(world, payment) for payment in payments)


def test_each_move_of_a_batch_is_logged_with_its_own_job(world: World) -> None:
    payments = open_payments(world, 3)
    notices = [world.deliver(paid(payment)) for payment in payments]
    with capture_logs(processors=[merge_contextvars]) as lines:
        world.drain_once()
    moved = [line for line in lines if line["event"] == "payment moved"]
    assert [line["job"] for line in moved] == [job_of(world, notice).id for notice in notices]
    assert [line["evidence"] for line in moved] == notices
