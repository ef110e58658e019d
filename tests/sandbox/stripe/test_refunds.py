from typing import Any

import pytest
import stripe

from tests.sandbox.paying import paid, told
from tests.sandbox.wire import Clock, Controls, Receiver, session_params
from tests.support.waiting import wait_until


def refusal(client: stripe.StripeClient, params: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create(params)
    return caught.value


def line(client: stripe.StripeClient, line_id: Any) -> stripe.BalanceTransaction:
    return client.v1.balance_transactions.retrieve(str(line_id))


def test_a_refund_by_intent_gives_back_everything(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    refund = client.v1.refunds.create(
        {"payment_intent": str(charge.payment_intent), "reason": "duplicate", "metadata": {"refund_id": "7"}}
    )

    assert (refund.id[:3], refund.status, refund.amount, refund.charge) == ("re_", "succeeded", 1999, charge.id)
    assert (refund.reason, refund.metadata and refund.metadata["refund_id"]) == ("duplicate", "7")
    after = client.v1.charges.retrieve(charge.id)
    assert (after.amount_refunded, after.refunded) == (1999, True)
    moved = line(client, refund.balance_transaction)
    assert (moved.type, moved.reporting_category, moved.amount, moved.fee, moved.net) == (
        "refund",
        "refund",
        -1999,
        0,
        -1999,
    )
    assert moved.source == refund.id
    assert told(controls) == ["charge.refunded", "refund.created"]


def test_three_partial_refunds_add_up_to_the_cent(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    for amount, whole in [(666, False), (667, False), (666, True)]:
        client.v1.refunds.create({"charge": charge.id, "amount": amount})
        assert client.v1.charges.retrieve(charge.id).refunded is whole
    error = refusal(client, {"charge": charge.id, "amount": 1})
    assert (error.http_status, error.code) == (400, "charge_already_refunded")


def test_more_than_is_left_is_refused_without_a_code(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    client.v1.refunds.create({"charge": charge.id, "amount": 1000})
    error = refusal(client, {"charge": charge.id, "amount": 1000})
    assert (error.http_status, error.code, error.param) == (400, None, "amount")
    assert len(client.v1.refunds.list({"charge": charge.id}).data) == 1


def test_a_refund_names_exactly_one_thing_that_was_collected(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    intent = str(charge.payment_intent)
    assert refusal(client, {}).code == "parameter_missing"
    assert "only specify one" in str(refusal(client, {"charge": charge.id, "payment_intent": intent}))
    assert refusal(client, {"charge": intent}).code == "resource_missing"
    assert refusal(client, {"payment_intent": "pi_nobody"}).code == "resource_missing"
    assert refusal(client, {"charge": charge.id, "amount": 0}).code == "parameter_invalid_integer"
    assert refusal(client, {"charge": charge.id, "reverse_transfer": True}).code == "parameter_unknown"
    assert refusal(client, {"charge": charge.id, "reason": "expired_uncaptured_charge"}).param == "reason"


@pytest.mark.parametrize("action", ["decline", "pay_later"])
def test_what_was_not_collected_cannot_be_refunded(
    client: stripe.StripeClient, controls: Controls, action: str
) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    intent = controls.act(session.id, action)["session"]["payment_intent"]
    charge = client.v1.payment_intents.retrieve(intent).latest_charge
    assert "does not have a successful charge" in str(refusal(client, {"payment_intent": intent}))
    assert "not been captured" in str(refusal(client, {"charge": charge}))


def test_one_key_makes_one_refund(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    create = client.v1.refunds.create
    first = create({"charge": charge.id, "amount": 500}, {"idempotency_key": "k"})
    again = create({"charge": charge.id, "amount": 500}, {"idempotency_key": "k"})
    assert first.id == again.id
    assert client.v1.charges.retrieve(charge.id).amount_refunded == 500
    with pytest.raises(stripe.IdempotencyError):
        create({"charge": charge.id, "amount": 600}, {"idempotency_key": "k"})
    assert controls.get("events")[0]["request"]["idempotency_key"] == "k"


def test_a_pending_refund_waits_until_somebody_ends_it(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls, customer_email="asha+refund-pending@shop.test")
    refund = client.v1.refunds.create({"charge": charge.id, "amount": 500})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert client.v1.charges.retrieve(charge.id).amount_refunded == 500

    assert controls.post(f"refunds/{refund.id}/succeed")["status"] == "succeeded"

    assert told(controls, after="refund.created") == ["refund.updated", "charge.refund.updated"]
    assert controls.post(f"refunds/{refund.id}/succeed") == {"error": "Cannot succeed a refund that is succeeded"}
    assert controls.post("refunds/re_nobody/succeed") == {"error": "no refund re_nobody"}
    assert "no action" in controls.post(f"refunds/{refund.id}/lose")["error"]


def test_a_refund_that_fails_late_gives_the_money_back(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    refund = client.v1.refunds.create({"charge": charge.id, "amount": 1999})

    controls.post(f"refunds/{refund.id}/fail")

    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "unknown")
    back = line(client, failed.failure_balance_transaction)
    assert (back.type, back.reporting_category, back.amount, back.net) == (
        "refund_failure",
        "refund_failure",
        1999,
        1999,
    )
    after = client.v1.charges.retrieve(charge.id)
    assert (after.amount_refunded, after.refunded) == (0, False)
    assert told(controls, after="refund.created") == ["refund.updated", "charge.refund.updated", "refund.failed"]
    assert client.v1.refunds.create({"charge": charge.id}).amount == 1999


def test_each_event_carries_the_refund_as_it_was(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    refund = client.v1.refunds.create({"charge": charge.id})
    controls.post(f"refunds/{refund.id}/fail")
    seen = {
        event["type"]: event["data"]["object"]["status"]
        for event in controls.get("events")
        if event["data"]["object"]["id"] == refund.id
    }
    assert seen == {
        "refund.created": "succeeded",
        "refund.updated": "failed",
        "charge.refund.updated": "failed",
        "refund.failed": "failed",
    }


@pytest.mark.parametrize(
    ("amount", "first", "last"),
    [(470_200, "pending", "succeeded"), (470_300, "succeeded", "failed")],
)
def test_a_magic_amount_ends_after_two_seconds(
    client: stripe.StripeClient, controls: Controls, clock: Clock, *, amount: int, first: str, last: str
) -> None:
    charge = paid(client, controls, unit_amount=1_000_000)
    refund = client.v1.refunds.create({"charge": charge.id, "amount": amount})
    assert refund.status == first
    clock.now += 2
    wait_until(lambda: client.v1.refunds.retrieve(refund.id).status == last)


def test_a_refund_can_fail_at_once_and_move_nothing(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls, customer_email="refund-fails@shop.test")
    refund = client.v1.refunds.create({"charge": charge.id})
    assert (refund.status, refund.failure_reason, refund.balance_transaction) == ("failed", "declined", None)
    assert client.v1.charges.retrieve(charge.id).amount_refunded == 0
    assert client.v1.balance_transactions.list({"type": "refund"}).data == []
    assert told(controls) == ["refund.created", "refund.failed"]


def test_only_a_refund_that_waits_for_its_customer_can_be_cancelled(
    client: stripe.StripeClient, controls: Controls
) -> None:
    waiting = paid(client, controls, customer_email="refund-action@shop.test")
    refund = client.v1.refunds.create({"charge": waiting.id, "instructions_email": "asha@shop.test"})
    assert refund.status == "requires_action"
    assert client.v1.refunds.cancel(refund.id).status == "canceled"
    assert client.v1.charges.retrieve(waiting.id).amount_refunded == 0

    sent = client.v1.refunds.create({"charge": paid(client, controls).id})
    with pytest.raises(stripe.InvalidRequestError, match="status of succeeded"):
        client.v1.refunds.cancel(sent.id)


def test_metadata_is_all_that_changes(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    refund = client.v1.refunds.create({"charge": charge.id, "metadata": {"a": "1", "b": "2"}})
    changed = client.v1.refunds.update(refund.id, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.update(refund.id, {"reason": "duplicate"})  # type: ignore[arg-type]  # wrong on purpose


def test_refunds_are_listed_by_intent_charge_and_time(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    charge, other = paid(client, controls), paid(client, controls)
    old = client.v1.refunds.create({"charge": charge.id, "amount": 1}).id
    clock.now += 10
    new = client.v1.refunds.create({"charge": charge.id, "amount": 1}).id
    client.v1.refunds.create({"charge": other.id})
    found = client.v1.refunds.list
    assert [r.id for r in found({"charge": charge.id}).data] == [new, old]
    assert [r.id for r in found({"payment_intent": str(charge.payment_intent)}).data] == [new, old]
    assert [r.id for r in found({"created": {"lt": clock.now}}).data] == [old]
    page = found({"limit": 1, "expand": ["data.charge.balance_transaction", "data.balance_transaction"]})
    assert isinstance(page.data[0].charge, stripe.Charge)
    assert isinstance(page.data[0].charge.balance_transaction, stripe.BalanceTransaction)
    assert len(list(page.auto_paging_iter())) == 3


def test_events_of_refunds_are_delivered(client: stripe.StripeClient, controls: Controls, receiver: Receiver) -> None:
    client.v1.refunds.create({"charge": paid(client, controls).id})
    wait_until(lambda: {"charge.refunded", "refund.created"} <= set(receiver.types))
