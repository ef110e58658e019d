from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.jazzcash.routes import PUSH_PATHS
from sandbox.jazzcash.secure_hash import secure_hash as theirs
from sandbox.wallets.transactions import Dialect
from tests.sandbox.wallets.merchant import (
    INQUIRY,
    MERCHANT,
    PASSWORD,
    PUSH_1_1,
    PUSH_2_0,
    Listener,
    Merchant,
    is_genuine,
    push_1_1_fields,
    push_fields,
    signed,
    stamp,
)
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("salt", "fields", "digest"),
    [
        (
            "0F5DD14AE2",
            {"pp_Amount": "2995", "pp_MerchantID": "MER123", "pp_OrderInfo": "A48cvE28"},
            "C7689CDA7474EB1ADCD343FD0C0B676BAD0BA66361CC46DB589BDB0DA4C1C867",
        ),
        (
            "0123456789",
            {
                "pp_AuthCode": "060935465981",
                "pp_BankID": "",
                "pp_Password": "0123456789",
                "pp_ProductID": None,
                "pp_ResponseCode": "121",
                "pp_ResponseMessage": "Transaction has been marked confirmed by Merchant.",
                "pp_RetreivalReferenceNo": "240418718258",
                "pp_SettlementExpiry": None,
                "pp_TxnDateTime": "20240418145702",
                "pp_TxnRefNo": "T20240418145702",
                "pp_TxnType": "MWALLET",
                "pp_Version": "2.0",
            },
            "2B47BCF7825FA27FC8B522292BC8D226213FCCDA685FC68A67EC20B10836E5B7",
        ),
        (
            "TESTSALT01",
            {
                "pp_Amount": "100",
                "pp_CNIC": "4210112345678",
                "pp_MPIN": "4444",
                "pp_MerchantID": "MC00001",
                "pp_MobileNumber": "03123456789",
                "pp_Password": "pw12345678",
                "pp_TxnRefNo": "T1",
            },
            "6633558F6A44ADD85277629119AF6E950474A390705FEE7D583E5F068E692CF9",
        ),
    ],
)
def test_the_digest_is_the_published_one(salt: str, fields: dict[str, Any], digest: str) -> None:
    assert theirs(fields, salt) == digest


@pytest.mark.parametrize("folder", ["", "payment-orchestrator/"])
@pytest.mark.parametrize(("path", "dialect"), PUSH_PATHS.items())
def test_every_host_generation_answers_a_push(merchant: Merchant, folder: str, path: str, dialect: Dialect) -> None:
    fields = push_1_1_fields("T1") if dialect is Dialect.MWALLET_1_1 else push_fields("T1")
    answer = merchant.jazz(f"{folder}{path[1:]}", signed({**fields, "pp_SubMerchantName": "Shop"}))
    assert (answer["pp_ResponseCode"], is_genuine(answer)) == ("000", True)


def test_an_approved_push_is_answered_with_everything_that_was_sent(merchant: Merchant) -> None:
    answer = merchant.push("T1")
    assert (answer["pp_ResponseCode"], answer["pp_Amount"], answer["pp_TxnRefNo"]) == ("000", "125050", "T1")
    assert is_genuine(answer)
    assert answer["pp_Password"] == PASSWORD
    found = merchant.transaction("T1")
    assert (found["state"], found["debits"], found["amount"], found["phone_end"]) == ("paid", 1, 125050, "6789")


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda fields: fields.__delitem__(name)


def having(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda fields: fields.__setitem__(name, value)


MISTAKES = [
    *[(without(name), name) for name in sorted(push_fields("T1"))],
    (having("pp_Extra", "x"), "pp_Extra"),
    (having("pp_Version", "2.0"), "pp_Version"),
    (having("pp_BankID", None), "pp_BankID"),
    (having("pp_Amount", 125050), "pp_Amount"),
    (having("pp_Amount", "1250.50"), "pp_Amount"),
    (having("pp_Amount", "0"), "pp_Amount"),
    (having("pp_Amount", "-5"), "pp_Amount"),
    (having("pp_Amount", "\N{ARABIC-INDIC DIGIT FIVE}"), "pp_Amount"),
    (having("pp_TxnCurrency", "USD"), "pp_TxnCurrency"),
    (having("pp_Language", "en"), "pp_Language"),
    (having("pp_TxnRefNo", "T" * 21), "pp_TxnRefNo"),
    (having("pp_TxnRefNo", "ORDER_5"), "pp_TxnRefNo"),
    (having("pp_BillReference", "ORDER 5"), "pp_BillReference"),
    (having("pp_Description", "Tea: 5%"), "pp_Description"),
    (having("pp_MobileNumber", "+923001234567"), "pp_MobileNumber"),
    (having("pp_MobileNumber", "0300123456"), "pp_MobileNumber"),
    (having("pp_CNIC", "4210112345678"), "pp_CNIC"),
    (having("pp_CNIC", ""), "pp_CNIC"),
    (having("pp_TxnDateTime", stamp(hours=-5)), "pp_TxnDateTime"),
    (having("pp_TxnDateTime", "20261399999999"), "pp_TxnDateTime"),
    (having("pp_TxnExpiryDateTime", stamp(hours=-0.5)), "pp_TxnExpiryDateTime"),
    (having("pp_TxnExpiryDateTime", stamp(hours=24 * 100)), "pp_TxnExpiryDateTime"),
]


@pytest.mark.parametrize(("spoil", "name"), MISTAKES)
def test_a_wrong_field_is_named_and_nothing_is_executed(
    merchant: Merchant, spoil: Callable[[dict[str, Any]], None], name: str
) -> None:
    fields: dict[str, Any] = dict(push_fields("T1"))
    spoil(fields)
    answer = merchant.jazz(PUSH_2_0, signed(fields))
    assert (answer["pp_ResponseCode"], answer["pp_SecureHash"]) == ("110", "")
    assert name in answer["pp_ResponseMessage"]
    assert merchant.page("_sandbox/wallets/transactions").json() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("pp_Version", "2.0"), ("pp_TxnType", "MPAY"), ("pp_ReturnURL", "http://shop.test/"), ("ppmpf_1", "")],
)
def test_version_1_1_has_fields_of_its_own(merchant: Merchant, name: str, value: str) -> None:
    answer = merchant.jazz(PUSH_1_1, signed(push_1_1_fields("T1", **{name: value})))
    assert answer["pp_ResponseCode"] == "110"
    assert name in answer["pp_ResponseMessage"]


def test_the_newer_host_wants_the_name_of_the_sub_merchant_in_letters(merchant: Merchant) -> None:
    path = "api/payment/DoTransaction"
    missing = merchant.jazz(path, signed(push_1_1_fields("T1")))
    assert "pp_SubMerchantName" in missing["pp_ResponseMessage"]
    with_digits = merchant.jazz(path, signed(push_1_1_fields("T1", pp_SubMerchantName="Shop24")))
    assert "pp_SubMerchantName" in with_digits["pp_ResponseMessage"]


def test_what_is_no_json_object_is_refused(merchant: Merchant) -> None:
    assert merchant.post(f"jazzcash/{PUSH_2_0}", json=[1]).json()["pp_ResponseCode"] == "110"
    assert merchant.post(f"jazzcash/{PUSH_2_0}", data=push_fields("T1")).json()["pp_ResponseCode"] == "110"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (signed(push_fields("T1", pp_MerchantID="MC00002")), "101"),
        (signed(push_fields("T1", pp_Password="wrong")), "101"),
        ({**signed(push_fields("T1")), "pp_Amount": "100"}, "115"),
        ({**push_fields("T1"), "pp_SecureHash": ""}, "115"),
        (signed(push_fields("T1"), salt="other"), "115"),
    ],
)
def test_a_stranger_and_a_changed_call_are_refused(merchant: Merchant, fields: dict[str, Any], code: str) -> None:
    answer = merchant.jazz(PUSH_2_0, fields)
    assert (answer["pp_ResponseCode"], answer["pp_SecureHash"]) == (code, "")


def test_the_digest_may_be_of_either_case(merchant: Merchant) -> None:
    fields = signed(push_fields("T1"))
    upper = {**fields, "pp_SecureHash": fields["pp_SecureHash"].upper()}
    assert merchant.jazz(PUSH_2_0, upper)["pp_ResponseCode"] == "000"


def test_a_reference_is_good_for_one_charge_ever(merchant: Merchant) -> None:
    merchant.push("T1")
    again = merchant.push("T1")
    assert (again["pp_ResponseCode"], "pp_TxnRefNo" in again["pp_ResponseMessage"]) == ("110", True)
    found = merchant.transaction("T1")
    assert (found["debits"], found["charge_calls"]) == (1, 2)


OUTCOMES = [
    ("01", "000", "paid", "121", "Completed"),
    ("02", "095", "failed", "095", "Failed"),
    ("03", "004", "failed", "004", "Failed"),
    ("05", "157", "pending", "157", "Pending"),
    ("13", "157", "pending", "157", "Pending"),
]


@pytest.mark.parametrize(("number", "code", "state", "payment_code", "status"), OUTCOMES)
def test_a_magic_number_decides(
    merchant: Merchant, number: str, code: str, state: str, payment_code: str, *, status: str
) -> None:
    answer = merchant.push("T1", f"030000000{number}")
    assert (answer["pp_ResponseCode"], is_genuine(answer)) == (code, True)
    assert merchant.transaction("T1")["state"] == state
    asked = merchant.inquire("T1")
    assert is_genuine(asked)
    assert [asked["pp_ResponseCode"], asked["pp_PaymentResponseCode"]] == ["000", payment_code]
    assert asked["pp_Status"] == status
    assert "pp_Amount" not in asked


def test_number_04_is_paid_a_while_later(merchant: Merchant, listener: Listener) -> None:
    assert merchant.push("T1", "03000000004")["pp_ResponseCode"] == "157"
    wait_until(lambda: len(listener.heard) == 1)
    assert listener.heard[0].body["pp_ResponseCode"] == "121"
    assert merchant.inquire("T1")["pp_PaymentResponseCode"] == "121"


def test_number_06_is_debited_and_never_answered(merchant: Merchant) -> None:
    with pytest.raises(requests.ConnectionError):
        merchant.push("T1", "03000000006")
    assert merchant.transaction("T1")["debits"] == 1
    assert merchant.calls()[0]["status"] is None
    assert merchant.inquire("T1")["pp_PaymentResponseCode"] == "121"


def test_number_07_is_answered_by_a_firewall_and_paid_a_while_later(merchant: Merchant) -> None:
    answer = merchant.post(f"jazzcash/{PUSH_2_0}", json=signed(push_fields("T1", "03000000007")))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "support ID is: " in answer.text
    wait_until(lambda: merchant.transaction("T1")["state"] == "paid")


def test_number_08_is_paid_and_half_answered(merchant: Merchant) -> None:
    answer = merchant.post(f"jazzcash/{PUSH_2_0}", json=signed(push_fields("T1", "03000000008")))
    assert (answer.status_code, answer.is_redirect) == (200, False)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert merchant.transaction("T1")["debits"] == 1


def test_number_09_is_told_of_with_another_amount(merchant: Merchant) -> None:
    assert merchant.push("T1", "03000000009")["pp_Amount"] == "125150"
    assert merchant.inquire("T1")["pp_Amount"] == "125150"


def test_number_10_is_told_of_three_times(merchant: Merchant, listener: Listener) -> None:
    merchant.push("T1", "03000000010")
    wait_until(lambda: len(listener.heard) == 3)
    assert {body["pp_ResponseCode"] for body in listener.bodies()} == {"121"}


def test_number_11_fails_and_is_paid_after_all(merchant: Merchant, listener: Listener) -> None:
    assert merchant.push("T1", "03000000011")["pp_ResponseCode"] == "095"
    wait_until(lambda: [body["pp_ResponseCode"] for body in listener.bodies()] == ["095", "121"])
    assert merchant.transaction("T1")["debits"] == 1


def test_number_12_is_paid_and_a_notice_denies_it(merchant: Merchant, listener: Listener) -> None:
    merchant.push("T1", "03000000012")
    wait_until(lambda: [body["pp_ResponseCode"] for body in listener.bodies()] == ["121", "999"])
    assert all(is_genuine(body) for body in listener.bodies())
    assert merchant.inquire("T1")["pp_PaymentResponseCode"] == "121"


def test_number_13_waits_for_a_person(merchant: Merchant, listener: Listener) -> None:
    merchant.push("T1", "03000000013")
    page = merchant.page("wallets").text
    assert 'action="/wallets/jazzcash/T1/approve"' in page
    assert merchant.post("wallets/jazzcash/T1/approve").status_code == 303
    wait_until(lambda: len(listener.heard) == 1)
    assert merchant.transaction("T1")["state"] == "paid"


def test_an_inquiry_about_nothing_is_answered_signed(merchant: Merchant) -> None:
    answer = merchant.inquire("T404")
    assert (answer["pp_ResponseCode"], answer["pp_PaymentResponseCode"], is_genuine(answer)) == ("109", "", True)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"pp_TxnRefNo": "T1", "pp_MerchantID": MERCHANT}, "110"),
        ({"pp_TxnRefNo": "T1", "pp_MerchantID": MERCHANT, "pp_Password": PASSWORD, "pp_Amount": "1"}, "110"),
        ({"pp_TxnRefNo": "T1", "pp_MerchantID": MERCHANT, "pp_Password": "x"}, "101"),
        ({"pp_TxnRefNo": "T1", "pp_MerchantID": MERCHANT, "pp_Password": PASSWORD, "pp_Version": "1.1"}, "109"),
    ],
)
def test_an_inquiry_is_read_as_strictly(merchant: Merchant, fields: dict[str, str], code: str) -> None:
    assert merchant.jazz(INQUIRY, signed(fields))["pp_ResponseCode"] == code
