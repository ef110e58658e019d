"""An event reaches its endpoint, signed, with its data letter by letter; what came of each try is written down."""

import json

from standardwebhooks import Webhook

from payproc.database.models import DeliveryState, Job, JobState, WebhookAttempt, WebhookDelivery
from tests.support.webhooks import Receiver, endpoint_at, told
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
