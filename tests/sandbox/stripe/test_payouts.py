from typing import Any

import stripe

from tests.sandbox.paying import paid, told
from tests.sandbox.wire import Controls, Receiver
from tests.support.waiting import wait_until


def pay_out(controls: Controls) -> Any:
    return controls.post("payouts")["payouts"]


def lines(client: stripe.StripeClient, payout_id: str) -> list[stripe.BalanceTransaction]:
    return list(client.v1.balance_transactions.list({"payout": payout_id}).auto_paging_iter())


def test_a_payout_is_the_sum_of_its_lines(client: stripe.StripeClient, controls: Controls) -> None:
    charge, other = paid(client, controls), paid(client, controls)
    client.v1.refunds.create({"charge": charge.id, "amount": 500})
    controls.post(f"payment_intents/{other.payment_intent}/dispute", {"amount": 100})

    made = pay_out(controls)[0]

    payout = client.v1.payouts.retrieve(made["id"], {"expand": ["balance_transaction"]})
    assert (payout.id[:3], payout.status, payout.automatic) == ("po_", "paid", True)
    assert payout.reconciliation_status == "completed"
    own = payout.balance_transaction
    assert isinstance(own, stripe.BalanceTransaction)
    assert (own.type, own.amount, own.net) == ("payout", -payout.amount, -payout.amount)
    theirs = [line for line in lines(client, payout.id) if line.id != own.id]
    assert sorted(line.type for line in theirs) == ["adjustment", "charge", "charge", "refund"]
    assert payout.amount == sum(line.net for line in theirs) == 2 * 1941 - 500 - 1600
    assert {line.status for line in theirs} == {"available"}
    assert told(controls, after="charge.dispute.funds_withdrawn") == [
        "payout.created",
        "payout.paid",
        "payout.reconciliation_completed",
    ]


def test_nothing_is_paid_out_twice(client: stripe.StripeClient, controls: Controls) -> None:
    paid(client, controls)
    first = pay_out(controls)[0]
    assert pay_out(controls) == []
    later = paid(client, controls)
    second = pay_out(controls)[0]
    assert [line.source for line in lines(client, second["id"])] == [second["id"], later.id]
    assert len(lines(client, first["id"])) == 2


def test_each_currency_has_a_payout_of_its_own(client: stripe.StripeClient, controls: Controls) -> None:
    paid(client, controls)
    paid(client, controls, currency="eur")
    assert [(payout["currency"], payout["amount"]) for payout in pay_out(controls)] == [("eur", 1941), ("usd", 1941)]


def test_more_refunds_than_charges_make_a_negative_payout(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    pay_out(controls)
    client.v1.refunds.create({"charge": charge.id})
    payout = pay_out(controls)[0]
    assert payout["amount"] == -1999
    assert client.v1.balance_transactions.retrieve(payout["balance_transaction"]).amount == 1999


def test_a_payout_the_bank_returns_goes_out_with_the_next(client: stripe.StripeClient, controls: Controls) -> None:
    paid(client, controls)
    first = pay_out(controls)[0]

    controls.post(f"payouts/{first['id']}/fail")

    failed = client.v1.payouts.retrieve(first["id"], {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_code) == ("failed", "account_closed")
    back = failed.failure_balance_transaction
    assert isinstance(back, stripe.BalanceTransaction)
    assert (back.type, back.reporting_category, back.amount) == ("payout_failure", "payout_reversal", 1941)
    assert controls.get("events")[0]["type"] == "payout.failed"
    assert pay_out(controls)[0]["amount"] == 1941
    assert controls.post(f"payouts/{first['id']}/fail") == {"error": "Cannot fail a payout that is failed"}
    assert controls.post("payouts/po_x/fail") == {"error": "no payout po_x"}


def test_payouts_are_listed_by_status_destination_and_arrival(client: stripe.StripeClient, controls: Controls) -> None:
    paid(client, controls)
    made = pay_out(controls)[0]
    found = client.v1.payouts.list
    assert [p.id for p in found({"status": "paid", "destination": made["destination"]}).data] == [made["id"]]
    assert [p.id for p in found({"arrival_date": {"gte": made["arrival_date"]}}).data] == [made["id"]]
    assert found({"arrival_date": {"lt": made["arrival_date"]}}).data == []
    assert found({"status": "failed"}).data == []


def test_ten_thousand_payments_are_paid_out_in_one(client: stripe.StripeClient, controls: Controls) -> None:
    payment = {"payment_id": "p", "reference": "r", "amount": 1000, "currency": "usd"}
    for _ in range(10):
        controls.post("bulk", {"payments": [payment] * 1000})
    payout = pay_out(controls)[0]
    assert payout["amount"] == 10_000 * 971
    page = client.v1.balance_transactions.list({"payout": payout["id"], "limit": 100})
    assert len(page.data) == 100
    assert page.has_more is True


def test_events_of_payouts_are_delivered(client: stripe.StripeClient, controls: Controls, receiver: Receiver) -> None:
    paid(client, controls)
    pay_out(controls)
    wait_until(lambda: "payout.reconciliation_completed" in receiver.types)
