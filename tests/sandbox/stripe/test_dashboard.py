from typing import Any

import pytest
import requests
import stripe

from sandbox.stripe.account.currencies import minor, shown
from tests.sandbox.paying import paid, told
from tests.sandbox.wire import Controls


def press(controls: Controls, path: str, **fields: Any) -> requests.Response:
    url = f"{controls.gateway.base_url}/dashboard/{path}"
    return requests.post(url, data=fields, timeout=5, allow_redirects=False)


def page(controls: Controls) -> str:
    return requests.get(f"{controls.gateway.base_url}/dashboard", timeout=5).text


def test_the_front_page_leads_to_an_empty_dashboard(controls: Controls) -> None:
    assert 'href="/dashboard"' in requests.get(controls.gateway.base_url, timeout=5).text
    assert "Nothing to pay out" in page(controls)


def test_a_person_can_refund_a_part_and_then_the_rest(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls, payment_intent_data={"metadata": {"payment_id": "7", "reference": "PP-7"}})
    assert "PP-7" in page(controls)

    answer = press(controls, f"charges/{charge.id}/refund", amount="5.00")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    refund = client.v1.refunds.list({"charge": charge.id}).data[0]
    assert (refund.amount, refund.reason, refund.status) == (500, "requested_by_customer", "succeeded")
    assert refund.metadata is not None
    assert refund.metadata.to_dict() == {}
    assert controls.get("events")[0]["request"] == {"id": None, "idempotency_key": None}
    assert "USD 5.00" in page(controls)
    press(controls, f"charges/{charge.id}/refund", amount="")
    assert client.v1.charges.retrieve(charge.id).refunded is True
    assert told(controls) == ["charge.refunded", "refund.created"] * 2


@pytest.mark.parametrize("amount", ["5.001", "-5", "a lot", "20"])
def test_an_amount_that_cannot_be_refunded_is_told_and_changes_nothing(
    client: stripe.StripeClient, controls: Controls, amount: str
) -> None:
    charge = paid(client, controls)
    answer = press(controls, f"charges/{charge.id}/refund", amount=amount)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert client.v1.refunds.list().data == []


def test_a_person_can_fail_a_refund(client: stripe.StripeClient, controls: Controls) -> None:
    refund = client.v1.refunds.create({"charge": paid(client, controls).id})
    press(controls, f"refunds/{refund.id}/fail")
    assert client.v1.refunds.retrieve(refund.id).status == "failed"
    assert press(controls, f"refunds/{refund.id}/fail").status_code == 400
    assert press(controls, "refunds/re_x/fail").status_code == 404
    assert press(controls, f"refunds/{refund.id}/lose").status_code == 404


@pytest.mark.parametrize(("kind", "status"), [("dispute", "needs_response"), ("inquiry", "warning_needs_response")])
def test_a_person_can_dispute_and_decide(
    client: stripe.StripeClient, controls: Controls, *, kind: str, status: str
) -> None:
    charge = paid(client, controls)
    press(controls, f"charges/{charge.id}/{kind}", amount="10")
    dispute = client.v1.disputes.list().data[0]
    assert (dispute.status, dispute.amount) == (status, 1000)
    assert dispute.id[:14] in page(controls)
    press(controls, f"disputes/{dispute.id}/close")
    assert client.v1.disputes.retrieve(dispute.id).status in ("lost", "warning_closed")
    assert "Escalate" not in page(controls)


def test_a_charge_that_was_taken_back_has_no_refund_button(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls)
    press(controls, f"charges/{charge.id}/dispute")
    assert ">Refund<" not in page(controls)
    assert "charged back" in press(controls, f"charges/{charge.id}/refund").text


def test_a_person_can_pay_out_and_have_it_returned(client: stripe.StripeClient, controls: Controls) -> None:
    paid(client, controls)
    assert "USD 19.41" in page(controls)
    press(controls, "payouts")
    payout = client.v1.payouts.list().data[0]
    assert "Nothing to pay out" in page(controls)
    press(controls, f"payouts/{payout.id}/fail")
    assert client.v1.payouts.retrieve(payout.id).status == "failed"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (-1999, "usd", "USD -19.99"),
        (-50, "usd", "USD -0.50"),
        (1_000_000, "jpy", "JPY 1,000,000"),
        (1, "kwd", "KWD 0.001"),
    ],
)
def test_amounts_are_written_with_their_sign_and_decimals(amount: int, currency: str, text: str) -> None:
    assert shown(amount, currency) == text


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("19.99", "usd", 1999),
        ("5", "usd", 500),
        (" 1,250.5 ", "pkr", 125_050),
        ("500", "jpy", 500),
        ("5.12", "kwd", 5120),
    ],
)
def test_amounts_are_read_as_people_type_them(text: str, currency: str, amount: int) -> None:
    assert minor(text, currency) == amount
