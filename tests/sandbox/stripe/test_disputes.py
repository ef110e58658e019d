from typing import Any

import pytest
import stripe

from tests.sandbox.paying import paid, told
from tests.sandbox.wire import Clock, Controls, Receiver, session_params
from tests.support.waiting import wait_until


def dispute(controls: Controls, charge: stripe.Charge, **wish: Any) -> Any:
    return controls.post(f"payment_intents/{charge.payment_intent}/dispute", wish)


def step(controls: Controls, dispute_id: str, name: str) -> Any:
    return controls.post(f"disputes/{dispute_id}/{name}")


def money(found: Any) -> list[tuple[str, str, int, int, int]]:
    return [(m["type"], m["reporting_category"], m["amount"], m["fee"], m["net"]) for m in found.balance_transactions]


OPENED = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


def test_a_chargeback_takes_the_money_and_a_fee(client: stripe.StripeClient, controls: Controls, clock: Clock) -> None:
    charge = paid(client, controls)
    made = dispute(controls, charge, amount=1500, reason="product_not_received")

    found = client.v1.disputes.retrieve(made["id"], {"expand": ["charge"]})
    assert (found.id[:3], found.status, found.amount, found.reason) == (
        "dp_",
        "needs_response",
        1500,
        "product_not_received",
    )
    assert (found.payment_intent, found.is_charge_refundable) == (charge.payment_intent, False)
    assert found.evidence_details.due_by == clock.now + 7 * 24 * 3600
    assert money(found) == [("adjustment", "dispute", -1500, 1500, -3000)]
    assert isinstance(found.charge, stripe.Charge)
    assert found.charge.disputed is True
    line = client.v1.balance_transactions.list({"type": "adjustment"}).data[0]
    assert (line.source, [fee.amount for fee in line.fee_details]) == (found.id, [1500])
    assert told(controls) == OPENED


def test_a_charge_that_was_taken_back_cannot_be_refunded(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    made = dispute(controls, charge)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"charge": charge.id})
    assert caught.value.code == "charge_disputed"
    step(controls, made["id"], "win")
    assert client.v1.refunds.create({"charge": charge.id}).status == "succeeded"


def test_a_pending_refund_fails_when_the_charge_is_disputed(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls, customer_email="refund-pending@shop.test")
    refund = client.v1.refunds.create({"charge": charge.id, "amount": 500})
    dispute(controls, charge)
    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "charge_for_pending_refund_disputed")
    after = client.v1.charges.retrieve(charge.id)
    assert (after.amount_refunded, after.disputed) == (0, True)
    assert told(controls, after="refund.created") == [
        *OPENED,
        "refund.updated",
        "charge.refund.updated",
        "refund.failed",
    ]


def test_an_inquiry_moves_no_money_and_stops_no_refund(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    made = dispute(controls, charge, inquiry=True)
    assert (made["status"], made["is_charge_refundable"]) == ("warning_needs_response", True)
    assert made["balance_transactions"] == []
    assert told(controls) == ["charge.dispute.created"]
    client.v1.refunds.create({"charge": charge.id, "amount": 1})
    assert step(controls, made["id"], "win") == {"error": "Cannot win a dispute that is warning_needs_response"}
    assert step(controls, made["id"], "submit")["status"] == "warning_under_review"
    assert step(controls, made["id"], "close")["status"] == "warning_closed"
    assert told(controls, after="refund.created") == ["charge.dispute.updated", "charge.dispute.closed"]


def test_an_inquiry_that_escalates_is_the_same_dispute(client: stripe.StripeClient, controls: Controls) -> None:
    made = dispute(controls, paid(client, controls), inquiry=True)
    escalated = step(controls, made["id"], "escalate")
    assert (escalated["id"], escalated["status"]) == (made["id"], "needs_response")
    assert len(escalated["balance_transactions"]) == 1
    assert told(controls, after="charge.dispute.created") == [
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
    ]


def test_a_dispute_that_is_won_brings_the_money_back_but_not_the_fee(
    client: stripe.StripeClient, controls: Controls
) -> None:
    made = dispute(controls, paid(client, controls))
    step(controls, made["id"], "submit")
    step(controls, made["id"], "win")
    found = client.v1.disputes.retrieve(made["id"])
    assert (found.status, found.evidence_details.submission_count) == ("won", 1)
    assert money(found)[1] == ("adjustment", "dispute_reversal", 1999, 0, 1999)
    assert told(controls, after=OPENED[-1]) == [
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]


@pytest.mark.parametrize("name", ["lose", "close"])
def test_a_dispute_that_is_lost_stays_lost(client: stripe.StripeClient, controls: Controls, name: str) -> None:
    made = dispute(controls, paid(client, controls))
    assert step(controls, made["id"], name)["status"] == "lost"
    assert told(controls, after=OPENED[-1]) == ["charge.dispute.closed"]
    assert step(controls, made["id"], "win") == {"error": "Cannot win a dispute that is lost"}


def test_evidence_is_staged_submitted_and_judged(client: stripe.StripeClient, controls: Controls) -> None:
    made = dispute(controls, paid(client, controls))
    staged = client.v1.disputes.update(
        made["id"], {"evidence": {"customer_name": "Asha"}, "metadata": {"a": "1"}, "submit": False}
    )
    assert (staged.status, staged.evidence.customer_name) == ("needs_response", "Asha")
    assert (staged.evidence_details.has_evidence, staged.evidence_details.submission_count) == (True, 0)
    won = client.v1.disputes.update(made["id"], {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert (won.status, won.evidence.customer_name) == ("won", "Asha")
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.update(made["id"], {"evidence": {"customer_name": "Bilal"}})
    assert client.v1.disputes.retrieve(made["id"]).evidence.customer_name == "Asha"
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        client.v1.disputes.update(made["id"], {"evidence": {"colour": "red"}})  # type: ignore[arg-type]  # on purpose


def test_a_dispute_can_be_given_up_by_call(client: stripe.StripeClient, controls: Controls) -> None:
    made = dispute(controls, paid(client, controls))
    assert client.v1.disputes.close(made["id"]).status == "lost"
    assert controls.get("events")[0]["request"]["id"].startswith("req_")
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(made["id"])


def test_a_charge_may_be_disputed_twice_and_disputes_are_listed(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    charge, other = paid(client, controls), paid(client, controls)
    first = dispute(controls, charge, amount=1000)["id"]
    clock.now += 5
    second = dispute(controls, charge, amount=999)["id"]
    dispute(controls, other)
    found = client.v1.disputes.list
    assert [d.id for d in found({"charge": charge.id}).data] == [second, first]
    assert [d.id for d in found({"payment_intent": str(charge.payment_intent)}).data] == [second, first]
    assert [d.id for d in found({"created": {"lt": clock.now}}).data] == [first]


def test_only_what_was_collected_can_be_disputed(client: stripe.StripeClient, controls: Controls) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    intent = controls.act(session.id, "decline")["session"]["payment_intent"]
    assert "Cannot dispute a payment" in controls.post(f"payment_intents/{intent}/dispute")["error"]
    assert controls.post("payment_intents/pi_x/dispute") == {"error": "no payment_intent pi_x"}
    assert "Cannot dispute 2000 of 1999" in dispute(controls, paid(client, controls), amount=2000)["error"]


def test_events_of_disputes_are_delivered(client: stripe.StripeClient, controls: Controls, receiver: Receiver) -> None:
    dispute(controls, paid(client, controls))
    wait_until(lambda: set(OPENED) <= set(receiver.types))
