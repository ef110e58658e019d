"""What becomes of a delivery that is not taken, and of an endpoint that takes none."""

import secrets
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import select, text
from standardwebhooks import Webhook, WebhookVerificationError

from payproc.database.models import (
    DeliveryState,
    EndpointState,
    Job,
    JobState,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from payproc.jobs import Kind
from payproc.outgoing.webhooks import endpoints
from payproc.outgoing.webhooks.sending import retries
from tests.support.mailbox import OPERATORS
from tests.support.shops.webhooks import Receiver, answering, endpoint_at, told
from tests.support.waiting import wait_until
from tests.support.world import World


def of_deliveries(world: World) -> list[Job]:
    with world.app.database.transaction() as session:
        return list(session.scalars(select(Job).where(Job.kind == Kind.DELIVER_WEBHOOK).order_by(Job.id)))


def waits(world: World) -> timedelta:
    [job] = of_deliveries(world)
    assert job.state is JobState.READY
    with world.app.database.transaction() as session:
        now: datetime = session.scalar(text("SELECT now()")) or job.due_at
    return job.due_at - now


def endpoint(world: World, endpoint_id: str) -> WebhookEndpoint:
    with world.app.database.transaction() as session:
        return session.get_one(WebhookEndpoint, endpoint_id)


def delivery(world: World) -> WebhookDelivery:
    [only] = world.rows(WebhookDelivery)
    assert isinstance(only, WebhookDelivery)
    return only


def attempts(world: World) -> list[WebhookAttempt]:
    return sorted(world.rows(WebhookAttempt), key=lambda each: (each.delivery_id, each.number))


def test_a_refused_delivery_is_tried_ten_times_in_three_days_and_given_up(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(400, b"no")
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    event = told(world.app, endpoint_id)
    waited = []
    for _ in range(9):
        world.drain()
        waited.append(waits(world))
        world.make_due()
    world.drain()

    hours = [each / timedelta(hours=1) for each in waited]
    for wait, least in zip(hours, [5 / 3600, 1 / 12, 0.5, 2, 5, 10, 14, 20, 24], strict=True):
        assert least - 1 / 3600 <= wait <= least * 1.1
    assert receiver.ids == [event] * 10
    assert len({each.body for each in receiver.received}) == 1
    assert (delivery(world).state, delivery(world).tries) == (DeliveryState.FAILED, 10)
    assert [each.number for each in attempts(world)] == list(range(1, 11))
    assert {(each.status, each.answer) for each in attempts(world)} == {(400, "no")}
    assert [job.state for job in of_deliveries(world)] == [JobState.DONE]


@pytest.mark.parametrize("status", [429, 503])
def test_an_endpoint_that_names_a_wait_in_seconds_has_it(world: World, receiver: Receiver, status: int) -> None:
    receiver.answer = answering(status, Retry_After="120")
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    told(world.app, endpoint_id)
    world.drain()
    assert timedelta(seconds=119) < waits(world) <= timedelta(seconds=132)


def test_an_endpoint_that_names_a_date_has_it_but_no_longer_than_an_hour(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(429, Retry_After=format_datetime(datetime.now(UTC) + timedelta(days=300), usegmt=True))
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    told(world.app, endpoint_id)
    world.drain()
    assert timedelta(minutes=59) < waits(world) <= timedelta(minutes=66)


@pytest.mark.parametrize("written", ["soon", "-5", "Thu, 99 Foo 2026", "1e3", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_wait_that_cannot_be_read_or_is_over_is_none(world: World, receiver: Receiver, written: str) -> None:
    receiver.answer = answering(429, Retry_After=written)
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    told(world.app, endpoint_id)
    world.drain()
    assert timedelta(seconds=3) < waits(world) <= timedelta(seconds=6)


def test_who_asks_for_less_is_left_alone_by_what_else_waits_for_it(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(429, Retry_After="120")
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    told(world.app, endpoint_id)
    world.drain()
    told(world.app, endpoint_id)
    world.drain()
    assert len(receiver.received) == 1
    second = max(of_deliveries(world), key=lambda job: job.created_at)
    assert (second.state, second.attempts) == (JobState.READY, 0)
    assert {each.tries for each in world.rows(WebhookDelivery)} == {0, 1}


def test_who_says_that_it_is_gone_is_called_no_more(world: World, receiver: Receiver, shop: User) -> None:
    receiver.answer = answering(410)
    endpoint_id, _ = endpoint_at(world.app, receiver.url, shop_id=shop.id)
    told(world.app, endpoint_id)
    world.drain_once()
    receiver.answer = answering(200)
    told(world.app, endpoint_id)
    world.drain()

    assert len(receiver.received) == 1
    assert endpoint(world, endpoint_id).state is EndpointState.DISABLED
    assert endpoint(world, endpoint_id).disabled_reason == "it answered 410: gone"
    assert [email.recipient for email in world.emails()] == [shop.email]


def fail_since(world: World, endpoint_id: str, ago: timedelta) -> None:
    with world.app.database.transaction() as session:
        session.get_one(WebhookEndpoint, endpoint_id).failing_since = datetime.now(UTC) - ago


def test_five_days_of_failure_disable_an_endpoint_end_what_waits_and_are_mailed(
    world: World, receiver: Receiver
) -> None:
    world = world.with_settings(operator_mail=OPERATORS)
    receiver.answer = answering(500)
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    told(world.app, endpoint_id)
    world.drain()
    assert endpoint(world, endpoint_id).failing_since is not None
    fail_since(world, endpoint_id, timedelta(days=4, hours=23))
    told(world.app, endpoint_id)
    world.drain()
    assert endpoint(world, endpoint_id).state is EndpointState.ENABLED

    fail_since(world, endpoint_id, retries.GIVEN_UP_AFTER + timedelta(minutes=1))
    told(world.app, endpoint_id)
    world.drain()

    found = endpoint(world, endpoint_id)
    assert found.state is EndpointState.DISABLED
    assert found.disabled_reason == "for 5 days it took nothing; the last time: answered 500"
    assert {each.state for each in world.rows(WebhookDelivery)} == {DeliveryState.FAILED}
    assert {job.state for job in of_deliveries(world)} == {JobState.DONE}
    [email] = world.emails()
    assert (email.recipient, email.sent_at is not None) == (OPERATORS, True)


def test_one_success_ends_the_days_of_failure(world: World, receiver: Receiver) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    fail_since(world, endpoint_id, timedelta(days=6))
    told(world.app, endpoint_id)
    world.drain()
    assert (endpoint(world, endpoint_id).failing_since, endpoint(world, endpoint_id).state) == (
        None,
        EndpointState.ENABLED,
    )


def test_what_happens_during_a_pause_waits_uncounted_and_goes_when_it_is_over(world: World, receiver: Receiver) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url, state=EndpointState.PAUSED)
    events = [told(world.app, endpoint_id) for _ in range(3)]
    world.drain()
    assert receiver.received == []
    assert {(job.state, job.attempts) for job in of_deliveries(world)} == {(JobState.READY, 0)}

    with world.app.database.transaction() as session:
        endpoints.enable(session, endpoints.locked(session, endpoint_id))
    with world.app.database.transaction() as session:
        assert session.scalar(text("SELECT max(due_at) < now() + interval '1 second' FROM jobs"))
    world.make_due()
    world.drain()
    assert sorted(receiver.ids) == sorted(events)
    assert {each.tries for each in world.rows(WebhookDelivery)} == {1}


def test_an_endpoint_that_is_down_costs_a_few_calls_however_much_waits(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(500)
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    for _ in range(100):
        told(world.app, endpoint_id)
    world.drain()
    # Five failures in a row, what was under way beside the fifth, and one that asks whether it is back.
    assert len(receiver.received) <= 9
    held = [job for job in of_deliveries(world) if job.attempts == 0]
    assert len(held) == 100 - len(receiver.received)
    assert all(each.tries == 0 for each in world.rows(WebhookDelivery) if each.id in {job.subject for job in held})


def test_what_was_held_goes_when_somebody_finds_the_endpoint_back(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(500)
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    for _ in range(20):
        told(world.app, endpoint_id)
    world.drain()
    receiver.answer = answering(200)
    # As after a success in another process, long enough after the first failure.
    fail_since(world, endpoint_id, timedelta(seconds=60))
    with world.app.database.transaction() as session:
        session.get_one(WebhookEndpoint, endpoint_id).failing_since = None

    def all_delivered() -> bool:
        world.make_due()
        world.drain()
        return {each.state for each in world.rows(WebhookDelivery)} == {DeliveryState.DELIVERED}

    wait_until(all_delivered, what="all of it delivered")


def test_a_secret_rotated_between_two_tries_signs_beside_the_one_before(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(500)
    endpoint_id, before = endpoint_at(world.app, receiver.url)
    event = told(world.app, endpoint_id)
    world.drain()
    with world.app.database.transaction() as session:
        rotated = endpoints.rotate_secret(
            session, endpoints.locked(session, endpoint_id), cipher=world.app.webhook_cipher
        )
    receiver.answer = answering(200)
    world.make_due()
    world.drain()

    first, second = receiver.received
    assert (first.body, receiver.ids) == (second.body, [event, event])
    for secret in (before, rotated.secret):
        Webhook(secret).verify(second.body, dict(second.headers))
    Webhook(before).verify(first.body, dict(first.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(rotated.secret).verify(first.body, dict(first.headers))


def test_a_day_after_a_rotation_the_secret_before_signs_no_more(world: World, receiver: Receiver) -> None:
    endpoint_id, before = endpoint_at(world.app, receiver.url)
    with world.app.database.transaction() as session:
        endpoint = endpoints.locked(session, endpoint_id)
        rotated = endpoints.rotate_secret(session, endpoint, cipher=world.app.webhook_cipher)
        endpoint.previous_until = datetime.now(UTC)
    told(world.app, endpoint_id)
    world.drain()
    [got] = receiver.received
    Webhook(rotated.secret).verify(got.body, dict(got.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(before).verify(got.body, dict(got.headers))


def test_a_secret_of_another_key_asks_a_person_once_and_sends_nothing(world: World, receiver: Receiver) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    with world.app.database.transaction() as session:
        endpoint = session.get_one(WebhookEndpoint, endpoint_id)
        endpoint.encrypted_secret = secrets.token_urlsafe(32)
    for _ in range(3):
        told(world.app, endpoint_id)
    world.drain()
    assert receiver.received == []
    assert len(world.reviews()) == 1
    assert {job.state for job in of_deliveries(world)} == {JobState.READY}


def test_a_run_that_dies_before_it_notes_delivers_again_under_the_same_id(world: World, receiver: Receiver) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    event = told(world.app, endpoint_id)

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    receiver.answer = answering(200)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("payproc.flows.outgoing.deliver_webhooks.noting.note", die)
        with pytest.raises(SystemExit):
            world.drain_once()
    world.make_due()
    world.drain()
    assert receiver.ids == [event, event]
    assert (delivery(world).state, delivery(world).tries) == (DeliveryState.DELIVERED, 1)
