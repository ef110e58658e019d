"""What the portal of a simulated wallet lets a merchant download."""

import csv
import io
from datetime import UTC, datetime

import pytest
import requests

from sandbox.wallets.actions import Action
from sandbox.wallets.statement import COLUMNS, fee_and_tax, statement
from sandbox.wallets.transactions import Dialect, Gateway, State, Transaction
from tests.sandbox.wallets.merchant import Merchant

AT = int(datetime(2026, 1, 31, 20, 0, 5, tzinfo=UTC).timestamp())


def transaction(state: State, *, told: int = 125050, action: Action = Action.APPROVE) -> Transaction:
    return Transaction(
        gateway=Gateway.JAZZCASH,
        reference="T1",
        dialect=Dialect.MWALLET_2_0,
        amount=125050,
        told_amount=told,
        created_at=AT,
        state=state,
        gateway_id="3012",
        history=[{"at": AT, "action": action, "state": State.PAID}],
    )


def rows(*transactions: Transaction) -> list[list[str]]:
    head, *found = csv.reader(io.StringIO(statement(transactions)))
    assert tuple(head) == COLUMNS
    return found


def test_a_sale_is_told_in_pakistans_time_with_its_fee_and_the_tax_on_that() -> None:
    assert rows(transaction(State.PAID)) == [
        ["T1", "3012", "2026-02-01 01:00:05", "sale", "paid", "1250.50", "25.01", "4.00", "1221.49"]
    ]
    assert fee_and_tax(Gateway.EASYPAISA, 100000) == (1750, 280)


def test_parts_that_went_back_and_the_rest_that_was_reversed_are_refunds() -> None:
    paid = transaction(State.REVERSED)
    paid.refunds, paid.refunded = [{"at": AT + 1, "amount": 5}], 5
    paid.history.append({"at": AT + 2, "action": Action.REVERSE, "state": State.REVERSED})
    assert [(row[1], row[3], row[5], row[8]) for row in rows(paid)] == [
        ("3012", "sale", "1250.50", "1221.49"),
        ("3012R1", "refund", "0.05", "0.05"),
        ("3012V", "refund", "1250.45", "1250.45"),
    ]


def test_one_that_had_gone_back_in_parts_moves_nothing_when_it_is_reversed() -> None:
    paid = transaction(State.REVERSED)
    paid.refunds, paid.refunded = [{"at": AT + 1, "amount": 125050}], 125050
    paid.history.append({"at": AT + 2, "action": Action.REVERSE, "state": State.REVERSED})
    assert [row[1] for row in rows(paid)] == ["3012", "3012R1"]


def test_what_came_to_nothing_is_told_without_money_and_what_is_open_is_not_told() -> None:
    failed = transaction(State.FAILED, action=Action.DECLINE)
    assert [(row[4], row[6], row[8]) for row in rows(failed)] == [("failed", "0.00", "0.00")]
    assert rows(transaction(State.PENDING, action=Action.PAY_LATER)) == []


@pytest.mark.parametrize("query", ["", "?gateway=stripe"])
def test_it_is_asked_for_by_the_gateways_name(merchant: Merchant, query: str) -> None:
    base = merchant.gateway.base_url
    answer = requests.get(f"{base}/_sandbox/wallets/statement{query}", timeout=5)
    assert (answer.status_code, "jazzcash, easypaisa" in answer.json()["error"]) == (400, True)
    assert "/_sandbox/wallets/statement?gateway=easypaisa" in requests.get(f"{base}/wallets", timeout=5).text
