from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from payproc.database.models import Job, Payment
from payproc.domain.states import PaymentStatus
from payproc.flows.poll import next_poll
from payproc.operations import actions
from tests.support.world import World

SESSION = "GET /v1/checkout/sessions/{id}"


def polls(world: World) -> list[Job]:
    return [job for job in world.rows(Job) if job.kind == "payment.inquire" and job.state == "ready"]


def test_a_payment_whose_webhook_never_came_is_found_paid(world: World) -> None:
    payment = world.started()
    world.act(payment, "pay")
    world.make_due()
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert polls(world) == []


def test_a_payment_whose_webhook_came_in_time_is_not_asked_about_at_all(world: World) -> None:
    payment = world.started()
    assert len(polls(world)) == 1
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()

    assert polls(world) == []
    assert world.requests_to(f"GET /v1/checkout/sessions/{payment.stripe_session_id}") == []


def test_a_payment_that_was_never_started_is_started_rather_than_asked_about(world: World) -> None:
    payment = world.checkout()
    with world.app.database.transaction() as session:
        [start] = session.scalars(select(Job))
        actions.bury_job(session, start, reason="wrong key")
    with world.app.database.transaction() as session:
        actions.ask_again(session, session.get_one(Payment, payment.id))
    world.drain()

    assert world.payment(payment.id).stripe_session_id is not None


def test_an_unpaid_payment_is_asked_about_again_later(world: World) -> None:
    payment = world.started()
    [first] = polls(world)
    world.make_due()
    world.drain()

    [second] = polls(world)
    assert second.id != first.id
    assert second.payload == {"polled": 1}
    assert world.status(payment.id) is PaymentStatus.PENDING


def test_running_out_of_patience_with_stripe_never_fails_a_payment(world: World) -> None:
    payment = world.started()
    world.break_stripe(SESSION, "error_500_before", times=None)
    for _ in range(3):
        world.make_due()
        world.drain_once()

    assert world.status(payment.id) is PaymentStatus.PENDING
    assert len(polls(world)) == 1
    world.mend_stripe()
    world.act(payment, "pay")
    world.make_due()
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED


def test_a_payment_nobody_could_settle_in_ten_days_goes_to_a_person(world: World) -> None:
    payment = world.started()
    world.age("payments", payment.id, created_at="11 days")
    world.make_due()
    world.drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    assert [review.kind for review in world.reviews()] == ["unsettled"]
    assert polls(world) == []


def test_success_that_comes_after_expiry_lifts_the_payment_and_asks_a_person(world: World) -> None:
    payment = world.started()
    world.act(payment, "expire")
    world.deliver_all(payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.CANCELLED

    [event] = [e for e in world.stripe_events(payment) if e["type"] == "checkout.session.expired"]
    late = event | {"id": "evt_late", "type": "checkout.session.completed"}
    late["data"]["object"] |= {"status": "complete", "payment_status": "paid"}
    world.deliver(late)
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert [review.kind for review in world.reviews()] == ["paid_late"]


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCHEDULE = (timedelta(seconds=60), timedelta(minutes=5), timedelta(hours=1))


@given(polled=st.integers(0, 1000), age=st.timedeltas(timedelta(0), timedelta(days=12)))
def test_the_next_poll_is_always_ahead_and_within_a_tenth_of_its_step(polled: int, age: timedelta) -> None:
    created = NOW - age
    due = next_poll(NOW, polled=polled, end=created + timedelta(days=1), schedule=SCHEDULE)
    step = timedelta(days=1) if age > timedelta(hours=25) else SCHEDULE[min(polled, 2)]

    assert step * 0.9 <= due - NOW <= step * 1.1
