import pytest

from tests.sandbox.wallets.merchant import (
    GUIDE,
    PASSWORD,
    SALT,
    Answer,
    Listener,
    Merchant,
    guide_form,
    is_genuine,
    ma_fields,
    signed,
    signed_ack,
)
from tests.support.waiting import wait_until

BAD_ACKNOWLEDGEMENTS: list[Answer] = [
    (500, {}),
    (302, {}),
    (200, b"OK"),
    (200, []),
    (200, {"pp_ResponseCode": "000"}),
    (200, {"pp_ResponseCode": "000", "pp_ResponseMessage": "IPN received successfully", "pp_SecureHash": ""}),
    (200, signed({"pp_ResponseCode": "000"}, salt=f"{SALT}x")),
    (200, signed({"pp_ResponseCode": "199"})),
]


@pytest.mark.parametrize("answer", BAD_ACKNOWLEDGEMENTS)
def test_only_a_signed_000_ends_a_notice(merchant: Merchant, listener: Listener, answer: Answer) -> None:
    listener.answers = [answer]
    merchant.push("T1")
    wait_until(lambda: merchant.notices()[0]["state"] == "acknowledged")
    history = merchant.notices()[0]["history"]
    assert [attempt["refusal"] is None for attempt in history] == [False, True]


def test_a_notice_is_delivered_three_times_in_all(merchant: Merchant, listener: Listener) -> None:
    listener.answers = [(500, {})] * 10
    merchant.push("T1")
    wait_until(lambda: merchant.notices()[0]["state"] == "given_up")
    assert len(listener.heard) == 3
    assert merchant.notices()[0]["attempts"] == 3


def test_a_notice_can_be_begun_anew(merchant: Merchant, listener: Listener) -> None:
    listener.answers = [(500, {})] * 3
    merchant.push("T1")
    wait_until(lambda: merchant.notices()[0]["state"] == "given_up")
    number = merchant.notices()[0]["id"]
    assert merchant.post(f"_sandbox/wallets/notices/{number}/resend").status_code == 202
    wait_until(lambda: merchant.notices()[0]["state"] == "acknowledged")
    assert merchant.post("_sandbox/wallets/notices/99/resend").status_code == 404


def test_the_list_of_notices_keeps_the_password_to_itself(merchant: Merchant, listener: Listener) -> None:
    merchant.push("T1")
    wait_until(lambda: len(listener.heard) == 1)
    assert listener.heard[0].body["pp_Password"] == PASSWORD
    assert PASSWORD not in str(merchant.notices())


def test_a_dropped_notice_never_arrives_and_stays_listed(merchant: Merchant, listener: Listener) -> None:
    merchant.fault("jazzcash ipn", "drop")
    merchant.push("T1")
    merchant.push("T2")
    wait_until(lambda: [body["pp_TxnRefNo"] for body in listener.bodies()] == ["T2"])
    assert {notice["state"] for notice in merchant.notices() if notice["reference"] == "T1"} == {"dropped"}


def test_a_duplicated_notice_arrives_twice(merchant: Merchant, listener: Listener) -> None:
    merchant.fault("jazzcash ipn", "duplicate")
    merchant.push("T1")
    wait_until(lambda: len(listener.heard) == 2)


def test_a_delayed_notice_comes_after_a_later_one(merchant: Merchant, listener: Listener) -> None:
    merchant.fault("jazzcash ipn", "delay", seconds=0.3)
    merchant.push("T1")
    merchant.push("T2")
    wait_until(lambda: [body["pp_TxnRefNo"] for body in listener.bodies()] == ["T2", "T1"])


def test_a_forged_notice_is_mended_by_the_retry(merchant: Merchant, listener: Listener) -> None:
    listener.answers = [(400, {})]
    merchant.fault("jazzcash ipn", "bad_signature")
    merchant.push("T1")
    wait_until(lambda: len(listener.heard) == 2)
    assert [is_genuine(body) for body in listener.bodies()] == [False, True]


def test_the_guides_notification_wants_to_be_received(merchant: Merchant, listener: Listener) -> None:
    listener.answers = [(200, {"status": "error"}), signed_ack()]
    merchant.form(f"jazzcash/{GUIDE}", guide_form("T1", listener.url))
    merchant.act("T1", "approve")
    wait_until(lambda: merchant.notices()[0]["state"] == "acknowledged")
    assert len(listener.heard) == 3


def test_easypaisa_says_it_once(merchant: Merchant, listener: Listener) -> None:
    listener.answers = [(500, {})]
    merchant.easy("initiate-ma-transaction", ma_fields("P1"))
    wait_until(lambda: merchant.notices()[0]["state"] == "given_up")
    assert len(listener.heard) == 1


def test_an_address_that_is_none_is_a_failed_delivery(merchant: Merchant) -> None:
    merchant.form(f"jazzcash/{GUIDE}", guide_form("T1", "http://127.0.0.1:port/"))
    merchant.act("T1", "approve")
    wait_until(lambda: merchant.notices()[0]["state"] == "given_up")
    assert "ValueError" in merchant.notices()[0]["history"][0]["refusal"]
