from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest
import requests

from tests.sandbox.wallets.merchant import (
    MPIN,
    PASSWORD,
    PUSH_2_0,
    Merchant,
    is_genuine,
    ma_fields,
    push_fields,
    signed,
)

CALLERS = 40


@pytest.mark.parametrize(
    ("fault", "status", "executed"),
    [
        ("error_500_before", 500, False),
        ("error_500_after", 500, True),
        ("error_502_after", 502, True),
        ("rate_limit_429", 429, False),
        ("html_200", 200, False),
        ("truncated_json", 200, True),
    ],
)
def test_a_fault_breaks_one_answer(merchant: Merchant, fault: str, status: int, *, executed: bool) -> None:
    merchant.fault("jazzcash push", fault)
    answer = merchant.post(f"jazzcash/{PUSH_2_0}", json=signed(push_fields("T1")))
    assert answer.status_code == status
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert (merchant.inquire("T1")["pp_ResponseCode"] == "000") is executed
    assert merchant.push("T2")["pp_ResponseCode"] == "000"


@pytest.mark.parametrize(
    ("fault", "executed"), [("timeout_before", False), ("timeout_after", True), ("drop_connection", False)]
)
def test_a_fault_leaves_no_answer(merchant: Merchant, fault: str, *, executed: bool) -> None:
    merchant.fault("easypaisa initiate", fault, seconds=0)
    with pytest.raises(requests.ConnectionError):
        merchant.easy("initiate-ma-transaction", ma_fields("P1"))
    assert (merchant.easy_inquire("P1")["responseCode"] == "0000") is executed
    call = merchant.calls()[0]
    assert (call["status"], call["fault"], call["reference"]) == (None, fault, "P1")


def test_who_comes_too_often_is_told_when_to_come_again(merchant: Merchant) -> None:
    merchant.fault("jazzcash push", "rate_limit_429")
    answer = merchant.post(f"jazzcash/{PUSH_2_0}", json=signed(push_fields("T1")))
    assert answer.headers["Retry-After"] == "1"


def test_an_answer_can_be_signed_by_a_stranger(merchant: Merchant) -> None:
    merchant.fault("jazzcash inquiry", "bad_signature")
    merchant.push("T1")
    assert not is_genuine(merchant.inquire("T1"))
    assert is_genuine(merchant.inquire("T1"))


def test_a_wallet_has_no_fault_it_cannot_have(merchant: Merchant) -> None:
    def refusal(operation: str, fault: str) -> Any:
        return merchant.post("_sandbox/faults", json={"operation": operation, "fault": fault}).json()["error"]

    assert "no fault" in refusal("jazzcash push", "conflict_409")
    assert "no fault" in refusal("easypaisa ipn", "bad_signature")
    assert "no fault" in refusal("jazzcash ipn", "old_signature")
    assert "no operation" in refusal("easypaisa refund", "slow")


def test_a_fault_only_stripe_knows_is_not_used_up_by_a_wallet(merchant: Merchant) -> None:
    merchant.fault("*", "conflict_409")
    assert merchant.push("T1")["pp_ResponseCode"] == "000"
    assert len(merchant.page("_sandbox/faults").json()) == 1


def test_slow_calls_are_slow_side_by_side(merchant: Merchant) -> None:
    merchant.push("T1")
    merchant.fault("jazzcash inquiry", "slow", times=None, seconds=0.5)
    start = monotonic()
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(merchant.inquire, ["T1"] * CALLERS))
    assert {answer["pp_ResponseCode"] for answer in answers} == {"000"}
    # One after the other they would take twenty seconds.
    assert monotonic() - start < 10


def test_the_log_has_everything_but_secrets_and_whole_numbers(merchant: Merchant) -> None:
    merchant.push("T1")
    merchant.refund("T1", 100)
    merchant.easy("initiate-ma-transaction", ma_fields("P1"))
    calls = merchant.calls()
    assert [call["operation"] for call in calls] == ["jazzcash push", "jazzcash refund", "easypaisa initiate"]
    assert [call["dialect"] for call in calls] == ["mwallet-2.0", "mwallet-2.0", "rest-v4"]
    assert calls[0]["fields"]["pp_Amount"] == "125050"
    for secret in (PASSWORD, "03123456789", "345678", f"'{MPIN}'"):
        assert secret not in str([call["fields"] for call in calls])
