import hashlib

import pytest

from tests.sandbox.wallets.merchant import (
    FORM,
    GUIDE,
    MERCHANT,
    PASSWORD,
    RETURN_URL,
    Listener,
    Merchant,
    form_fields,
    guide_form,
    hidden_fields,
    is_genuine,
    signed,
    stamp,
)
from tests.support.waiting import wait_until


def open_page(merchant: Merchant, reference: str = "T1", **changes: str) -> str:
    answer = merchant.form(f"jazzcash/{FORM}", signed(form_fields(reference, **changes)))
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].removeprefix("/")


@pytest.mark.parametrize("path", [FORM, f"{FORM}/", f"payment-orchestrator/{FORM}"])
def test_a_good_form_opens_the_page(merchant: Merchant, path: str) -> None:
    answer = merchant.form(f"jazzcash/{path}", signed(form_fields("T1")))
    page = merchant.page(answer.headers["Location"].removeprefix("/")).text
    assert "Rs 1,250.50" in page
    assert 'action="/jazzcash/pay/T1/approve"' in page
    assert merchant.inquire("T1")["pp_PaymentResponseCode"] == "157"


@pytest.mark.parametrize(
    ("action", "method", "code", "state"),
    [
        ("approve", "MWALLET", "000", "paid"),
        ("decline", "MWALLET", "095", "failed"),
        ("cancel", "MWALLET", "112", "failed"),
        ("pay-later", "MWALLET", "157", "pending"),
        ("pay-later", "OTC", "124", "pending"),
        ("drop", "", "129", "dropped"),
    ],
)
def test_a_choice_goes_back_to_the_shop_signed(
    merchant: Merchant, action: str, method: str, code: str, state: str
) -> None:
    page = open_page(merchant, pp_TxnType=method, ppmpf_2="echoed")
    answer = merchant.post(f"{page}/{action}")
    assert f'action="{RETURN_URL}"' in answer.text
    fields = hidden_fields(answer.text)
    assert (fields["pp_ResponseCode"], fields["pp_Amount"], fields["ppmpf_2"]) == (code, "125050", "echoed")
    assert {"pp_RetreivalReferenceNo", "pp_SubMerchantId", "ppmbf_1"} <= fields.keys()
    assert is_genuine(fields)
    assert merchant.transaction("T1")["state"] == state


@pytest.mark.parametrize(("action", "code"), [("approve", "121"), ("decline", "095"), ("drop", "129")])
def test_a_choice_is_told_to_the_server_too(merchant: Merchant, listener: Listener, action: str, code: str) -> None:
    merchant.post(f"{open_page(merchant)}/{action}")
    wait_until(lambda: len(listener.heard) == 1)
    body = listener.heard[0].body
    assert (body["pp_TxnRefNo"], body["pp_ResponseCode"], is_genuine(body)) == ("T1", code, True)
    assert not body.keys() & {"pp_Amount", "pp_TxnCurrency", "pp_MerchantID"}


def test_a_second_press_changes_nothing(merchant: Merchant) -> None:
    page = open_page(merchant)
    merchant.post(f"{page}/approve")
    again = merchant.post(f"{page}/decline")
    assert (again.status_code, again.headers["Location"]) == (303, f"/{page}")
    assert merchant.transaction("T1")["debits"] == 1
    assert "This payment is paid" in merchant.page(page).text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"pp_Version": "3.0"}, "pp_Version"),
        ({"pp_TxnType": "CASH"}, "pp_TxnType"),
        ({"pp_ReturnURL": RETURN_URL.replace("shop", "www.shop")}, "pp_ReturnURL"),
        ({"pp_TxnCurrency": "USD"}, "pp_TxnCurrency"),
        ({"pp_Amount": "1250.50"}, "pp_Amount"),
        ({"pp_TxnRefNo": "T-1"}, "pp_TxnRefNo"),
        ({"pp_TxnExpiryDateTime": stamp(hours=-1)}, "pp_TxnExpiryDateTime"),
        ({"pp_Surprise": "1"}, "pp_Surprise"),
        ({"pp_CustomerEmail": "asha@shop.test"}, "pp_CustomerEmail"),
    ],
)
def test_a_wrong_form_is_refused_on_the_spot(merchant: Merchant, changes: dict[str, str], name: str) -> None:
    answer = merchant.form(f"jazzcash/{FORM}", signed(form_fields("T1", **changes)))
    assert (answer.status_code, name in answer.text) == (400, True)
    assert "Location" not in answer.headers


@pytest.mark.parametrize("name", sorted(form_fields("T1").keys() - {"pp_TxnType"}))
def test_no_mandatory_field_may_be_missing(merchant: Merchant, name: str) -> None:
    fields = form_fields("T1")
    del fields[name]
    answer = merchant.form(f"jazzcash/{FORM}", signed(fields))
    assert (answer.status_code, name in answer.text) == (400, True)


def test_version_2_0_knows_more_fields(merchant: Merchant) -> None:
    open_page(merchant, pp_Version="2.0", pp_CustomerEmail="asha@shop.test", pp_IsRegisteredCustomer="No")


def test_a_form_changed_by_the_customer_is_refused(merchant: Merchant) -> None:
    answer = merchant.form(f"jazzcash/{FORM}", {**signed(form_fields("T1")), "pp_Amount": "100"})
    assert (answer.status_code, "115" in answer.text) == (400, True)


def test_a_form_is_good_once(merchant: Merchant) -> None:
    fields = signed(form_fields("T1"))
    assert merchant.form(f"jazzcash/{FORM}", fields).status_code == 303
    assert merchant.form(f"jazzcash/{FORM}", fields).status_code == 400
    assert merchant.transaction("T1")["charge_calls"] == 2


def test_the_controls_press_the_same_buttons(merchant: Merchant) -> None:
    open_page(merchant)
    answer = merchant.act("T1", "approve")
    assert answer["transaction"]["state"] == "paid"
    assert (answer["browser"]["method"], answer["browser"]["url"]) == ("POST", RETURN_URL)
    assert is_genuine(answer["browser"]["fields"])
    assert "paid" in merchant.act("T1", "approve")["error"]


def status(merchant: Merchant, reference: str) -> dict[str, str]:
    digest = hashlib.sha256(f"{MERCHANT}{reference}{PASSWORD}".encode()).hexdigest()
    fields = {"pp_merchant_id": MERCHANT, "pp_txn_id": reference, "pp_language": "en", "pp_sign": digest}
    answer: dict[str, str] = merchant.form(f"jazzcash/{GUIDE}TransactionStatus.php", fields).json()
    return answer


def test_the_guides_form_goes_back_with_nothing_but_the_reference(merchant: Merchant, listener: Listener) -> None:
    merchant.form(f"jazzcash/{GUIDE}", guide_form("T1", listener.url))
    assert status(merchant, "T1")["pp_response_code"] == "157"
    answer = merchant.post("jazzcash/pay/T1/approve")
    assert (answer.status_code, answer.headers["Location"]) == (303, "http://shop.test/done?order=5&pp_txn_id=T1")
    wait_until(lambda: len(listener.heard) == 1)
    assert listener.heard[0].body == {"pp_txn_id": "T1", "pp_response_code": "000", "pp_amount": "125050"}
    told = status(merchant, "T1")
    assert (told["pp_txn_id"], told["pp_response_code"], told["pp_amount"]) == ("T1", "000", "125050")


def test_the_guides_inquiry_knows_what_it_does_not_know(merchant: Merchant) -> None:
    told = status(merchant, "T404")
    assert (told["pp_response_code"], "pp_amount" in told) == ("109", False)
    fields = {"pp_merchant_id": MERCHANT, "pp_txn_id": "T1", "pp_language": "en", "pp_sign": "0" * 64}
    answer = merchant.form(f"jazzcash/{GUIDE}TransactionStatus.php", fields).json()
    assert answer["pp_response_code"] == "115"


def test_a_digit_moved_between_the_guides_fields_goes_unnoticed(merchant: Merchant, listener: Listener) -> None:
    honest = guide_form("T1", listener.url)
    assert honest["pp_sign"] == "3e29a8b6dbbdf2b6ec9a8ac14555b518fb4c226611095e5a664ac40f0911510a"
    tampered = {**honest, "pp_auth_code": "AUTH_202609011200001", "pp_amount": "25050"}
    assert merchant.form(f"jazzcash/{GUIDE}", tampered).status_code == 303
    merchant.act("T1", "approve")
    assert status(merchant, "T1")["pp_amount"] == "25050"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pp_amount": "1"}, "115"),
        ({"pp_merchant_id": "MC00002"}, "101"),
        ({"pp_language": "EN"}, "110"),
        ({"pp_notify_url": "ftp://shop.test"}, "110"),
        ({"pp_extra": "1"}, "110"),
    ],
)
def test_the_guides_form_is_checked_as_far_as_the_guide_can(
    merchant: Merchant, listener: Listener, changes: dict[str, str], code: str
) -> None:
    answer = merchant.form(f"jazzcash/{GUIDE}", {**guide_form("T1", listener.url), **changes})
    assert (answer.status_code, code in answer.text) == (400, True)
