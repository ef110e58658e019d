"""A task's time is over while it waits for somebody: that is ours to note, and nothing that the other did."""

import os
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from payproc import jobs
from payproc.database.models import Job, JobState, Payment
from payproc.domain.states import PaymentStatus
from tasks import runner
from tasks.time_limit import raise_as_ours
from tests.support.waiting import wait_until
from tests.support.world import World

SESSION = "GET /v1/checkout/sessions/{id}"
# Seen in the gateway's log while it hangs; a slow answer is only seen once given, when there is nothing left to end.
UNANSWERED = "timeout_before"


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """Let the limit's signal mean what it means in a worker."""
    before = signal.getsignal(signal.SIGUSR1)
    raise_as_ours()
    yield
    signal.signal(signal.SIGUSR1, before)


def job_of(world: World, payment: Payment) -> Job:
    [job] = [job for job in world.rows(Job) if job.subject == payment.id and job.state != JobState.DONE]
    assert isinstance(job, Job)
    return job


def run_out_of_time(world: World, payments: list[Payment]) -> None:
    """Run the polls of these payments in one message, whose time is over while Stripe is asked about the first."""
    order = {payment.id: place for place, payment in enumerate(payments)}
    sent = jobs.dispatch(world.app.database, limit=10, lease=world.app.settings.work_lease)
    sent.sort(key=lambda each: order[each.subject])

    def end() -> None:
        path = f"GET /v1/checkout/sessions/{payments[0].stripe_session_id}"
        wait_until(lambda: world.requests_to(path), what="the question")
        os.kill(os.getpid(), signal.SIGUSR1)

    clock = threading.Thread(target=end)
    clock.start()
    runner.run(world.app, [(each.job_id, each.token) for each in sent])
    clock.join()


@pytest.fixture
def slow(world: World) -> World:
    patient: dict[str, Any] = {"provider_read_timeout": timedelta(seconds=50)}
    return world.with_settings(**patient)


def test_a_limit_that_ends_while_stripe_is_asked_is_a_strike_and_no_lost_connection(slow: World) -> None:
    payment = slow.started()
    slow.make_due()
    slow.break_stripe(SESSION, UNANSWERED, times=1, seconds=60)
    run_out_of_time(slow, [payment])
    job = job_of(slow, payment)
    assert (job.crashes, job.last_error) == (1, "defect: TimeLimitReached")
    assert slow.status(payment.id) is PaymentStatus.PENDING


def test_a_job_that_never_ends_in_its_time_goes_to_a_person(slow: World) -> None:
    payment = slow.started()
    with slow.app.database.transaction() as session:
        for job in session.query(Job).where(Job.subject == payment.id):
            job.crashes = jobs.MOST_CRASHES - 1
    slow.make_due()
    slow.break_stripe(SESSION, UNANSWERED, times=1, seconds=60)
    run_out_of_time(slow, [payment])
    assert [(review.kind, review.payment_id) for review in slow.reviews()] == [("job_dead", payment.id)]
