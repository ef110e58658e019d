"""Every change is told once, in its transaction and in its place; nothing is told that did not happen."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from payproc.database.deferring import deferring
from payproc.database.models import (
    EndpointState,
    Event,
    Job,
    Payment,
    PaymentEvent,
    ReviewKind,
    User,
    WebhookDelivery,
)
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.customer import CustomerRequest
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.domain.states import TRANSITIONS, Effect, Fact, PaymentStatus
from payproc.flows.checkout import draft_payment, take_drafted
from payproc.jobs import Kind
from payproc.outgoing.webhooks.event_types import EventType, event_of_payment
from payproc.providers.stripe import STRIPE
from payproc.records import orders, payments
from payproc.records.ledger import journal
from payproc.records.reviews import open_review
from tests.support.after_payment import dispute
from tests.support.after_payment import given as refunded
from tests.support.shops.orders import attempt, card_request, order_of
from tests.support.shops.webhooks import endpoint_at
from tests.support.world import World

TOLD = Provenance(source=Source.OPERATOR, evidence="rev_1")


def events(world: World, subject: str | None = None) -> list[Event]:
    with world.app.database.transaction() as session:
        query = select(Event).order_by(Event.subject, Event.sequence)
        return list(session.scalars(query if subject is None else query.where(Event.subject == subject)))


def types(world: World, subject: str) -> list[str]:
    return [event.type for event in events(world, subject)]


def data(event: Event) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(event.data, parse_float=Decimal)
    return read


def apply(world: World, payment: Payment, *facts: Fact) -> None:
    with world.app.database.transaction() as session:
        for fact in facts:
            payments.apply_fact(session, payment.id, fact, provenance=TOLD)


def test_a_payment_is_told_from_its_taking_to_its_refund_in_sequence(world: World) -> None:
    payment = world.paid()
    refunded(world, payment)
    told = events(world, payment.id)
    assert [event.type for event in told] == [
        "payment.created",
        "payment.completed",
        "refund.pending",
        "refund.succeeded",
        "payment.refunded",
    ]
    assert [event.sequence for event in told] == [1, 2, 3, 4, 5]
    assert {event.payment_id for event in told} == {payment.id}
    assert [data(event)["sequence"] for event in told] == [1, 2, 3, 4, 5]


def test_an_event_says_how_it_stood_when_it_happened_and_is_never_written_again(world: World) -> None:
    payment = world.paid(meta={"basket": "17"})
    created, completed = events(world, payment.id)
    assert (data(created)["status"], data(completed)["status"]) == ("pending", "completed")
    assert (data(created)["completed_at"], data(completed)["metadata"]) == (None, {"basket": "17"})
    assert data(created)["created_at"] == data(completed)["created_at"] == f"{payment.created_at:%FT%T.%fZ}"
    refunded(world, payment, 500)
    assert events(world, payment.id)[:2] == [created, completed] or [
        (event.id, event.data) for event in events(world, payment.id)[:2]
    ] == [(event.id, event.data) for event in (created, completed)]


def test_amounts_are_told_in_both_forms_and_never_as_a_float(world: World) -> None:
    created = events(world, world.checkout().id)[0]
    assert '"amount":19.99,"amount_minor":1999,"currency":"usd"' in created.data


def test_why_a_payment_failed_is_told_with_the_failure(world: World) -> None:
    payment = world.checkout()
    with world.app.database.transaction() as session:
        payments.fail(session, payment.id, provenance=TOLD, code="card_declined", message="The card was declined.")
    failed = data(events(world, payment.id)[-1])
    assert (failed["status"], failed["failure_code"], failed["failure_message"]) == (
        "failed",
        "card_declined",
        "The card was declined.",
    )


# Facts as they may come to a payment of which nobody has asked a refund.
FACTS = (Fact.PROCESSING, Fact.PAID, Fact.DECLINED, Fact.EXPIRED, Fact.CANCELLED, Fact.MISMATCH, Fact.ATTEMPT_DECLINED)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(FACTS), min_size=1, max_size=4), max_size=4))
def test_whatever_comes_in_whatever_order_each_move_is_told_once_and_nothing_else(
    world: World, batches: list[list[Fact]]
) -> None:
    payment = world.checkout()
    for batch in batches:
        # As a batch of notices does: all that they write is written at its end.
        with world.app.database.transaction() as session, deferring(session):
            for fact in batch:
                if (session.get_one(Payment, payment.id).status, fact) in TRANSITIONS:
                    payments.apply_fact(session, payment.id, fact, provenance=TOLD)
    moves = [event for event in world.events(payment.id) if event.effect is Effect.MOVED]
    assert types(world, payment.id) == [wanted(move) for move in moves]
    assert [event.sequence for event in events(world, payment.id)] == list(range(1, len(moves) + 1))
    assert [data(event)["status"] for event in events(world, payment.id)] == [move.to_status for move in moves]


def wanted(move: PaymentEvent) -> str:
    if move.from_status is None:
        return "payment.created"
    return event_of_payment(move.from_status, move.to_status)


def test_what_is_rolled_back_is_told_to_nobody(world: World) -> None:
    payment = world.checkout()

    def dies() -> None:
        with world.app.database.transaction() as session:
            payments.apply_fact(session, payment.id, Fact.PAID, provenance=TOLD)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        dies()
    assert types(world, payment.id) == ["payment.created"]


def test_a_payment_that_is_written_down_twice_is_told_once(world: World) -> None:
    endpoint_at(world.app, "https://shop.example.com/hook")
    draft = draft_payment(world.app, card_request(), user=world.customer, method=STRIPE)
    assert take_drafted(world.app, draft) is not None
    assert take_drafted(world.app, draft) is not None
    assert types(world, draft.payment.id) == ["payment.created"]
    assert len(world.rows(WebhookDelivery)) == 1


def test_a_text_of_the_shops_cannot_pass_for_a_part_of_the_event(world: World) -> None:
    meta = {"note": '"created_at":null, %(id)s {} \\ ؟', "created_at": None}
    created = data(events(world, world.checkout(meta=meta).id)[0])
    assert created["metadata"] == meta
    assert created["created_at"].endswith("Z")


def test_each_endpoint_that_wants_it_gets_a_delivery_and_its_job(world: World, shop: User) -> None:
    mine, _ = endpoint_at(world.app, "https://shop.example.com/1", shop_id=shop.id)
    everybodys, _ = endpoint_at(world.app, "https://staff.example.com/2")
    wide, _ = endpoint_at(world.app, "https://staff.example.com/3", event_types=["payment.*", "order.paid"])
    narrow, _ = endpoint_at(world.app, "https://staff.example.com/4", event_types=["payment.completed"])
    paused, _ = endpoint_at(world.app, "https://staff.example.com/5", state=EndpointState.PAUSED)
    endpoint_at(world.app, "https://staff.example.com/6", state=EndpointState.DISABLED)
    endpoint_at(world.app, "https://other.example.com/7", shop_id=world.customer.id)
    payment = world.checkout(user=shop, customer=CustomerRequest(email="amina@example.com"))
    apply(world, payment, Fact.PAID)
    by_type = defaultdict(set)
    deliveries = world.rows(WebhookDelivery)
    told = {event.id: event.type for event in events(world)}
    for delivery in deliveries:
        by_type[told[delivery.event_id]].add(delivery.endpoint_id)
    assert by_type["payment.created"] == {mine, everybodys, wide, paused}
    assert by_type["payment.completed"] == {mine, everybodys, wide, paused, narrow}
    jobs = [job for job in world.rows(Job) if job.kind == Kind.DELIVER_WEBHOOK]
    assert {job.subject for job in jobs} == {delivery.id for delivery in deliveries}
    assert len({job.id for job in jobs}) == len(jobs)


def test_an_event_of_a_shops_says_whose_it_is_and_names_no_whole_phone(world: World, shop: User) -> None:
    customer = CustomerRequest(email="amina@example.com", phone="03001234567")
    payment = world.checkout(user=shop, customer=customer, phone="03001234567")
    (created,) = events(world, payment.id)
    assert (created.shop_id, data(created)["phone"]) == (shop.id, "0300****567")
    assert "1234567" not in created.data
    assert "amina" not in created.data


def test_an_order_is_told_paid_once_however_many_paid_it(world: World, shop: User) -> None:
    order = order_of(world, shop, reference="A-9")
    first, second = (attempt(world, order, user=shop) for _ in range(2))
    apply(world, first, Fact.PAID)
    apply(world, second, Fact.PAID)
    (paid,) = events(world, order.id)
    assert (paid.type, paid.shop_id) == ("order.paid", shop.id)
    assert (data(paid)["reference"], data(paid)["payment_id"]) == ("A-9", first.id)
    (review,) = [event for event in events(world) if event.type == "review.opened"]
    assert data(review)["kind"] == ReviewKind.PAID_TWICE


def test_an_order_whose_time_is_over_is_told_expired_and_one_that_was_closed_is_not(world: World, shop: User) -> None:
    over, closed = order_of(world, shop, reference="A-1"), order_of(world, shop, reference="A-2")
    with world.app.database.transaction() as session:
        orders.expire(session, over.id)
        orders.expire(session, over.id)
        orders.close(session, closed.id)
    assert (types(world, over.id), types(world, closed.id)) == (["order.expired"], [])


def test_a_dispute_is_told_when_it_opens_moves_and_ends(world: World) -> None:
    payment = world.paid()
    dispute(world, payment)
    (created,) = [event for event in events(world, payment.id) if event.type.startswith("dispute.")]
    assert (created.type, data(created)["payment_id"]) == ("dispute.created", payment.id)
    assert data(created)["amount_minor"] == 1999


def test_a_review_is_told_when_it_is_opened_and_not_when_it_is_asked_again(world: World) -> None:
    payment = world.checkout()
    for _ in range(2):
        with world.app.database.transaction() as session:
            open_review(session, ReviewKind.PAID_LATE, payment.id, payment_id=payment.id, detail="Look at it.")
    told = [event for event in events(world) if event.type == "review.opened"]
    assert [(event.payment_id, data(event)["kind"]) for event in told] == [(payment.id, "paid_late")]
    assert "Look at it" not in told[0].data


def line(net: int) -> SettlementLine:
    return SettlementLine(
        id=f"txn_{net}",
        kind=LineKind.PAYOUT,
        category="payout",
        currency="usd",
        gross=net,
        fee=0,
        net=net,
        source="po_1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_payout_is_told_once_and_once_more_when_the_bank_sends_it_back(world: World) -> None:
    with world.app.database.transaction() as session:
        for net in (-5000, -5000, 5000):
            journal.record_line(session, STRIPE, line(net), payment_id=None)
    told = events(world, "po_1")
    assert [(event.type, data(event)["amount_minor"], event.sequence) for event in told] == [
        ("payout.paid", 5000, 1),
        ("payout.failed", 5000, 2),
    ]


def test_every_word_that_can_be_told_says_what_it_means() -> None:
    assert [kind for kind in EventType if len(kind.purpose.split()) < 4] == []
    told = {event_of_payment(PaymentStatus.PENDING, status) for status in PaymentStatus}
    assert told < set(EventType)
