import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update

from payproc import jobs
from payproc.database.engine import Database
from payproc.database.models import Job, JobState
from payproc.jobs import Claimed, Dispatched, Kind, LeaseLost
from payproc.providers.stripe import STRIPE

MINUTE = timedelta(minutes=1)
OVER = timedelta(0)  # a lease that has run out the moment its transaction ends


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def stage(database: Database, subject: str = "pay_1", *, due_at: datetime | None = None) -> None:
    with database.transaction() as session:
        jobs.stage(session, Kind.INQUIRE_PAYMENT, subject, method=STRIPE, due_at=due_at)


def dispatch(database: Database, *, limit: int = 10, lease: timedelta = MINUTE) -> list[Dispatched]:
    return jobs.dispatch(database, limit=limit, lease=lease)


def claim(database: Database, dispatched: list[Dispatched], *, lease: timedelta = MINUTE) -> list[Claimed]:
    return jobs.claim(database, [(one.job_id, one.token) for one in dispatched], token=uuid4(), lease=lease)


def claimed(database: Database, *, lease: timedelta = MINUTE) -> Claimed:
    stage(database)
    [job] = claim(database, dispatch(database), lease=lease)
    return job


def only_job(database: Database) -> Job:
    with database.transaction() as session:
        return session.scalars(select(Job)).one()


def make_due(database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.state == JobState.READY).values(due_at=func.now()))


def test_the_same_work_staged_twice_is_one_job(database: Database) -> None:
    stage(database)
    stage(database)
    assert only_job(database).subject == "pay_1"


def test_staging_works_on_a_connection_however_often_it_was_done_there(database: Database) -> None:
    for _ in range(3):
        with database.transaction() as session:
            for number in range(20):
                jobs.stage(session, Kind.INQUIRE_PAYMENT, f"pay_{number}", method=STRIPE)
    assert len(dispatch(database, limit=100)) == 20


def test_other_work_is_another_job(database: Database) -> None:
    stage(database, "pay_1")
    stage(database, "pay_2")
    with database.transaction() as session:
        jobs.stage(session, Kind.CANCEL_PAYMENT, "pay_1", method=STRIPE)
    assert len(dispatch(database)) == 3


def test_work_staged_anew_for_an_earlier_time_is_brought_forward(database: Database) -> None:
    later, soon = datetime.now(UTC) + timedelta(hours=2), datetime.now(UTC) + timedelta(hours=1)
    for due_at in (later, soon, later):
        stage(database, due_at=due_at)
    assert only_job(database).due_at == soon


def test_work_staged_in_a_transaction_that_fails_does_not_exist(database: Database) -> None:
    with contextlib.suppress(ZeroDivisionError), database.transaction() as session:
        jobs.stage(session, Kind.INQUIRE_PAYMENT, "pay_1", method=STRIPE)
        raise ZeroDivisionError
    assert dispatch(database) == []


def test_work_that_is_done_can_be_staged_again(database: Database) -> None:
    job = claimed(database)
    with database.transaction() as session:
        jobs.finish(session, job)
        jobs.stage(session, Kind.INQUIRE_PAYMENT, "pay_1", method=STRIPE)
    [dispatched] = dispatch(database)
    assert dispatched.job_id != job.id


def test_work_staged_while_it_runs_runs_once_more(database: Database) -> None:
    job = claimed(database)
    stage(database)
    with database.transaction() as session:
        jobs.finish(session, job)
    [again] = claim(database, dispatch(database))
    assert again.id == job.id
    assert again.crashes == 0
    with database.transaction() as session:
        jobs.finish(session, again)
    assert only_job(database).state is JobState.DONE


def test_what_is_not_due_yet_is_not_dispatched(database: Database) -> None:
    stage(database, due_at=datetime.now(UTC) + timedelta(hours=1))
    assert dispatch(database) == []


def test_the_oldest_are_dispatched_first_and_only_as_many_as_asked_for(database: Database) -> None:
    moment = datetime.now(UTC) - timedelta(hours=1)
    for age in range(4):
        stage(database, f"pay_{age}", due_at=moment - age * MINUTE)
    assert {job.subject for job in dispatch(database, limit=2)} == {"pay_3", "pay_2"}
    assert {job.subject for job in dispatch(database, limit=2)} == {"pay_1", "pay_0"}


def test_a_dispatched_job_is_leased_and_not_dispatched_again(database: Database) -> None:
    stage(database)
    assert len(dispatch(database)) == 1
    assert dispatch(database) == []


def test_a_message_that_nobody_took_is_sent_again_under_another_token(database: Database) -> None:
    stage(database)
    [first] = dispatch(database, lease=OVER)
    [second] = dispatch(database)
    assert second.job_id == first.job_id
    assert claim(database, [first]) == []
    assert len(claim(database, [second])) == 1


def test_two_relays_at_once_share_the_work_and_double_none(database: Database) -> None:
    with database.transaction() as session:
        for number in range(40):
            jobs.stage(session, Kind.CANCEL_PAYMENT, f"pay_{number}", method=STRIPE)
    with ThreadPoolExecutor(4) as relays:
        parts = list(relays.map(lambda _: dispatch(database, limit=10), range(8)))
    dispatched = [one.subject for part in parts for one in part]
    assert len(dispatched) == len(set(dispatched))
    rest = [one.subject for one in dispatch(database, limit=40)]
    assert sorted(dispatched + rest) == sorted(f"pay_{number}" for number in range(40))


def test_a_relay_passes_over_what_another_has_in_hand_without_waiting(database: Database) -> None:
    stage(database)
    with database.transaction() as other:
        other.execute(select(Job).with_for_update())
        assert dispatch(database) == []
    assert len(dispatch(database)) == 1


def test_a_job_is_claimed_once_however_often_its_message_comes(database: Database) -> None:
    stage(database)
    dispatched = dispatch(database)
    assert len(claim(database, dispatched)) == 1
    assert claim(database, dispatched) == []
    assert only_job(database).attempts == 1


def test_a_message_delivered_to_two_workers_at_once_is_claimed_by_one(database: Database) -> None:
    stage(database)
    dispatched = dispatch(database)
    with ThreadPoolExecutor(4) as workers:
        starts = list(workers.map(lambda _: len(claim(database, dispatched)), range(4)))
    assert sorted(starts) == [0, 0, 0, 1]


def test_a_stale_token_claims_nothing(database: Database) -> None:
    stage(database)
    [dispatched] = dispatch(database)
    assert jobs.claim(database, [(dispatched.job_id, uuid4())], token=uuid4(), lease=MINUTE) == []
    assert only_job(database).attempts == 0


def test_no_message_at_all_claims_nothing(database: Database) -> None:
    stage(database)
    dispatch(database)
    assert jobs.claim(database, [], token=uuid4(), lease=MINUTE) == []
    assert only_job(database).attempts == 0


def test_a_worker_that_died_leaves_the_job_due_and_a_crash_counted_against_it(database: Database) -> None:
    dead = claimed(database, lease=OVER)
    [next_one] = claim(database, dispatch(database))
    assert next_one.id == dead.id
    assert (next_one.attempts, next_one.crashes) == (2, 1)


def test_a_run_whose_lease_was_taken_over_may_not_finish(database: Database) -> None:
    slow = claimed(database, lease=OVER)
    claim(database, dispatch(database))
    with pytest.raises(LeaseLost), database.transaction() as session:
        jobs.finish(session, slow)
    with pytest.raises(LeaseLost), database.transaction() as session:
        jobs.retry_later(session, slow, error="slow", after=OVER)
    with pytest.raises(LeaseLost), database.transaction() as session:
        jobs.count_crash(session, slow, error="slow", after=OVER)
    with pytest.raises(LeaseLost), database.transaction() as session:
        jobs.bury(session, slow, error="slow")
    assert only_job(database).state is JobState.READY


def test_a_run_that_lost_its_lease_takes_its_effect_back(database: Database) -> None:
    slow = claimed(database, lease=OVER)
    claim(database, dispatch(database))
    with contextlib.suppress(LeaseLost), database.transaction() as session:
        jobs.stage(session, Kind.SEND_MAIL, "eml_1")
        jobs.finish(session, slow)
    assert only_job(database).kind == Kind.INQUIRE_PAYMENT


def test_a_job_cannot_be_finished_twice(database: Database) -> None:
    job = claimed(database)
    with database.transaction() as session:
        jobs.finish(session, job)
    with pytest.raises(LeaseLost), database.transaction() as session:
        jobs.finish(session, job)


def test_a_job_put_back_waits_keeps_its_error_and_counts_no_crash(database: Database) -> None:
    job = claimed(database)
    with database.transaction() as session:
        jobs.retry_later(session, job, error="no answer", after=timedelta(hours=1))
    assert dispatch(database) == []
    row = only_job(database)
    assert (row.last_error, row.crashes, row.leased_until, row.lease_token) == ("no answer", 0, None, None)
    make_due(database)
    [again] = claim(database, dispatch(database))
    assert (again.attempts, again.crashes) == (2, 0)


def test_five_crashes_are_enough(database: Database) -> None:
    stage(database)
    for count in range(1, jobs.MOST_CRASHES + 1):
        [job] = claim(database, dispatch(database))
        with database.transaction() as session:
            may_retry = jobs.count_crash(session, job, error="defect: KeyError", after=OVER)
            assert may_retry is (count < jobs.MOST_CRASHES)
            if not may_retry:
                jobs.bury(session, job, error="defect: KeyError")
    row = only_job(database)
    assert (row.state, row.crashes, row.last_error) == (JobState.DEAD, 5, "defect: KeyError")
    assert dispatch(database) == []


def test_a_job_that_kills_its_workers_collects_crashes_until_it_is_known_for_it(database: Database) -> None:
    stage(database)
    crashes = [claim(database, dispatch(database), lease=OVER)[0].crashes for _ in range(jobs.MOST_CRASHES + 1)]
    assert crashes == [0, 1, 2, 3, 4, 5]


def test_dead_work_does_not_stop_the_same_work_from_being_staged(database: Database) -> None:
    job = claimed(database)
    with database.transaction() as session:
        jobs.bury(session, job, error="refused")
    stage(database)
    [dispatched] = dispatch(database)
    assert dispatched.job_id != job.id


def test_a_requeued_job_is_due_now_with_a_clean_slate(database: Database) -> None:
    job = claimed(database)
    with database.transaction() as session:
        session.execute(update(Job).values(crashes=5))
        jobs.bury(session, job, error="refused")
    with database.transaction() as session:
        jobs.requeue(session, session.get_one(Job, job.id))
    [again] = claim(database, dispatch(database))
    assert (again.id, again.crashes) == (job.id, 0)
    assert only_job(database).finished_at is None


def test_a_job_buried_by_hand_is_taken_from_whoever_runs_it(database: Database) -> None:
    job = claimed(database)
    with database.transaction() as session:
        jobs.bury_by_hand(session, session.get_one(Job, job.id), error="not wanted")
    with pytest.raises(LeaseLost), database.transaction() as session:
        jobs.finish(session, job)
    row = only_job(database)
    assert (row.state, row.last_error) == (JobState.DEAD, "not wanted")


def test_a_job_carries_its_payload_to_its_worker(database: Database) -> None:
    with database.transaction() as session:
        jobs.stage(session, Kind.INQUIRE_PAYMENT, "pay_1", method=STRIPE, payload={"polled": 3})
    [job] = claim(database, dispatch(database))
    assert job.payload == {"polled": 3}


def test_every_kind_has_a_policy() -> None:
    assert all(kind.policy.name == kind for kind in Kind)
    assert all(kind.policy.batch >= 1 for kind in Kind)


def test_the_database_itself_refuses_two_open_jobs_for_the_same_work(database: Database) -> None:
    stage(database)
    columns = "kind, queue, subject, dedupe_key"
    copy = text(f"INSERT INTO jobs (id, {columns}) SELECT 'job_2', {columns} FROM jobs")  # noqa: S608 (our own words)
    with pytest.raises(Exception, match="uq_jobs_open"), database.transaction() as session:
        session.execute(copy)


bases = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(minutes=10))
jitters = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(st.integers(min_value=1, max_value=10**6), bases, jitters)
def test_a_wait_is_between_half_and_all_of_its_step_and_never_over_ten_minutes(
    attempts: int, base: timedelta, jitter: float
) -> None:
    step = min(base * 2 ** min(attempts - 1, 20), timedelta(minutes=10))
    wait = jobs.backoff(attempts, base=base, jitter=jitter)
    assert step / 2 <= wait <= step


@given(st.integers(min_value=1, max_value=100), bases, jitters)
def test_a_later_try_never_waits_less(attempts: int, base: timedelta, jitter: float) -> None:
    wait = jobs.backoff(attempts, base=base, jitter=jitter)
    assert jobs.backoff(attempts + 1, base=base, jitter=jitter) >= wait


def test_a_kind_of_another_release_is_left_for_it_and_stops_nothing(database: Database) -> None:
    stage(database)
    columns = "kind, queue, subject, dedupe_key"
    with database.transaction() as session:
        session.execute(text(f"INSERT INTO jobs (id, {columns}) VALUES ('job_x', 'refund.start', 'mail', 's', 'd')"))  # noqa: S608 (our own words)
    assert [one.kind for one in dispatch(database)] == [Kind.INQUIRE_PAYMENT]


def test_what_was_leased_and_perhaps_not_sent_can_be_sent_again(database: Database) -> None:
    stage(database, "pay_1")
    stage(database, "pay_2")
    token = uuid4()
    leased = jobs.dispatch(database, limit=10, lease=MINUTE, token=token)
    claim(database, leased[:1])
    again = jobs.recall(database, token)
    assert jobs.recall(database, uuid4()) == []
    assert again == leased[1:], "what has begun is not sent again"
    assert len(claim(database, again)) == 1


def held_for(database: Database) -> timedelta:
    """How much of its lease a job has left."""
    with database.transaction() as session:
        job = session.scalars(select(Job)).one()
        assert job.leased_until is not None
        return job.leased_until - session.scalars(select(func.now())).one()


def test_a_claim_whose_answer_was_lost_is_repeated_and_counts_once(database: Database) -> None:
    stage(database)
    messages, token = [(one.job_id, one.token) for one in dispatch(database)], uuid4()
    for _ in range(3):
        [job] = jobs.claim(database, messages, token=token, lease=MINUTE)
        assert (job.token, job.attempts, job.crashes) == (token, 1, 0)
    assert jobs.claim(database, messages, token=uuid4(), lease=MINUTE) == [], "another run has its own token"


def test_a_job_that_is_run_is_held_by_renewing_its_lease(database: Database) -> None:
    job = claimed(database, lease=timedelta(seconds=1))
    with database.transaction() as session:
        jobs.renew(session, [job], lease=MINUTE)
    assert held_for(database) > timedelta(seconds=50)


def test_what_has_ended_or_is_anothers_is_not_renewed(database: Database) -> None:
    slow = claimed(database, lease=OVER)
    [other] = claim(database, dispatch(database), lease=timedelta(seconds=5))
    with database.transaction() as session:
        jobs.renew(session, [slow], lease=MINUTE)
    assert held_for(database) < timedelta(seconds=6)
    with database.transaction() as session:
        jobs.finish(session, other)
    with database.transaction() as session:
        jobs.renew(session, [other], lease=MINUTE)
    assert only_job(database).leased_until is None


def test_a_job_that_waits_for_its_turn_has_not_failed(database: Database) -> None:
    job = claimed(database)
    with database.transaction() as session:
        jobs.await_turn(session, job, error="too many requests", after=OVER)
    [again] = claim(database, dispatch(database))
    assert (again.attempts, again.crashes, only_job(database).last_error) == (1, 0, "too many requests")
