from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from payproc.database.models import Job, JobState, Notice, NoticeState, Payment
from payproc.domain.states import PaymentStatus
from payproc.errors import BadSignature, NoticeMalformed
from payproc.flows.inbox.apply import replay_notice
from payproc.providers.stripe import STRIPE
from tests.support.world import World


def session_event(payment_id: str, *, key: str = "evt_1", **changes: Any) -> dict[str, Any]:
    found = {
        "id": "cs_test_1",
        "object": "checkout.session",
        "client_reference_id": payment_id,
        "metadata": {"payment_id": payment_id},
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "amount_total": 1999,
        "currency": "usd",
        "livemode": False,
    }
    told = {"id": key, "object": "event", "type": "checkout.session.completed", "livemode": False}
    return told | {"data": {"object": found | changes}}


def only_notice(world: World) -> Notice:
    [notice] = world.notices()
    assert isinstance(notice, Notice)
    return notice


def test_a_webhook_that_beats_the_answer_of_the_create_call_is_applied(world: World) -> None:
    payment = world.checkout()
    world.deliver(session_event(payment.id))
    with world.app.database.transaction() as session:
        session.get_one(Job, next(j.id for j in world.rows(Job) if j.kind == "payment.start")).due_at += timedelta(
            hours=1
        )
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert world.payment(payment.id).stripe_session_id == "cs_test_1"
    world.make_due()
    world.drain()
    assert world.requests_to("POST /v1/checkout/sessions") == []


def test_an_event_about_an_unknown_session_waits_and_then_asks_a_person(world: World) -> None:
    world.deliver(session_event("pay_01unknown"))
    world.drain()
    parked = only_notice(world)
    assert parked.state is NoticeState.PARKED

    world.age("notices", parked.id, received_at="16 minutes")
    world.make_due()
    world.drain()
    assert only_notice(world).state is NoticeState.DEAD
    [review] = world.reviews()
    assert review.kind == "orphan_notice"
    assert "evt_1" in review.detail


def test_an_event_that_was_parked_is_applied_once_its_payment_is_there(world: World) -> None:
    payment = world.checkout()
    event = session_event("pay_01later", id="cs_test_77")
    world.deliver(event)
    world.drain()
    assert only_notice(world).state is NoticeState.PARKED

    with world.app.database.transaction() as session:
        session.get_one(Payment, payment.id).stripe_session_id = "cs_test_77"
    world.make_due()
    world.drain()
    assert only_notice(world).state is NoticeState.APPLIED
    assert world.status(payment.id) is PaymentStatus.COMPLETED


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount_total": 1}, "paid 0.01 USD, asked for 19.99 USD"),
        ({"amount_total": 2000}, "paid 20.00 USD"),
        ({"currency": "eur"}, "paid 19.99 EUR"),
    ],
)
def test_another_amount_or_currency_completes_nothing_and_asks_a_person(
    world: World, change: dict[str, Any], words: str
) -> None:
    payment = world.started()
    world.deliver(session_event(payment.id, id=payment.stripe_session_id, **change))
    world.drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    [review] = world.reviews()
    assert review.kind == "paid_mismatch"
    assert words in review.detail
    assert world.emails() == []


def test_another_session_that_names_our_payment_does_not_pay_it(world: World) -> None:
    payment = world.started()
    world.deliver(session_event(payment.id, id="cs_test_other"))
    world.drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    assert [review.kind for review in world.reviews()] == ["paid_elsewhere"]


def test_what_became_of_another_session_ends_nothing_here(world: World) -> None:
    payment = world.started()
    ended: dict[str, Any] = {
        "id": "cs_test_other",
        "status": "expired",
        "payment_status": "unpaid",
        "payment_intent": None,
    }
    world.deliver(session_event(payment.id, **ended) | {"type": "checkout.session.expired"})
    world.drain()

    assert world.status(payment.id) is PaymentStatus.PENDING
    assert [job.kind for job in world.rows(Job) if job.state is JobState.READY] == ["payment.inquire"]
    assert world.reviews() == []


def test_an_event_of_the_other_mode_is_kept_and_changes_nothing(world: World) -> None:
    payment = world.checkout()
    world.deliver(session_event(payment.id) | {"livemode": True})
    world.drain()

    assert only_notice(world).state is NoticeState.IGNORED
    assert "mode" in (only_notice(world).reason or "")
    assert world.status(payment.id) is PaymentStatus.PENDING


def test_an_unknown_type_is_kept_as_ignored(world: World) -> None:
    world.deliver(session_event("pay_x") | {"type": "invoice.paid"})

    assert only_notice(world).state is NoticeState.IGNORED
    assert [job for job in world.rows(Job) if job.kind == "notice.apply"] == []


@pytest.mark.parametrize("kind", ["refund.created", "charge.dispute.created"])
def test_a_refund_or_dispute_that_cannot_be_read_is_kept_for_a_release_that_can(world: World, kind: str) -> None:
    world.deliver(session_event("pay_x") | {"type": kind})
    world.drain()

    assert only_notice(world).state is NoticeState.PARKED
    [job] = [job for job in world.rows(Job) if job.kind == "notice.apply"]
    assert job.state is JobState.READY
    world.age("notices", only_notice(world).id, received_at="20 days")
    world.make_due()
    world.drain()
    assert only_notice(world).state is NoticeState.PARKED
    assert world.reviews() == []


def test_a_newer_word_for_a_status_is_asked_about_not_guessed(world: World) -> None:
    payment = world.started()
    world.act(payment, "pay")
    newer: dict[str, Any] = {"id": payment.stripe_session_id, "payment_status": "perhaps", "payment_intent": None}
    world.deliver(session_event(payment.id, **newer))
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert {event.source for event in world.events(payment.id) if event.fact == "paid"} == {"poll"}


def test_a_stored_notice_can_be_applied_again_without_doing_anything_twice(world: World) -> None:
    payment = world.started()
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()
    [completed] = [notice for notice in world.notices() if notice.kind == "checkout.session.completed"]

    with world.app.database.transaction() as session:
        replay_notice(session, completed.id)
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert len(world.emails()) == 1


def test_only_our_signature_is_believed(world: World) -> None:
    payment = world.checkout()
    with pytest.raises(BadSignature):
        world.deliver(session_event(payment.id), secret="whsec_someone_else_0123")
    assert world.notices() == []


def test_a_body_that_is_no_event_is_refused_even_when_signed(world: World) -> None:
    bodies: list[Any] = [[], None, {"object": "v2.core.event", "id": "evt_1"}, {"object": "event"}]
    for body in bodies:
        with pytest.raises(NoticeMalformed):
            world.deliver(body)
    assert world.notices() == []


def test_a_notice_is_accepted_without_being_read(world: World) -> None:
    verifies_only: Any = SimpleNamespace(verify_notice=world.app.provider(STRIPE).verify_notice)
    app = replace(world.app, providers={STRIPE: verifies_only})
    replace(world, app=app).deliver(session_event("pay_01somebody"))
    assert only_notice(world).kind == "checkout.session.completed"
