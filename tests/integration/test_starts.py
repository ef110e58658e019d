import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import stripe
from pydantic import SecretStr
from sqlalchemy import select, update

from payproc import jobs
from payproc.database.models import CallState, Circuit, Job, JobState, Payment, ProviderCall, User
from payproc.domain.states import PaymentStatus
from payproc.errors import Refusal, RequestRefused
from payproc.flows import start
from payproc.operations import actions
from payproc.providers import registry
from payproc.providers.requests import Operation, PreparedCall
from payproc.providers.stripe.client import translate
from payproc.records import provider_calls
from tests.support.waiting import wait_until
from tests.support.world import World

SESSIONS = "POST /v1/checkout/sessions"
CUSTOMERS = "POST /v1/customers"


def keys_sent(world: World, path: str = SESSIONS) -> set[str]:
    return {request["idempotency_key"] for request in world.requests_to(path)}


def test_an_answer_lost_on_the_way_is_asked_for_again_under_the_same_key(world: World) -> None:
    world.break_stripe(SESSIONS, "timeout_after", times=None, seconds=0)
    payment = world.checkout()
    world.drain()
    assert world.payment(payment.id).stripe_session_id is None
    assert world.status(payment.id) is PaymentStatus.PENDING

    world.mend_stripe()
    world.make_due()
    world.drain()
    started = world.payment(payment.id)
    assert world.sessions_at_stripe() == [started.stripe_session_id]
    assert len(keys_sent(world)) == 1


def test_an_error_after_executing_is_never_taken_for_a_failure(world: World) -> None:
    world.break_stripe(SESSIONS, "error_502_after", times=1)
    payment = world.started()

    assert payment.status is PaymentStatus.PENDING
    assert world.sessions_at_stripe() == [payment.stripe_session_id]


@pytest.mark.parametrize("operation", [SESSIONS, CUSTOMERS])
def test_an_error_that_stripe_keeps_under_the_key_is_looked_behind(world: World, operation: str) -> None:
    world.break_stripe(operation, "error_500_after", times=1)
    payment = world.checkout()
    # The SDK asks once more under the key, and is given the same answer: it will be given no other.
    world.drain_once()

    assert world.sessions_at_stripe() == [world.payment(payment.id).stripe_session_id]
    keys = {request["idempotency_key"] for request in world.requests_to(operation)}
    assert len(keys) == 1, "another key would have made another"


def test_a_look_up_that_is_refused_says_nothing_about_the_call(world: World) -> None:
    world.break_stripe(SESSIONS, "error_500_after", times=1)
    world.break_stripe("GET /v1/checkout/sessions", "balance_short", times=1)
    payment = world.checkout()
    world.drain()
    assert (world.status(payment.id), world.payment(payment.id).stripe_session_id) == (PaymentStatus.PENDING, None)

    world.make_due()
    world.drain()
    assert world.sessions_at_stripe() == [world.payment(payment.id).stripe_session_id]
    assert len(keys_sent(world)) == 1, "another key would have made another"


def test_a_crowd_of_first_payments_makes_one_customer_and_is_no_outage(world: World) -> None:
    # All in one message: while the first makes the customer, Stripe answers 409 to the others, more than five times.
    world.break_stripe(CUSTOMERS, "slow", times=1, seconds=1.5)
    payments = [world.checkout() for _ in range(8)]
    world.drain_once()
    assert {row.state for row in world.rows(Circuit)} <= {"closed"}

    def all_begun() -> bool:
        world.drain()
        return all(world.payment(payment.id).stripe_session_id for payment in payments)

    wait_until(all_begun, what="eight sessions")
    assert len({request["idempotency_key"] for request in world.requests_to(CUSTOMERS)}) == 1
    assert len(keys_sent(world)) == len(world.sessions_at_stripe()) == 8


def test_html_with_status_200_is_not_an_answer(world: World) -> None:
    world.break_stripe(SESSIONS, "html_200", times=1)
    payment = world.checkout()
    world.drain_once()

    assert world.status(payment.id) is PaymentStatus.PENDING
    world.make_due()
    world.drain()
    assert world.payment(payment.id).stripe_session_id is not None


def test_too_many_requests_wait_and_then_succeed(world: World) -> None:
    world.break_stripe(SESSIONS, "rate_limit_429", times=2)
    payment = world.checkout()
    world.drain()
    for _ in range(2):
        world.make_due()
        world.drain()

    assert world.payment(payment.id).stripe_session_id is not None
    assert len(keys_sent(world)) == 1


@pytest.mark.parametrize("seconds", [0, 1])
def test_ten_checkouts_that_are_too_many_at_once_are_all_begun_soon(world: World, seconds: int) -> None:
    # More than the five failures of which a breaker would make an outage.
    world.break_stripe(SESSIONS, "rate_limit_429", times=7, seconds=seconds)
    payments = [world.checkout() for _ in range(10)]
    began = time.monotonic()

    def all_begun() -> bool:
        world.drain()
        return all(world.payment(payment.id).stripe_session_id for payment in payments)

    wait_until(all_begun, what="ten sessions")
    assert time.monotonic() - began < 25, "seven 429s one after the other, and no minute of an open breaker"
    assert len(world.sessions_at_stripe()) == 10
    assert len(keys_sent(world)) == 10


def test_while_stripe_asks_for_patience_nobody_calls_it_and_no_attempt_is_counted(world: World) -> None:
    world.break_stripe(SESSIONS, "rate_limit_429", times=None, seconds=60)
    payment = world.checkout()
    world.drain()
    calls = len(world.requests_to(SESSIONS))
    for _ in range(3):
        world.make_due()
        world.drain()
    assert (calls, len(world.requests_to(SESSIONS))) == (1, 1)
    [job] = [job for job in world.rows(Job) if job.subject == payment.id]
    assert (job.state, job.attempts) == (JobState.READY, 0)
    assert job.due_at - datetime.now(UTC) > timedelta(seconds=55)


def test_what_stripe_refuses_for_good_fails_the_payment_with_its_reason(world: World) -> None:
    payment = world.checkout(money=None, order_id=world.order("big", amount_minor=50).id)
    with world.app.database.transaction() as session:
        session.get_one(Payment, payment.id).amount_minor = 10
    world.drain()

    failed = world.payment(payment.id)
    assert failed.status is PaymentStatus.FAILED
    assert failed.failure_code == "amount_too_small"


def test_a_key_that_stripe_refuses_leaves_the_payment_open_and_asks_an_operator(world: World) -> None:
    settings = world.app.settings.model_copy(update={"stripe_secret_key": SecretStr("pk_not_a_secret_key")})
    locked_out = replace(world.app, settings=settings, providers=registry.build(settings))
    payment = world.checkout()
    replace(world, app=locked_out).drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    [review] = world.reviews()
    assert (review.kind, review.subject) == ("configuration", "provider.stripe")

    world.make_due()
    world.drain()
    assert world.payment(payment.id).stripe_session_id is not None


@pytest.mark.parametrize(
    "words",
    [
        {"full_name": "A" * 328},
        {"full_name": " "},
        {"email": "amina@localhost"},
        {"email": f"{'a' * 600}@example.com"},
        {"email": "آمنہ@example.com"},
    ],
    ids="-".join,
)
def test_words_about_a_customer_that_stripe_refuses_do_not_end_the_payment(world: World, words: dict[str, str]) -> None:
    with world.app.database.transaction() as session:
        session.execute(update(User).where(User.id == world.customer.id).values(**words))
    payment = world.started()

    assert payment.status is PaymentStatus.PENDING
    assert payment.stripe_session_id is not None
    assert world.reviews() == []


def test_two_payments_of_a_new_customer_share_one_customer_at_stripe(world: World) -> None:
    first, second = world.checkout(), world.checkout()
    world.drain()

    # They begin side by side: whoever asks for a customer that is being made asks under the same key.
    assert len({request["idempotency_key"] for request in world.requests_to(CUSTOMERS)}) == 1
    assert {p["params"]["customer"] for p in world.requests_to(SESSIONS)} == {world.rows(User)[0].stripe_customer_id}
    assert world.payment(first.id).stripe_session_id != world.payment(second.id).stripe_session_id


def test_a_customer_deleted_at_stripe_is_made_anew(world: World) -> None:
    world.started()
    [user] = world.rows(User)
    assert user.stripe_customer_id is not None
    client = stripe.StripeClient("sk_test_payproc", base_addresses={"api": world.gateway.base_url})
    client.v1.customers.delete(user.stripe_customer_id)

    payment = world.started()

    assert payment.stripe_session_id is not None
    [again] = world.rows(User)
    assert again.stripe_customer_id not in (None, user.stripe_customer_id)
    refused = [call for call in world.calls() if call.state is CallState.REFUSED]
    assert [call.subject for call in refused] == [payment.id]


def test_a_key_stripe_may_have_forgotten_is_not_trusted_but_looked_behind(world: World) -> None:
    world.break_stripe(SESSIONS, "timeout_after", times=None, seconds=0)
    payment = world.checkout()
    world.drain()
    made = world.sessions_at_stripe()
    [call] = [call for call in world.calls() if call.subject == payment.id]
    world.age("provider_calls", call.id, created_at="23 hours 30 minutes")

    sent_before = len(world.requests_to(SESSIONS))
    world.mend_stripe()
    world.make_due()
    world.drain()

    assert [world.payment(payment.id).stripe_session_id] == made
    assert len(world.requests_to(SESSIONS)) == sent_before


def test_a_start_that_another_run_took_over_changes_nothing(world: World) -> None:
    payment = world.checkout()
    [dispatched] = jobs.dispatch(world.app.database, limit=10, lease=world.app.settings.ring_lease)
    messages = [(dispatched.job_id, dispatched.token)]
    [claimed] = jobs.claim(world.app.database, messages, token=uuid4(), lease=world.app.settings.work_lease)
    world.make_due()
    world.drain()
    settled = world.payment(payment.id)

    with pytest.raises(jobs.LeaseLost):
        start.start_payment(world.app, claimed)

    assert world.payment(payment.id).updated_at == settled.updated_at
    assert world.sessions_at_stripe() == [settled.stripe_session_id]


def test_a_start_that_cannot_reach_stripe_for_a_day_goes_to_a_person(world: World) -> None:
    world.break_stripe(SESSIONS, "error_500_before", times=None)
    payment = world.checkout()
    world.drain_once()
    [job] = [job for job in world.rows(Job) if job.subject == payment.id]
    world.age("jobs", job.id, created_at="25 hours")
    world.make_due()
    world.drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    [review] = world.reviews()
    assert review.kind == "job_dead"
    assert review.payment_id == payment.id


def test_a_customer_written_down_in_words_stripe_refuses_is_made_without_them(world: World) -> None:
    payment = world.checkout()
    words = {"email": "nobody@nowhere", "name": "A" * 328, "metadata": {"user_id": world.customer.id}}
    [dispatched] = jobs.dispatch(world.app.database, limit=10, lease=world.app.settings.ring_lease)
    messages = [(dispatched.job_id, dispatched.token)]
    [claimed] = jobs.claim(world.app.database, messages, token=uuid4(), lease=world.app.settings.work_lease)
    with world.app.database.transaction() as session:
        provider_calls.record_attempt(
            session,
            Operation.CREATE_CUSTOMER,
            world.customer.id,
            job=claimed,
            payment=payment,
            prepare=lambda: PreparedCall(operation=Operation.CREATE_CUSTOMER, parameters=words),
        )
    world.make_due()
    world.drain()
    assert world.payment(payment.id).stripe_session_id is not None
    refused, made = (request["params"] for request in world.requests_to("POST /v1/customers"))
    assert refused["email"] == "nobody@nowhere"
    assert made == {"metadata[user_id]": world.customer.id}


def test_a_key_that_stripe_knows_with_other_words_is_never_replaced_by_a_new_one(world: World) -> None:
    world.break_stripe(SESSIONS, "timeout_after", times=None, seconds=0)
    payment = world.checkout()
    world.drain()
    [call] = [call for call in world.calls() if call.subject == payment.id]
    with world.app.database.transaction() as session:
        session.get_one(ProviderCall, call.id).parameters = call.parameters | {
            "success_url": "https://example.com/else"
        }
    world.mend_stripe()
    world.make_due()
    world.drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    assert [review.kind for review in world.reviews()] == ["job_dead"]
    assert keys_sent(world) == {call.idempotency_key}
    assert len(world.sessions_at_stripe()) == 1


def locked_out(world: World) -> World:
    """The same world with a key that Stripe refuses."""
    settings = world.app.settings.model_copy(update={"stripe_secret_key": SecretStr("pk_not_a_secret_key")})
    return replace(world, app=replace(world.app, settings=settings, providers=registry.build(settings)))


def requeue_dead(world: World) -> None:
    with world.app.database.transaction() as session:
        for job in session.scalars(select(Job).where(Job.state == JobState.DEAD)):
            actions.requeue_job(session, job)


def test_a_key_revoked_after_a_lost_answer_makes_no_second_session(world: World) -> None:
    world.started()  # the customer exists
    world.break_stripe(SESSIONS, "timeout_after", times=None, seconds=0)
    payment = world.checkout()
    world.drain()
    made = len(world.sessions_at_stripe())
    world.mend_stripe()
    world.make_due()
    locked_out(world).drain()
    assert "configuration" in {review.kind for review in world.reviews()}

    world.make_due()
    world.drain()
    assert world.payment(payment.id).stripe_session_id is not None
    assert len(world.sessions_at_stripe()) == made


def test_a_requeued_start_answers_its_question_and_is_polled_again_and_again(world: World) -> None:
    world.break_stripe(SESSIONS, "balance_short")
    payment = world.checkout()
    world.drain()
    requeue_dead(world)
    world.drain()
    assert [review.resolution for review in world.reviews()] == ["requeued"]
    for _ in range(3):
        world.make_due()
        world.drain()

    assert [job.kind for job in world.rows(Job) if job.subject == payment.id and job.state is JobState.READY] == [
        "payment.inquire"
    ]


def test_a_requeued_start_has_all_its_patience_again(world: World) -> None:
    world.break_stripe(SESSIONS, "error_500_before", times=None)
    payment = world.checkout()
    world.drain_once()
    [job] = [job for job in world.rows(Job) if job.subject == payment.id]
    world.age("jobs", job.id, created_at="25 hours")
    world.make_due()
    world.drain()
    requeue_dead(world)
    world.drain()

    [again] = [job for job in world.rows(Job) if job.subject == payment.id]
    assert (again.state, again.attempts) == (JobState.READY, 1)


def test_what_is_wrong_with_the_account_fails_no_payment() -> None:
    wrong = stripe.InvalidRequestError("Set an account name.", None, http_status=400)  # type: ignore[no-untyped-call]  # the SDK left it without types
    refused = translate(wrong)
    assert isinstance(refused, RequestRefused)
    assert refused.refusal is Refusal.EXECUTION
