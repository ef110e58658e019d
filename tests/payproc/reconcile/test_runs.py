"""A run: once a period, one at a time, and on from where it stood whatever died."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from payproc import jobs
from payproc.database.models import FindingKind, Job, JobState, Loop, ReconciliationRun, RunState, SeenKey
from payproc.domain.states import PaymentStatus
from payproc.errors import Conflict, ProviderUnavailable
from payproc.operations import clock
from payproc.providers.listing import Window
from payproc.providers.stripe import STRIPE
from payproc.reconcile import runs, schedule
from payproc.reconcile.objects import steps as objects
from tasks import runner
from tests.payproc.reconcile.audit import Audit
from tests.support.faults.crashes import Crash, DyingDatabase

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def begin(audit: Audit, period: str = "noon", loop: Loop = Loop.OBJECTS) -> ReconciliationRun:
    now = datetime.now(UTC)
    window = Window(begin=now - timedelta(days=2), end=now + timedelta(seconds=2))
    return runs.begin(audit.world.app, loop, STRIPE, period=period, window=window)


def test_the_same_period_is_the_same_run(audit: Audit) -> None:
    first = begin(audit)
    runs.resume(audit.world.app, first.id, objects.STEPS)
    assert begin(audit).id == first.id
    assert begin(audit).state is RunState.DONE


def test_while_one_run_goes_on_no_other_of_its_loop_begins(audit: Audit) -> None:
    begin(audit)
    with pytest.raises(Conflict) as refused:
        begin(audit, "one o'clock")
    assert refused.value.code == "reconciliation_under_way"
    assert begin(audit, loop=Loop.MONEY).state is RunState.RUNNING


def test_a_run_that_nobody_carries_on_makes_way_after_five_minutes(audit: Audit) -> None:
    left = begin(audit)
    audit.world.age("reconciliation_runs", left.id, touched_at="6 minutes")
    following = begin(audit, "one o'clock")
    assert following.state is RunState.RUNNING
    assert begin(audit).state is RunState.ABANDONED


def test_who_comes_back_to_a_run_that_was_given_up_writes_nothing(audit: Audit) -> None:
    lost = audit.world.started()
    audit.world.act(lost, "pay")
    run = begin(audit)

    def is_overtaken(_: ReconciliationRun) -> None:
        with audit.world.app.database.transaction() as session:
            session.get_one(ReconciliationRun, run.id).state = RunState.ABANDONED

    steps = objects.STEPS[2:]
    with pytest.raises(Conflict):
        runs.resume(audit.world.app, run.id, steps, progress=is_overtaken)
    assert runs.resume(audit.world.app, run.id, objects.STEPS).state is RunState.ABANDONED
    assert audit.world.status(lost.id) is PaymentStatus.PENDING


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", range(1, 9))
def test_a_run_that_dies_at_any_commit_goes_on_and_tells_everything_once(
    audit: Audit, commit: int, after: bool
) -> None:
    world = audit.world
    lost, altered = world.started(), audit.paid()
    world.act(lost, "pay")
    audit.patch(altered.stripe_payment_intent_id, amount_received=1)
    run = begin(audit)
    dying = DyingDatabase(world.app.settings.database_url, commit=commit, after=after)
    with pytest.raises(Crash):
        runs.resume(replace(world.app, database=dying), run.id, objects.STEPS)
    dying.dispose()
    done = runs.resume(world.app, run.id, objects.STEPS)

    assert done.state is RunState.DONE
    assert audit.kinds() == [FindingKind.AMOUNT_MISMATCH, FindingKind.MISSED_EVENT]
    assert world.status(lost.id) is PaymentStatus.COMPLETED
    assert done.counts["compared"]["payments"] == 2
    assert world.rows(SeenKey) == []


def test_a_run_stops_after_the_page_that_was_enough_and_goes_on(audit: Audit) -> None:
    audit.paid()
    run = begin(audit)
    stopped = runs.resume(audit.world.app, run.id, objects.STEPS, enough=lambda: True)
    assert (stopped.state, stopped.position) == (RunState.RUNNING, {"step": "our payments", "cursor": None})
    assert runs.resume(audit.world.app, run.id, objects.STEPS).state is RunState.DONE


def test_a_provider_that_is_down_leaves_the_run_where_it_stood(audit: Audit) -> None:
    audit.paid()
    run = begin(audit)
    audit.world.break_stripe("GET /v1/refunds", "error_500_before", times=4)
    with pytest.raises(ProviderUnavailable):
        runs.resume(audit.world.app, run.id, objects.STEPS)
    with audit.world.app.database.transaction() as session:
        assert session.get_one(ReconciliationRun, run.id).position == {"step": "refunds", "cursor": None}
    audit.world.mend_stripe()
    assert runs.resume(audit.world.app, run.id, objects.STEPS).state is RunState.DONE


class TestByTheClock:
    def tick(self, audit: Audit, kind: jobs.Kind) -> bool:
        with audit.world.app.database.transaction() as session:
            return clock.tick(session, kind, now=NOON)

    def work(self, audit: Audit, kind: jobs.Kind) -> Job:
        audit.world.drain()
        [job] = [job for job in audit.world.rows(Job) if job.kind == kind]
        assert isinstance(job, Job)
        return job

    # The wallets' own tests are in wallets/: no wallet is set up here.
    @pytest.mark.parametrize("kind", [kind for kind, plan in schedule.PLANS.items() if plan.loop is not Loop.WALLETS])
    def test_each_loop_runs_once_a_period_however_often_the_clock_ticks(self, audit: Audit, kind: jobs.Kind) -> None:
        audit.paid()
        assert self.tick(audit, kind)
        assert not self.tick(audit, kind)
        assert self.work(audit, kind).state is JobState.DONE
        [run] = audit.world.rows(ReconciliationRun)
        assert (run.state, run.loop) == (RunState.DONE, schedule.PLANS[kind].loop)

    def test_a_lost_webhook_is_made_up_for_within_its_period(self, audit: Audit) -> None:
        lost = audit.world.started()
        audit.world.act(lost, "pay")
        for event in audit.world.stripe_events(lost):
            # A window ends with the last whole second.
            audit.patch(event["id"], created=event["created"] - 2)
        self.tick(audit, jobs.Kind.RECONCILE_EVENTS)
        self.work(audit, jobs.Kind.RECONCILE_EVENTS)
        assert audit.world.status(lost.id) is PaymentStatus.COMPLETED

    def test_a_long_run_is_worked_in_slices(self, audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
        audit.paid()
        sliced = partial(schedule.run_slice, longest=timedelta(0))
        monkeypatch.setitem(runner.HANDLERS, jobs.Kind.RECONCILE_OBJECTS, sliced)
        self.tick(audit, jobs.Kind.RECONCILE_OBJECTS)
        assert self.work(audit, jobs.Kind.RECONCILE_OBJECTS).state is JobState.DONE
        [run] = audit.world.rows(ReconciliationRun)
        assert run.state is RunState.DONE

    def test_a_period_waits_for_another_run_of_its_loop(self, audit: Audit) -> None:
        going_on = begin(audit)
        self.tick(audit, jobs.Kind.RECONCILE_OBJECTS)
        waiting = self.work(audit, jobs.Kind.RECONCILE_OBJECTS)
        assert (waiting.state, "going on" in (waiting.last_error or "")) == (JobState.READY, True)
        runs.resume(audit.world.app, going_on.id, objects.STEPS)
        audit.world.make_due()
        assert self.work(audit, jobs.Kind.RECONCILE_OBJECTS).state is JobState.DONE
