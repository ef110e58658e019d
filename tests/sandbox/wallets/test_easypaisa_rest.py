import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sandbox.wallets.merchant import (
    ACCOUNT_NUMBER,
    STORE,
    Listener,
    Merchant,
    guide_call,
    ma_fields,
)
from tests.support.waiting import wait_until

MA, OTC, ASK = "initiate-ma-transaction", "initiate-otc-transaction", "inquire-transaction"
QUESTION = {"orderId": "P1", "storeId": STORE, "accountNum": ACCOUNT_NUMBER}


def test_an_approved_push_is_0000_and_an_inquiry_says_paid(merchant: Merchant) -> None:
    answer = merchant.easy(MA, ma_fields("P1"))
    assert (answer["responseCode"], answer["orderId"], answer["storeId"]) == ("0000", "P1", STORE)
    asked = merchant.easy_inquire("P1")
    assert (asked["responseCode"], asked["transactionStatus"]) == ("0000", "PAID")
    assert asked["settlementStatus"] == "RECON_FAILED"


@pytest.mark.parametrize(("rupees", "number"), [("1250.50", "1250.5"), ("3000.00", "3000"), ("0.29", "0.29")])
def test_an_inquiry_tells_the_amount_as_a_number_of_rupees(merchant: Merchant, rupees: str, number: str) -> None:
    merchant.easy(MA, ma_fields("P1", transactionAmount=rupees))
    text = merchant.post(f"easypaisa/easypay-service/rest/v4/{ASK}", json=QUESTION).text
    assert f'"transactionAmount":{number},' in text
    assert json.loads(text, parse_float=Decimal)["transactionAmount"] == Decimal(number)


@pytest.mark.parametrize(
    ("number", "code", "state", "status"),
    [
        ("02", "0012", "failed", "FAILED"),
        ("03", "0013", "failed", "FAILED"),
        ("05", "0000", "pending", "PENDING"),
        ("13", "0000", "pending", "PENDING"),
    ],
)
def test_a_magic_number_decides(merchant: Merchant, number: str, code: str, state: str, status: str) -> None:
    assert merchant.easy(MA, ma_fields("P1", f"030000000{number}"))["responseCode"] == code
    assert merchant.transaction("P1")["state"] == state
    asked = merchant.easy_inquire("P1")
    assert (asked["responseCode"], asked["transactionStatus"]) == ("0000", status)
    assert asked.get("errorCode", "0000") == code


def test_numbers_that_pay_without_an_answer(merchant: Merchant) -> None:
    with pytest.raises(requests.ConnectionError):
        merchant.easy(MA, ma_fields("P6", "03000000006"))
    with pytest.raises(requests.JSONDecodeError):
        merchant.easy(MA, ma_fields("P7", "03000000007"))
    with pytest.raises(requests.JSONDecodeError):
        merchant.easy(MA, ma_fields("P8", "03000000008"))
    wait_until(lambda: {merchant.transaction(name)["debits"] for name in ("P6", "P7", "P8")} == {1})


def test_numbers_that_contradict_themselves(merchant: Merchant, listener: Listener) -> None:
    merchant.easy(MA, ma_fields("P9", "03000000009"))
    assert merchant.easy_inquire("P9")["transactionAmount"] == 1251.5
    assert merchant.easy(MA, ma_fields("P11", "03000000011"))["responseCode"] == "0012"
    wait_until(lambda: merchant.easy_inquire("P11")["transactionStatus"] == "PAID")
    merchant.easy(MA, ma_fields("P10", "03000000010"))
    wait_until(lambda: len([heard for heard in listener.heard if heard.query.endswith("P10")]) == 3)


def test_a_notice_names_an_address_that_is_never_to_be_fetched(merchant: Merchant, listener: Listener) -> None:
    merchant.easy(MA, ma_fields("P2", "03000000002"))
    merchant.easy(MA, ma_fields("P1"))
    wait_until(lambda: len(listener.heard) == 1)
    heard = listener.heard[0]
    base = merchant.gateway.base_url.replace(":", "%3A").replace("/", "%2F")
    path = f"%2Feasypaisa%2Feasypay-service%2Frest%2Fv1%2Forder-status%2F{ACCOUNT_NUMBER}%2FP1"
    assert (heard.method, heard.query) == ("GET", f"url={base}{path}")
    assert merchant.transaction("P1")["status_fetches"] == 0


def test_who_fetches_the_address_is_counted(merchant: Merchant) -> None:
    merchant.easy(MA, ma_fields("P1"))
    path = "easypaisa/easypay-service/rest/v1/order-status"
    document = merchant.page(f"{path}/{ACCOUNT_NUMBER}/P1").json()
    assert (document["order_id"], document["transaction_status"]) == ("P1", "PAID")
    assert merchant.page(f"{path}/{ACCOUNT_NUMBER}/P404").status_code == 404
    assert merchant.page(f"{path}/1/P1").status_code == 404
    assert merchant.transaction("P1")["status_fetches"] == 2
    fetches = [call for call in merchant.calls() if call["operation"] == "easypaisa order-status"]
    assert [call["reference"] for call in fetches] == ["P1", "P404", "P1"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"orderId": ""}, "0002"),
        ({"emailAddress": None}, "0002"),
        ({"storeId": "9"}, "0006"),
        ({"orderId": "P" * 21}, "0003"),
        ({"orderId": "P 1"}, "0003"),
        ({"transactionType": "OTC"}, "0021"),
        ({"transactionAmount": "125050"}, "0028"),
        ({"transactionAmount": "1250.5"}, "0028"),
        ({"transactionAmount": "0.00"}, "0028"),
        ({"transactionAmount": 1250.5}, "0022"),
        ({"mobileAccountNo": "923001234567"}, "0026"),
        ({"emailAddress": "asha"}, "0027"),
        ({"tokenExpiry": "tomorrow"}, "0015"),
        ({"tokenExpiry": "20200101 000000"}, "0016"),
        ({"amount": "1250.50"}, "0022"),
    ],
)
def test_a_wrong_field_has_a_code_of_its_own(merchant: Merchant, changes: dict[str, Any], code: str) -> None:
    answer = merchant.easy(MA, ma_fields("P1", **changes))
    assert answer.keys() == {"responseCode", "responseDesc"}
    assert answer["responseCode"] == code
    assert merchant.page("_sandbox/wallets/transactions").json() == []


@pytest.mark.parametrize("name", sorted(ma_fields("P1")))
def test_a_missing_field_is_named(merchant: Merchant, name: str) -> None:
    fields = ma_fields("P1")
    del fields[name]
    answer = merchant.easy(MA, fields)
    assert (answer["responseCode"], name in answer["responseDesc"]) == ("0002", True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Credentials": ""},
        {"Credentials": "no base64!"},
        {"Credentials": base64.b64encode(b"shop:wrong").decode()},
        {"Credentials": "", "Authorization": "Basic " + base64.b64encode(b"shop:secret").decode()},
    ],
)
def test_only_the_credentials_header_lets_in(merchant: Merchant, headers: dict[str, str]) -> None:
    answer = merchant.post(f"easypaisa/easypay-service/rest/v4/{MA}", json=ma_fields("P1"), headers=headers)
    assert answer.json()["responseCode"] == "0010"


def test_an_order_is_good_for_one_charge_ever(merchant: Merchant) -> None:
    merchant.easy(MA, ma_fields("P1"))
    assert merchant.easy(MA, ma_fields("P1"))["responseCode"] == "0003"
    found = merchant.transaction("P1")
    assert (found["debits"], found["charge_calls"]) == (1, 2)


def test_an_inquiry_is_read_as_strictly(merchant: Merchant) -> None:
    assert merchant.easy_inquire("P404") == {"responseCode": "0003", "responseDesc": "INVALID ORDER ID"}
    assert merchant.easy(ASK, {**QUESTION, "accountNum": "1"})["responseCode"] == "0004"
    assert merchant.easy(ASK, {**QUESTION, "storeId": "9"})["responseCode"] == "0006"
    assert merchant.easy(ASK, {**QUESTION, "extra": "9"})["responseCode"] == "0022"
    assert merchant.post(f"easypaisa/easypay-service/rest/v4/{ASK}", data="{").json()["responseCode"] == "0022"


@pytest.mark.parametrize(
    ("action", "status"), [("expire", "EXPIRED"), ("drop", "FAILED"), ("approve", "PAID"), ("cancel", "FAILED")]
)
def test_a_token_waits_until_somebody_pays_or_does_not(merchant: Merchant, action: str, status: str) -> None:
    fields = ma_fields("P1", transactionType="OTC", tokenExpiry="20991231 235959")
    fields["msisdn"] = fields.pop("mobileAccountNo")
    answer = merchant.easy(OTC, fields)
    assert (answer["responseCode"], answer["paymentTokenExpiryDateTime"]) == ("0000", "31/12/2099 11:59 PM")
    assert answer["paymentToken"].isdigit()
    assert merchant.easy_inquire("P1")["transactionStatus"] == "PENDING"
    merchant.act("P1", action)
    assert merchant.easy_inquire("P1")["transactionStatus"] == status


def test_money_can_go_back(merchant: Merchant) -> None:
    merchant.easy(MA, ma_fields("P1"))
    merchant.act("P1", "reverse")
    assert merchant.easy_inquire("P1")["transactionStatus"] == "REVERSED"


def compact(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def post_v5(merchant: Merchant, text: str, key: rsa.RSAPrivateKey, *, operation: str = MA) -> str:
    signature = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    body = f'{{"request":{text},"signature":"{signature}"}}'
    headers = {"Content-Type": "application/json"}
    return merchant.post(f"easypaisa/easypay-service/rest/v5/{operation}", data=body, headers=headers).text


def response_of(text: str, key: rsa.RSAPrivateKey) -> Any:
    """Return what the gateway signed; raises InvalidSignature when it was not the gateway."""
    inner = text.removeprefix('{"response":').rpartition(',"signature":')[0]
    signature = base64.b64decode(json.loads(text)["signature"])
    key.public_key().verify(signature, inner.encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.loads(inner)


def test_version_5_signs_both_ways(
    merchant: Merchant, merchant_key: rsa.RSAPrivateKey, gateway_key: rsa.RSAPrivateKey
) -> None:
    text = post_v5(merchant, compact(ma_fields("P1")), merchant_key)
    assert response_of(text, gateway_key)["responseCode"] == "0000"
    asked = post_v5(merchant, compact(QUESTION), merchant_key, operation=ASK)
    assert response_of(asked, gateway_key)["transactionStatus"] == "PAID"


def test_version_5_reads_a_signature_that_comes_first(merchant: Merchant, merchant_key: rsa.RSAPrivateKey) -> None:
    text = compact(ma_fields("P1"))
    signature = base64.b64encode(merchant_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    body = f'{{ "signature" : "{signature}" , "request" : {text} }}'
    answer = merchant.post(f"easypaisa/easypay-service/rest/v5/{MA}", data=body).json()
    assert answer["response"]["responseCode"] == "0000"


def test_version_5_takes_no_other_key_and_no_other_text(
    merchant: Merchant, merchant_key: rsa.RSAPrivateKey, gateway_key: rsa.RSAPrivateKey
) -> None:
    stranger = post_v5(merchant, compact(ma_fields("P1")), gateway_key)
    assert response_of(stranger, gateway_key)["responseCode"] == "0024"
    spaced = post_v5(merchant, json.dumps(ma_fields("P1")), merchant_key)
    assert response_of(spaced, gateway_key)["responseCode"] == "0023"
    flat = merchant.easy(MA, ma_fields("P1"), version="v5")
    assert flat["response"]["responseCode"] == "0022"


def test_version_5_can_be_made_to_answer_with_a_strangers_signature(
    merchant: Merchant, merchant_key: rsa.RSAPrivateKey, gateway_key: rsa.RSAPrivateKey
) -> None:
    merchant.fault("easypaisa inquiry", "bad_signature")
    asked = post_v5(merchant, compact(QUESTION), merchant_key, operation=ASK)
    with pytest.raises(InvalidSignature):
        response_of(asked, gateway_key)


def guide_status(merchant: Merchant, reference: str) -> Any:
    return merchant.easy_guide("GetTransactionStatus", {"storeId": STORE, "transactionId": reference})


@pytest.mark.parametrize(
    ("number", "word"), [("01", "success"), ("02", "failed"), ("03", "failed"), ("05", "pending"), ("13", "pending")]
)
def test_the_guides_call_is_answered_before_the_customer_does(
    merchant: Merchant, listener: Listener, number: str, word: str
) -> None:
    answer = merchant.easy_guide("InitiatePayment", guide_call("P1", listener.url, f"030000000{number}"))
    assert answer == {"transactionId": "P1", "responseCode": "0000", "responseDesc": "SUCCESS"}
    told = guide_status(merchant, "P1")
    assert told == {"storeId": STORE, "transactionId": "P1", "transactionStatus": word, "amount": 125050}


def test_the_guides_notification_goes_where_the_call_said(merchant: Merchant, listener: Listener) -> None:
    merchant.easy_guide("InitiatePayment", guide_call("P1", listener.url, "03000000012"))
    wait_until(lambda: len(listener.heard) == 2)
    assert [body["transactionStatus"] for body in listener.bodies()] == ["success", "failed"]
    assert guide_status(merchant, "P1")["transactionStatus"] == "success"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "125050"}, "0028"),
        ({"amount": 1250.5}, "0028"),
        ({"amount": True}, "0028"),
        ({"mobileNumber": "3001234567"}, "0026"),
        ({"storeId": "9"}, "0006"),
        ({"transactionId": ""}, "0003"),
        ({"notificationURL": "shop.test"}, "0002"),
        ({"sessionId": None}, "0022"),
        ({"extra": ""}, "0022"),
    ],
)
def test_the_guides_call_is_read_strictly(
    merchant: Merchant, listener: Listener, changes: dict[str, Any], code: str
) -> None:
    answer = merchant.easy_guide("InitiatePayment", guide_call("P1", listener.url, **changes))
    assert answer["responseCode"] == code


def test_the_guides_calls_want_basic_authentication(merchant: Merchant, listener: Listener) -> None:
    path = "easypaisa/api/Payment/InitiatePayment"
    answer = merchant.post(path, json=guide_call("P1", listener.url), auth=(STORE, "wrong"))
    assert (answer.status_code, answer.json()["responseCode"]) == (401, "0010")
    assert guide_status(merchant, "P404")["responseCode"] == "0003"
    missing = merchant.easy_guide("GetTransactionStatus", {"storeId": STORE})
    assert "transactionId" in missing["responseDesc"]
