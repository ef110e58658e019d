"""The clock's checks: in pieces, from where the last one stopped, and never one behind another."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from payproc import jobs
from payproc.database.models import Job, JobState, Payment, ReviewKind, Watermark
from payproc.jobs import Kind, Queue
from payproc.operations import clock, doctor
from tests.support.world import World

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def tick(world: World, kind: Kind, *, now: datetime) -> bool:
    with world.app.database.transaction() as session:
        return clock.tick(session, kind, now=now)


def open_jobs(world: World, kind: Kind) -> list[Job]:
    return [job for job in world.rows(Job) if job.kind == kind and job.state is JobState.READY]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.policy.clock])
def test_an_outage_leaves_one_open_job_of_a_kind_however_long_it_was(world: World, kind: Kind) -> None:
    assert kind.policy.clock is not None
    period = kind.policy.clock.period
    assert [tick(world, kind, now=NOON + number * period) for number in range(12)] == [True, *[False] * 11]
    [job] = open_jobs(world, kind)
    with world.app.database.transaction() as session:
        session.get_one(Job, job.id).state = JobState.DONE
    # A period whose tick found the last one's work still open is not lost: its next tick stages it.
    assert tick(world, kind, now=NOON + 11 * period)
    assert not tick(world, kind, now=NOON + 11 * period)


def test_a_sum_that_takes_too_long_holds_no_other_check_up(world: World) -> None:
    payment = world.paid()
    break_one(world, payment)
    with world.app.database.transaction() as session, ThreadPoolExecutor(max_workers=1) as pool:
        # Whoever sums the ledger waits: for longer than a question may take, and less than a lock may.
        session.execute(text("LOCK TABLE ledger_entries IN ACCESS EXCLUSIVE MODE"))
        checking = pool.submit(clock.check_everything, world.app)
        assert set(checking.result(timeout=60)) == {"ledger_balances", "receivable_is_what_is_owed"}
    clock.check_some(world.app)
    assert found(world) == [f"payer_is_forgotten:{payment.id}"]
    mend(world)


def test_a_long_check_keeps_no_mail_waiting() -> None:
    sharing = [kind for kind in Kind if kind.policy.queue is Queue.INVARIANTS]
    assert sharing == [Kind.CHECK_INVARIANTS]


def break_one(world: World, payment: Payment) -> None:
    """Lose the events of a payment, as no code of ours could."""
    with world.app.database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE payments SET sealed_payer = 'x' WHERE id = :id"), {"id": payment.id})


def mend(world: World) -> None:
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE payments SET sealed_payer = NULL"))


def found(world: World) -> list[str]:
    return [each.subject for each in world.reviews() if each.kind is ReviewKind.INVARIANT_BROKEN]


def place(world: World, name: str) -> str | None:
    return next((mark.position for mark in world.rows(Watermark) if mark.name == name), None)


def check(world: World) -> None:
    """Check one row of each table, as a clock does whose tables are larger than its time."""
    clock.check_some(world.app, at_once=1, seconds=-1)


def test_a_pass_goes_on_where_the_last_one_stopped_and_begins_again_after_its_end(world: World) -> None:
    payments = sorted((world.paid() for _ in range(3)), key=lambda payment: payment.id)
    break_one(world, payments[2])
    places = []
    for _ in range(3):
        check(world)
        places.append((place(world, "checked all payments"), found(world)))
    last = f"payer_is_forgotten:{payments[2].id}"
    assert places == [(payments[0].id, []), (payments[1].id, []), (payments[2].id, [last])]
    check(world)
    assert place(world, "checked all payments") == ""
    mend(world)


def test_what_changed_is_checked_at_once_however_far_the_pass_is(world: World) -> None:
    first, *_ = sorted((world.started() for _ in range(3)), key=lambda payment: payment.id)
    for _ in range(2):
        check(world)
    assert (place(world, "checked all payments") or "") > first.id
    world.act(first, "pay")
    world.deliver_all(first)
    world.drain()
    break_one(world, first)
    clock.check_some(world.app, at_once=100, seconds=-1)
    assert found(world) == [f"payer_is_forgotten:{first.id}"]
    mend(world)


def test_what_a_small_shop_has_is_all_checked_each_time(world: World) -> None:
    payments = [world.paid() for _ in range(3)]
    for payment in payments:
        break_one(world, payment)
    with world.app.database.transaction() as session:
        jobs.stage(session, Kind.CHECK_INVARIANTS, NOON.isoformat())
    world.drain()
    assert set(found(world)) == {f"payer_is_forgotten:{payment.id}" for payment in payments}
    mend(world)


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_doctor_finds_the_same_in_pieces_of_any_size(world: World, at_once: int) -> None:
    payments = [world.paid() for _ in range(3)]
    break_one(world, payments[1])
    with world.app.database.transaction() as session:
        broken = doctor.broken_invariants(session, at_once=at_once)
    assert [(each.name, each.subject) for each in broken] == [("payer_is_forgotten", payments[1].id)]
    mend(world)


@pytest.mark.parametrize("over", doctor.TABLES)
def test_the_next_piece_of_a_table_is_read_off_an_index(world: World, over: doctor.Over) -> None:
    with world.app.database.transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
        for walk in (doctor.rows_of(over), doctor.changes_of(over)):
            query = walk.query().replace(":after", f"'{walk.start}'").replace(":limit", "10")
            plan = "\n".join(session.scalars(text(f"EXPLAIN {query}")))
            assert "Index" in plan
            assert "Sort" not in plan


def test_a_period_of_checks_is_shorter_than_its_job_may_take() -> None:
    clock_of_it = Kind.CHECK_INVARIANTS.policy.clock
    assert clock_of_it is not None
    assert timedelta(seconds=Kind.CHECK_INVARIANTS.policy.limits.hard) < clock_of_it.period
