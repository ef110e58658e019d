"""Every table has a stated life or a stated reason to stay, and what is forgotten goes a few rows at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from payproc import jobs
from payproc.database.models import (
    Base,
    Email,
    EndpointState,
    Event,
    FindingKind,
    IdempotencyKey,
    Job,
    JobState,
    Loop,
    Notice,
    ReconciliationFinding,
    ReconciliationRun,
    ReviewKind,
    RunState,
    SeenKey,
    Tick,
    Watermark,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from payproc.operations import pruning
from payproc.operations.pruning import GOES_WITH, LIVES, STAYS
from payproc.records.reviews import open_review, resolve
from payproc.settings.fields import Settings
from tests.support.seeding import Seeded
from tests.support.shops.webhooks import Receiver, endpoint_at, receiving, told
from tests.support.world import World


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def prune(world: World) -> None:
    with world.app.database.transaction() as session:
        jobs.stage(session, jobs.Kind.PRUNE, "now")
    world.drain()


def count(world: World, table: type[Base]) -> int:
    with world.app.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def execute(world: World, statement: str, **values: Any) -> None:
    with world.app.database.transaction() as session:
        session.execute(text(statement), values)


def test_every_table_has_a_life_or_a_reason_to_stay_and_none_has_both() -> None:
    tables = {mapper.class_ for mapper in Base.registry.mappers}
    assert {mapper.local_table for mapper in Base.registry.mappers} == set(Base.metadata.tables.values())
    living = {life.table for life in LIVES}
    assert living | set(STAYS) | set(GOES_WITH) == tables
    assert len(living) + len(STAYS) + len(GOES_WITH) == len(tables)
    assert [table for table, reason in STAYS.items() if len(reason.split()) < 3] == []


def test_what_goes_with_another_row_goes_by_cascade() -> None:
    for table, other in GOES_WITH.items():
        keys = [key for key in table.__table__.foreign_keys if key.column.table is other.__table__]
        assert [key.ondelete for key in keys] == ["CASCADE"], table


def test_every_life_is_a_setting() -> None:
    assert {type(Settings.model_fields[life.setting].default) for life in LIVES} == {timedelta}


def test_mails_and_notices_are_forgotten_and_the_payment_they_told_of_stays(world: World) -> None:
    old, young = world.paid(), world.paid()
    execute(world, "UPDATE emails SET created_at = now() - interval '401 days' WHERE payment_id = :id", id=old.id)
    execute(world, "UPDATE notices SET settled_at = now() - interval '401 days' WHERE payment_id = :id", id=old.id)
    execute(world, "UPDATE payments SET completed_at = now() - interval '401 days' WHERE id = :id", id=old.id)
    prune(world)
    assert {mail.payment_id for mail in world.rows(Email)} == {young.id}
    assert {notice.payment_id for notice in world.rows(Notice) if notice.payment_id} == {young.id}
    assert world.payment(old.id).completed_at is not None
    # Every invariant holds afterwards, as after each test: the receipt is missing by right.
    assert "mails_life" in {mark.name for mark in world.rows(Watermark)}


def test_a_mail_that_is_still_being_sent_is_not_forgotten(world: World) -> None:
    payment = world.paid()
    [mail] = world.rows(Email)
    execute(world, "UPDATE emails SET created_at = now() - interval '401 days', sent_at = NULL")
    execute(
        world,
        "UPDATE jobs SET state = 'ready', finished_at = NULL, due_at = now() + interval '1 day' WHERE subject = :mail",
        mail=mail.id,
    )
    prune(world)
    assert [row.payment_id for row in world.rows(Email)] == [payment.id]


def test_old_events_go_with_their_deliveries_but_for_what_is_still_to_be_told(world: World, receiver: Receiver) -> None:
    endpoint, _ = endpoint_at(world.app, receiver.url)
    other, _ = endpoint_at(world.app, receiver.url, state=EndpointState.PAUSED)
    old, waits = told(world.app, endpoint), told(world.app, endpoint, other)
    young = told(world.app, endpoint)
    world.drain()
    for event in (old, waits):
        world.age("events", event, at="31 days")
    prune(world)
    assert {event.id for event in world.rows(Event)} == {waits, young}
    assert {(each.event_id, each.endpoint_id) for each in world.rows(WebhookDelivery)} == {
        (waits, endpoint),
        (waits, other),
        (young, endpoint),
    }
    assert len(world.rows(WebhookAttempt)) == 2
    assert {each.id for each in world.rows(WebhookEndpoint)} == {endpoint, other}
    execute(world, "UPDATE webhook_deliveries SET state = 'failed', ended_at = now() WHERE state = 'pending'")
    prune(world)
    assert {event.id for event in world.rows(Event)} == {young}


def old_dead_job(world: World) -> str:
    with world.app.database.transaction() as session:
        job = Job(kind="notice.apply", queue="notices", subject="ntc_x", dedupe_key="k", state=JobState.DEAD)
        job.finished_at = datetime.now(UTC)
        session.add(job)
        session.flush()
        open_review(session, ReviewKind.JOB_DEAD, job.id, detail="given up")
        job_id = job.id
    world.age("jobs", job_id, finished_at="91 days")
    return job_id


def test_a_dead_job_is_forgotten_once_nobody_is_asked_about_it(world: World) -> None:
    job_id = old_dead_job(world)
    prune(world)
    assert job_id in {job.id for job in world.rows(Job)}
    [review] = world.reviews()
    with world.app.database.transaction() as session:
        resolve(session, review.id, resolution="it does not matter")
    prune(world)
    assert job_id not in {job.id for job in world.rows(Job)}


def test_keys_ticks_and_finished_work_are_forgotten_when_they_are_old(world: World) -> None:
    world.paid()
    values = {"user": world.customer.id}
    into = "INSERT INTO idempotency_keys (user_id, key, fingerprint, locked_until, created_at) "
    key = into + "VALUES (:user, :key, '', now(), "
    execute(world, key + "now() - interval '73 hours')", key="old", **values)
    execute(world, key + "now())", key="young", **values)
    for days in (31, 1):
        execute(
            world,
            "INSERT INTO ticks (kind, period_start, created_at) VALUES ('k', now(), now() - make_interval(days => :d))",
            d=days,
        )
    execute(world, "UPDATE jobs SET finished_at = now() - interval '8 days' WHERE kind = 'payment.start'")
    prune(world)
    assert [row.key for row in world.rows(IdempotencyKey)] == ["young"]
    assert count(world, Tick) == 1
    kinds = {job.kind for job in world.rows(Job)}
    assert "payment.start" not in kinds
    assert "notice.apply" in kinds


def test_an_abandoned_run_forgets_what_it_came_across(world: World, seeded: Seeded) -> None:
    times: dict[str, Any] = {"started_at": seeded.now, "finished_at": None}
    still, lately = (seeded.run(state=RunState.RUNNING, loop=loop, **times) for loop in (Loop.OBJECTS, Loop.MONEY))
    for run in (still, lately):
        execute(world, "INSERT INTO reconciliation_marks (run_id, kind, ours) VALUES (:run, 'row', 'pay_1')", run=run)
    execute(world, "UPDATE reconciliation_runs SET touched_at = now() - interval '2 days' WHERE id = :id", id=still)
    prune(world)
    assert {mark.run_id for mark in world.rows(SeenKey)} == {lately}
    states = {run.id: run.state for run in world.rows(ReconciliationRun)}
    assert states == {still: RunState.ABANDONED, lately: RunState.RUNNING}


def test_old_runs_go_but_for_the_newest_and_those_whose_findings_stay(world: World, seeded: Seeded) -> None:
    ago = [seeded.now - timedelta(days=days) for days in (500, 490, 480, 470)]
    bare, found, closed, newest = (seeded.run(started_at=each) for each in ago)
    accepted = seeded.finding(FindingKind.AMOUNT_MISMATCH, opened_at=ago[1], run_id=found)
    gone = seeded.finding(FindingKind.STUCK, opened_at=ago[2], run_id=closed)
    execute(world, "UPDATE reconciliation_findings SET closed_at = now() - interval '401 days'")
    execute(world, "UPDATE reconciliation_findings SET accepted_at = closed_at WHERE id = :id", id=accepted)
    prune(world)
    assert {run.id for run in world.rows(ReconciliationRun)} == {found, newest}
    assert {finding.id for finding in world.rows(ReconciliationFinding)} == {accepted}
    assert bare != gone


@pytest.fixture(params=["nestloop", "hashjoin", "mergejoin"])
def joined(world: World, request: pytest.FixtureRequest) -> Iterator[None]:
    """One way of joining two tables, of which PostgreSQL takes what seems best to it: what it is must not matter."""
    joins = {"nestloop", "hashjoin", "mergejoin"} - {request.param}
    # And without what a join would rather find or sort first.
    others = sorted(joins | {"hashagg", "material", "sort", "indexscan", "indexonlyscan", "bitmapscan"})
    for other in others:
        choose(world, f"SET enable_{other} = off")
    yield
    for other in others:
        choose(world, f"RESET enable_{other}")


def choose(world: World, what: str) -> None:
    """Set or reset how a statement may be planned, for all who come to this database."""
    execute(world, f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {what}', current_database()); END $$")
    world.app.database.dispose()


# How many rows each statement has deleted.
_NOTE_DELETIONS = """
CREATE TABLE deletions (number serial, deleted int);
CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO deletions (deleted) SELECT count(*) FROM gone;
    RETURN NULL;
END $$;
CREATE TRIGGER note_deletion AFTER DELETE ON idempotency_keys
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_deletion();
"""


@pytest.mark.usefixtures("joined")
def test_what_is_forgotten_goes_a_few_rows_at_a_time(world: World) -> None:
    for number in range(5):
        execute(
            world,
            "INSERT INTO idempotency_keys (user_id, key, fingerprint, locked_until, created_at)"
            " VALUES (:user, :key, '', now(), now() - interval '80 hours')",
            user=world.customer.id,
            key=str(number),
        )
    execute(world, _NOTE_DELETIONS)
    assert pruning.forget(world.app, at_once=2)
    with world.app.database.transaction() as session:
        assert list(session.scalars(text("SELECT deleted FROM deletions ORDER BY number"))) == [2, 2, 1]


@pytest.mark.parametrize(
    ("size", "milliseconds", "following"),
    [(200, 26, 100), (200, 25, 225), (240, 1, 250), (250, 1, 250), (11, 40, 10), (10, 40, 10), (3, 40, 3), (1, 1, 2)],
)
def test_a_batch_that_held_its_rows_for_long_makes_the_next_one_half_as_large(
    size: int, milliseconds: int, following: int
) -> None:
    assert pruning.next_size(size, held=timedelta(milliseconds=milliseconds), most=250) == following


@pytest.mark.parametrize("microseconds_a_row", [20, 200, 2000])
def test_on_a_slow_machine_batches_soon_hold_their_rows_for_half_of_what_they_may(microseconds_a_row: int) -> None:
    size, held = 250, []
    for _ in range(40):
        held.append(timedelta(microseconds=size * microseconds_a_row))
        size = pruning.next_size(size, held=held[-1])
    assert max(held[6:]) < timedelta(milliseconds=30)


def test_a_long_pruning_stops_and_says_that_there_is_more(world: World) -> None:
    for number in range(3):
        dead = "INSERT INTO ticks (kind, period_start, created_at) VALUES (:kind, now(), now() - interval '40 days')"
        execute(world, dead, kind=str(number))
    assert not pruning.forget(world.app, at_once=1, seconds=-1)
    assert count(world, Tick) == 2
    prune(world)
    assert count(world, Tick) == 0
