"""An event reaches its endpoint, signed, with its data letter by letter; what came of each try is written down."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select, text
from standardwebhooks import Webhook

from payproc import jobs
from payproc.database.models import DeliveryState, EndpointState, Job, JobState, WebhookAttempt, WebhookDelivery
from payproc.jobs import Kind
from payproc.outgoing.webhooks import endpoints
from payproc.outgoing.webhooks.sending import noting, pending
from tasks import runner
from tasks.crew import Crew
from tests.support.shops.webhooks import Receiver, answering, endpoint_at, receiving, told
from tests.support.world import World


def test_an_event_reaches_its_endpoint_once_and_verifies(world: World, receiver: Receiver) -> None:
    endpoint, secret = endpoint_at(world.app, receiver.url)
    event = told(world.app, endpoint, data='{"amount":19.90,"amount_minor":1990}')
    world.drain()
    world.drain()

    [got] = receiver.received
    assert got.headers["webhook-id"] == event
    assert b'"data":{"amount":19.90,"amount_minor":1990}' in got.body
    said = Webhook(secret).verify(got.body, dict(got.headers))
    assert said["type"] == "payment.completed"
    assert said == json.loads(got.body)
    [delivery] = world.rows(WebhookDelivery)
    assert (delivery.state, delivery.tries) == (DeliveryState.DELIVERED, 1)
    [attempt] = world.rows(WebhookAttempt)
    assert (attempt.number, attempt.status, attempt.answer, attempt.trouble) == (1, 200, "ok", None)
    assert [job.state for job in world.rows(Job)] == [JobState.DONE]


def test_fifty_events_share_a_few_connections(world: World, receiver: Receiver) -> None:
    endpoint, _ = endpoint_at(world.app, receiver.url)
    events = [told(world.app, endpoint) for _ in range(50)]
    world.drain_once()
    assert sorted(receiver.ids) == sorted(events)
    assert receiver.connections <= 4
    assert {each.state for each in world.rows(WebhookDelivery)} == {DeliveryState.DELIVERED}


def test_a_receiver_that_stopped_takes_nothing_more_on_a_connection_that_was_kept() -> None:
    with receiving() as running, requests.Session() as kept:
        kept.post(running.url, data=b"{}", headers={"webhook-id": "before"}, timeout=5)
        running.stop()
        with pytest.raises(requests.ConnectionError):
            kept.post(running.url, data=b"{}", headers={"webhook-id": "after"}, timeout=5)
        assert running.ids == ["before"]


def test_a_success_after_an_outage_makes_what_was_held_due_but_nothing_that_failed(
    world: World, receiver: Receiver
) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url, failing_since=datetime.now(UTC) - timedelta(minutes=5))
    held, failed, now = (told(world.app, endpoint_id) for _ in range(3))
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET due_at = now() + interval '1 hour'"))
        deliveries = {each.event_id: each for each in session.scalars(select(WebhookDelivery))}
        deliveries[failed].tries = 1
        session.execute(text("UPDATE jobs SET due_at = now() WHERE subject = :id"), {"id": deliveries[now].id})
    world.drain()
    world.drain()
    assert receiver.ids == [now, held]


def test_what_is_held_while_its_endpoint_is_resumed_does_not_wait_for_an_hour(world: World, receiver: Receiver) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url, state=EndpointState.PAUSED)
    told(world.app, endpoint_id)
    [dispatched] = jobs.dispatch(world.app.database, limit=10, lease=timedelta(seconds=20))
    lease = timedelta(seconds=12)
    [job] = jobs.claim(world.app.database, [(dispatched.job_id, dispatched.token)], token=uuid4(), lease=lease)
    with world.app.database.transaction() as session:
        found = pending.read(session, [job.subject])
    with world.app.database.transaction() as session:
        endpoints.enable(session, endpoints.locked(session, endpoint_id))
    with world.app.database.transaction() as session:
        later = jobs.Later(job=job, after=timedelta(hours=1), error="its endpoint rests")
        noting.put_off(session, [later], found)
    with world.app.database.transaction() as session:
        assert session.scalar(text("SELECT due_at < now() + interval '10 seconds' FROM jobs"))


def test_one_lost_lease_in_a_batch_keeps_the_others_noted(world: World, receiver: Receiver) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    events = [told(world.app, endpoint_id) for _ in range(4)]

    def take_over(request: BaseHTTPRequestHandler) -> None:
        with world.app.database.transaction() as session:
            taken = text("""
                UPDATE jobs SET lease_token = gen_random_uuid()
                WHERE subject = (SELECT id FROM webhook_deliveries WHERE event_id = :event)
            """)
            session.execute(taken, {"event": events[0]})
        answering(200)(request)

    receiver.answer = take_over
    world.drain_once()
    states = {each.event_id: each.state for each in world.rows(WebhookDelivery)}
    assert states[events[0]] is DeliveryState.PENDING
    assert {states[event] for event in events[1:]} == {DeliveryState.DELIVERED}


def test_a_message_of_what_shares_its_cost_needs_no_places(world: World, receiver: Receiver) -> None:
    endpoint_id, _ = endpoint_at(world.app, receiver.url)
    for _ in range(5):
        told(world.app, endpoint_id)
    dispatched = [
        (job.job_id, job.token) for job in jobs.dispatch(world.app.database, limit=10, lease=timedelta(seconds=20))
    ]
    crew = Crew(threads=4)
    with crew.places(4, longest=timedelta(seconds=1)):
        assert runner.run(world.app, dispatched, kind=Kind.DELIVER_WEBHOOK, crew=crew) == 5
    crew.stop()
    assert len(receiver.received) == 5
