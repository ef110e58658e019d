import pytest
import stripe

from tests.sandbox.wire import SECRET, Controls, Receiver, session_params
from tests.support.waiting import wait_until

PAID = [
    "charge.succeeded",
    "checkout.session.completed",
    "payment_intent.created",
    "payment_intent.succeeded",
]


def pay(client: stripe.StripeClient, controls: Controls) -> str:
    session = client.v1.checkout.sessions.create(session_params())
    controls.act(session.id, "pay")
    return session.id


def test_every_event_of_a_payment_arrives_signed(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver
) -> None:
    session_id = pay(client, controls)
    wait_until(lambda: receiver.types == PAID)
    completed = next(event for event in receiver.accepted if event.type == "checkout.session.completed")
    assert completed.data.object["id"] == session_id
    assert (completed.api_version, completed.livemode) == ("2026-10-28.endive", False)
    assert not [name for name in completed.data.object.to_dict() if name.startswith("_")]


def test_events_of_customers_are_listed_but_not_delivered(client: stripe.StripeClient, controls: Controls) -> None:
    client.v1.customers.create({"email": "asha@shop.test"})
    assert [event.type for event in client.v1.events.list().data] == ["customer.created"]
    assert controls.get("deliveries") == []


@pytest.mark.parametrize("status", [302, 400, 500])
def test_anything_but_2xx_is_tried_again(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status] * 4
    pay(client, controls)
    wait_until(lambda: receiver.types == PAID)
    assert len(receiver.signatures) == 8
    wait_until(lambda: {row["state"] for row in controls.get("deliveries")} == {"delivered"})
    assert [attempt["status"] for attempt in controls.get("deliveries")[0]["history"]] == [status, 200]


def test_delivery_is_given_up_after_the_last_attempt(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver
) -> None:
    receiver.statuses = [500] * 100
    pay(client, controls)
    wait_until(lambda: {row["state"] for row in controls.get("deliveries")} == {"given_up"})
    assert {row["attempts"] for row in controls.get("deliveries")} == {3}
    assert len(client.v1.events.list({"delivery_success": False}).data) == 4
    assert client.v1.events.list({"delivery_success": True}).data == []


def test_a_dropped_event_never_arrives_and_stays_listed(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver
) -> None:
    controls.fault("webhook", "drop", times=3)
    pay(client, controls)
    wait_until(lambda: receiver.types == ["checkout.session.completed"])
    assert len(client.v1.events.list({"delivery_success": False}).data) == 3


def test_a_duplicated_event_arrives_twice_under_one_id(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver
) -> None:
    controls.fault("webhook", "duplicate", times=4)
    pay(client, controls)
    wait_until(lambda: receiver.types == sorted(PAID * 2))
    assert len({event.id for event in receiver.accepted}) == 4


def test_a_delayed_event_comes_after_the_others(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver
) -> None:
    controls.fault("webhook", "delay", seconds=0.3)
    pay(client, controls)
    wait_until(lambda: receiver.types == PAID)
    assert receiver.accepted[-1].type == "payment_intent.created"


def test_shuffled_events_all_arrive(client: stripe.StripeClient, controls: Controls, receiver: Receiver) -> None:
    controls.fault("webhook", "shuffle", times=4, seconds=0.1)
    pay(client, controls)
    wait_until(lambda: receiver.types == PAID)


@pytest.mark.parametrize(
    ("fault", "complaint"), [("bad_signature", "No signatures found"), ("old_signature", "Timestamp outside")]
)
def test_a_broken_signature_is_mended_by_the_retry(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver, *, fault: str, complaint: str
) -> None:
    controls.fault("webhook", fault, times=4)
    pay(client, controls)
    wait_until(lambda: receiver.types == PAID)
    assert len(receiver.refused) == 4
    assert complaint in receiver.refused[0]


def test_paused_deliveries_wait_until_they_are_let_go(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver
) -> None:
    controls.post("webhook", {"pause": True})
    pay(client, controls)
    assert {row["state"] for row in controls.get("deliveries")} == {"pending"}
    controls.post("webhook", {"pause": False})
    wait_until(lambda: receiver.types == PAID)


def test_an_event_can_be_sent_again(client: stripe.StripeClient, controls: Controls, receiver: Receiver) -> None:
    pay(client, controls)
    wait_until(lambda: receiver.types == PAID)
    event_id = receiver.accepted[0].id
    controls.post(f"events/{event_id}/resend")
    wait_until(lambda: len(receiver.accepted) == 5)
    assert receiver.accepted[4].id == event_id


def test_a_hand_made_event_is_signed_like_a_real_one(controls: Controls, receiver: Receiver) -> None:
    controls.post("deliver", {"event": {"id": "evt_mine", "object": "event", "type": "future.thing"}})
    wait_until(lambda: receiver.types == ["future.thing"])


def test_a_signed_body_need_not_be_an_event(controls: Controls, receiver: Receiver) -> None:
    controls.post("deliver", {"event": []})
    wait_until(lambda: "'list' object" in "".join(receiver.refused))


def test_our_signature_is_the_one_stripes_code_makes() -> None:
    from sandbox.stripe.webhooks import sign  # noqa: PLC0415 - the one test below the wire

    theirs = stripe.WebhookSignature.generate_signature_header("{}", SECRET, 1_790_000_000)
    assert sign(b"{}", secret=SECRET, timestamp=1_790_000_000) == theirs
