import time
from typing import Any

import requests
import stripe

from tests.sandbox.paying import paid, told
from tests.sandbox.wire import Clock, Controls


def seeds(count: int, **more: Any) -> Any:
    return {
        "payments": [
            {"payment_id": f"p-{n}", "reference": f"PP-{n}", "amount": 1000 + n, "currency": "usd", **more}
            for n in range(count)
        ]
    }


def delete(controls: Controls, object_id: str) -> int:
    return requests.delete(f"{controls.gateway.base_url}/_sandbox/objects/{object_id}", timeout=5).status_code


def test_a_bulk_payment_is_what_paying_leaves_behind(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    like = paid(client, controls)
    ids = controls.post("bulk", seeds(1, created=clock.now - 5))["payments"][0]

    session = client.v1.checkout.sessions.retrieve(ids["session"])
    assert (session.status, session.payment_status, session.client_reference_id) == ("complete", "paid", "p-0")
    intent = client.v1.payment_intents.retrieve(
        ids["payment_intent"], {"expand": ["latest_charge.balance_transaction"]}
    )
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    line = charge.balance_transaction
    assert isinstance(line, stripe.BalanceTransaction)
    assert (session.payment_intent, charge.id, line.id) == (intent.id, ids["charge"], ids["balance_transaction"])
    assert (intent.status, charge.status, line.amount, line.source) == ("succeeded", "succeeded", 1000, charge.id)
    for thing in (session, intent, charge):
        assert thing.metadata is not None
        assert thing.metadata.to_dict() == {"payment_id": "p-0", "reference": "PP-0"}
        assert thing.created == clock.now - 5
    assert set(charge.to_dict()) == set(client.v1.charges.retrieve(like.id).to_dict())


def test_bulk_events_are_recorded_when_asked_for_and_never_delivered(controls: Controls, clock: Clock) -> None:
    controls.post("bulk", seeds(1))
    assert controls.get("events") == []
    controls.post("bulk", seeds(1, events=True, created=clock.now - 60))
    assert told(controls, after="") == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    assert {event["created"] for event in controls.get("events")} == {clock.now - 60}
    assert controls.get("deliveries") == []


def test_thousands_of_payments_are_there_in_seconds_and_listed_in_order_of_time(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    began = time.monotonic()
    controls.post("bulk", seeds(1000, created=clock.now, events=True))
    controls.post("bulk", seeds(1000, created=clock.now - 100, events=True))
    assert time.monotonic() - began < 15
    page = client.v1.payment_intents.list(
        {"limit": 100, "created": {"lt": clock.now}, "expand": ["data.latest_charge.balance_transaction"]}
    )
    intents = list(page.auto_paging_iter())
    assert len(intents) == 1000
    assert isinstance(intents[-1].latest_charge, stripe.Charge)
    assert isinstance(intents[-1].latest_charge.balance_transaction, stripe.BalanceTransaction)
    newest = [charge.created for charge in client.v1.charges.list({"limit": 100}).data]
    assert set(newest) == {clock.now}


def test_bulk_refuses_too_many_and_what_is_no_payment(controls: Controls) -> None:
    assert "at most 1000" in controls.post("bulk", seeds(1001))["error"]
    assert "amount" in controls.post("bulk", seeds(2, amount="10"))["error"]
    assert controls.post("bulk", {"payments": [{"amount": 1}]}) == {"error": "payments[0] has no payment_id"}
    assert controls.get("sessions") == []


def test_any_object_can_be_altered_behind_everybodys_back(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls, payment_intent_data={"metadata": {"payment_id": "7", "reference": "R"}})
    events = len(controls.get("events"))

    controls.post(f"objects/{charge.id}", {"amount": 1, "metadata": {"payment_id": None}, "created": 5})

    altered = client.v1.charges.retrieve(charge.id)
    assert altered.metadata is not None
    assert (altered.amount, altered.metadata.to_dict()) == (1, {"reference": "R"})
    assert [c.id for c in client.v1.charges.list({"created": 5}).data] == [charge.id]
    assert len(controls.get("events")) == events
    assert "cannot change" in controls.post(f"objects/{charge.id}", {"id": "ch_mine"})["error"]
    assert "unix seconds" in controls.post(f"objects/{charge.id}", {"created": None})["error"]
    assert controls.post("objects/ch_nobody", {}) == {"error": "no object ch_nobody"}


def test_any_object_can_vanish(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    assert delete(controls, charge.id) == 200
    assert client.v1.charges.list().data == []
    assert delete(controls, charge.id) == 404
