"""Events that never arrived: fetched from Stripe's own list into the same inbox."""

from datetime import UTC, datetime, timedelta

from payproc.database.models import Email, Job, JobState, Loop, Notice, NoticeState
from payproc.domain.states import PaymentStatus
from payproc.reconcile import events
from tests.payproc.reconcile.audit import Audit

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_what_never_arrived_is_kept_and_applied_and_what_did_is_left_alone(audit: Audit) -> None:
    world = audit.world
    told, lost = audit.paid(), world.started()
    world.act(lost, "pay")
    arrived = {notice.key for notice in world.rows(Notice)}
    run = audit.run(Loop.EVENTS)
    world.drain()

    assert world.status(lost.id) is PaymentStatus.COMPLETED
    assert run.counts["events"]["kept"] == len(world.rows(Notice)) - len(arrived) > 0
    assert {notice.state for notice in world.rows(Notice)} <= {NoticeState.APPLIED, NoticeState.IGNORED}
    assert sorted(email.payment_id or "" for email in world.rows(Email)) == sorted([told.id, lost.id])
    assert audit.findings() == []


def test_a_second_look_keeps_nothing(audit: Audit) -> None:
    world = audit.world
    lost = world.started()
    world.act(lost, "pay")
    audit.run(Loop.EVENTS)
    before = len(world.rows(Notice))
    assert audit.run(Loop.EVENTS).counts["events"]["kept"] == 0
    assert len(world.rows(Notice)) == before


def test_an_event_that_arrives_after_it_was_fetched_is_known(audit: Audit) -> None:
    world = audit.world
    lost = world.started()
    world.act(lost, "pay")
    audit.run(Loop.EVENTS)
    world.deliver_all(lost)
    world.drain()
    keys = [notice.key for notice in world.rows(Notice)]
    assert len(keys) == len(set(keys))
    assert world.status(lost.id) is PaymentStatus.COMPLETED


def test_a_dry_look_counts_what_it_would_keep(audit: Audit) -> None:
    world = audit.world
    lost = world.started()
    world.act(lost, "pay")
    run = audit.run(Loop.EVENTS, dry_run=True)
    assert run.counts["events"]["would be kept"] > 0
    assert world.rows(Notice) == []
    assert [job for job in world.rows(Job) if job.kind == "notice.apply" and job.state is JobState.READY] == []


def test_a_look_overlaps_the_last_one_and_goes_back_no_further_than_stripe_remembers() -> None:
    first = events.window(NOON, last_end=None)
    assert (first.begin, first.end) == (NOON - timedelta(days=1), NOON)
    assert events.window(NOON, last_end=NOON - timedelta(minutes=5)).begin == NOON - timedelta(minutes=65)
    assert events.window(NOON, last_end=NOON - timedelta(days=90)).begin == NOON - timedelta(days=29)
