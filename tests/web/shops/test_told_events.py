"""What the document says of the events that endpoints are sent, against those that are really written."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from payproc.database.models import Event, ReviewKind, User
from payproc.domain.provenance import Provenance, Source
from payproc.flows.request_refund import request_refund
from payproc.outgoing.webhooks.event_types import EventType
from payproc.outgoing.webhooks.sending import signing
from payproc.records import payments
from payproc.records.reviews import open_review
from tests.support.world import World
from tests.web.shops.examples import example


@pytest.fixture
def webhooks(anonymous: FlaskClient) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(anonymous.get("/openapi.json").text)["webhooks"]
    return found


def test_every_type_of_event_is_in_the_document_with_what_it_is_for(webhooks: Mapping[str, Any]) -> None:
    assert list(webhooks) == list(EventType)
    for event_type in EventType:
        operation = webhooks[event_type]["post"]
        assert operation["summary"] == event_type.purpose
        body = operation["requestBody"]["content"]["application/json"]
        assert body["example"]["type"] == event_type == body["schema"]["properties"]["type"]["const"]


def test_each_example_is_what_such_an_event_is(webhooks: Mapping[str, Any]) -> None:
    """`python -m tests.web.shops.examples` writes them anew."""
    for event_type in EventType:
        body = webhooks[event_type]["post"]["requestBody"]["content"]["application/json"]
        assert body["example"] == example(event_type)


def test_no_two_operations_have_the_same_name(anonymous: FlaskClient, webhooks: Mapping[str, Any]) -> None:
    document = anonymous.get("/openapi.json").json or {}
    every = [*document["paths"].values(), *webhooks.values()]
    names = [operation["operationId"] for operations in every for operation in operations.values()]
    assert len(names) == len(set(names))


def kind_of(value: object) -> object:
    # What may be null is so in one of the two, perhaps.
    if value is None or isinstance(value, bool | str):
        return None if value is None else type(value)
    return "number" if isinstance(value, int | float) else type(value)


def told(world: World) -> Mapping[str, Mapping[str, Any]]:
    """The body of each type that was really written."""
    return {
        event.type: json.loads(signing.body_of(event.type, at=event.at, data=event.data)) for event in world.rows(Event)
    }


def happen(world: World, shop: User) -> None:
    """Have one of much happen."""
    paid = world.paid(user=shop)
    failed = world.started(user=shop)
    provenance = Provenance(source=Source.OPERATOR, evidence="rev_1")
    with world.app.database.transaction() as session:
        payments.fail(session, failed.id, provenance=provenance, code="declined", message="No.")
        request_refund(world.app, session, paid.id, user=shop, money=None)
        open_review(session, ReviewKind.UNSETTLED, failed.id, payment_id=failed.id, detail="look")
    world.drain()


def test_an_example_says_what_real_events_say(world: World, shop: User, webhooks: Mapping[str, Any]) -> None:
    happen(world, shop)
    found = told(world)
    assert {"payment.created", "payment.completed", "payment.failed", "refund.pending", "review.opened"} <= set(found)
    for event_type, body in found.items():
        example = webhooks[event_type]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert list(example) == list(body), event_type
        assert set(example["data"]) == set(body["data"]), event_type
        for name, value in body["data"].items():
            kinds = {kind_of(value), kind_of(example["data"][name])} - {None}
            assert len(kinds) <= 1, f"{event_type}: {name}"
