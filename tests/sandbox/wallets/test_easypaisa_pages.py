import base64
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sandbox.easypaisa.hashed_request import decrypted
from tests.sandbox.wallets.merchant import HASH_KEY, STORE, Listener, Merchant
from tests.support.waiting import wait_until

INDEX, CONFIRM = "easypaisa/easypay/Index.jsf", "easypaisa/easypay/Confirm.jsf"
FIRST, SECOND = "http://shop.test/pay/easypaisa/token", "http://shop.test/pay/easypaisa/done?order=5"


def encrypted(text: str, key: str = HASH_KEY) -> str:
    padder = padding.PKCS7(128).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key.encode()), modes.ECB()).encryptor()  # noqa: S305 (the gateway's own choice)
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def form(**changes: str) -> dict[str, str]:
    fields = {
        "storeId": STORE,
        "amount": "1250.5",
        "postBackURL": FIRST,
        "orderRefNum": "P1",
        "autoRedirect": "1",
        "expiryDate": "20991231 235959",
        "paymentMethod": "MA_PAYMENT_METHOD",
        "emailAddr": "asha@shop.test",
        "mobileNum": "03001234567",
    }
    return {**fields, **changes}


def hashed(fields: Mapping[str, str]) -> dict[str, str]:
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name])
    return {**fields, "merchantHashedReq": encrypted(text)}


def open_page(merchant: Merchant, **changes: str) -> str:
    answer = merchant.form(INDEX, hashed(form(**changes)))
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].removeprefix("/")


def choose(merchant: Merchant, page: str, action: str) -> str:
    answer = merchant.post(f"{page}/{action}")
    assert answer.status_code == 303
    location = answer.headers["Location"]
    assert location.startswith(f"{FIRST}?auth_token=")
    return parse_qs(urlsplit(location).query)["auth_token"][0]


def test_the_hashed_request_is_what_the_guide_encrypts() -> None:
    text = (
        "amount=10.0&autoRedirect=0&expiryDate=20150101 151515&orderRefNum=11001"
        "&postBackURL=http://localhost:9081/local/status.php&storeId=28"
    )
    cipher = (
        "KF1v5+zEuWD4gjNV6Jog6cIUkKEcdfsMvLlJRDIo9ZHrx/W1M/ng14TNKaANwq1M34E5H/buXo099WZx6oCBZXLILwPY2/lrg9Fch+Rc8cBh"
        "V6Djh5zhV3FA+nx5E4AAuTVzSy6itH1zmMnfyHn40nd6TnkEMsiJBAWe/R5V2QhqgIvmZWCH+kY0+HUqaDGv"
    )
    assert decrypted(cipher, HASH_KEY) == text
    assert decrypted("no base64!", HASH_KEY) is None
    assert decrypted(cipher, HASH_KEY[::-1]) is None


@pytest.mark.parametrize(
    ("action", "state", "status", "desc"),
    [
        ("approve", "paid", "Success", "0000"),
        ("pay-later", "pending", "Success", "0000"),
        ("decline", "failed", "Failure", "0001"),
        ("drop", "dropped", "Failure", "0001"),
    ],
)
def test_a_choice_is_executed_when_the_shop_confirms_it(
    merchant: Merchant, action: str, state: str, status: str, desc: str
) -> None:
    page = open_page(merchant)
    assert "Rs 1,250.50" in merchant.page(page).text
    token = choose(merchant, page, action)
    assert (merchant.transaction("P1")["state"], merchant.transaction("P1")["debits"]) == ("initiated", 0)
    assert merchant.easy_inquire("P1")["responseCode"] == "0003"
    answer = merchant.form(CONFIRM, {"auth_token": token, "postBackURL": SECOND})
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"{SECOND}&status={status}&desc={desc}&orderRefNumber=P1",
    )
    assert merchant.transaction("P1")["state"] == state


def test_a_confirmed_payment_is_told_to_the_server(merchant: Merchant, listener: Listener) -> None:
    token = choose(merchant, open_page(merchant), "approve")
    merchant.form(CONFIRM, {"auth_token": token, "postBackURL": SECOND})
    wait_until(lambda: len(listener.heard) == 1)
    assert listener.heard[0].query.endswith("%2FP1")
    assert merchant.easy_inquire("P1")["transactionStatus"] == "PAID"


def test_without_automatic_redirect_the_last_step_is_a_link(merchant: Merchant) -> None:
    token = choose(merchant, open_page(merchant, autoRedirect="0"), "approve")
    answer = merchant.form(CONFIRM, {"auth_token": token, "postBackURL": SECOND})
    assert (answer.status_code, "Continue to the shop" in answer.text) == (200, True)


def test_a_token_confirms_once(merchant: Merchant) -> None:
    token = choose(merchant, open_page(merchant), "approve")
    merchant.form(CONFIRM, {"auth_token": token, "postBackURL": SECOND})
    again = merchant.form(CONFIRM, {"auth_token": token, "postBackURL": SECOND})
    assert (again.status_code, merchant.transaction("P1")["debits"]) == (400, 1)


@pytest.mark.parametrize("fields", [{"auth_token": "guessed", "postBackURL": SECOND}, {"auth_token": ""}])
def test_a_confirmation_of_nothing_is_refused(merchant: Merchant, fields: dict[str, str]) -> None:
    open_page(merchant)
    assert merchant.form(CONFIRM, fields).status_code == 400


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "1250.50"}, "0028"),
        ({"amount": "1250"}, "0028"),
        ({"amount": "0.0"}, "0028"),
        ({"orderRefNum": "P" * 21}, "0003"),
        ({"storeId": "9"}, "0006"),
        ({"paymentMethod": "MA"}, "0021"),
        ({"expiryDate": "20200101 000000"}, "0016"),
        ({"autoRedirect": "yes"}, "0002"),
        ({"postBackURL": "shop.test"}, "0002"),
        ({"mobileNum": "923001234567"}, "0026"),
        ({"surprise": "1"}, "0001"),
    ],
)
def test_a_wrong_form_is_refused_on_the_spot(merchant: Merchant, changes: dict[str, str], code: str) -> None:
    answer = merchant.form(INDEX, hashed(form(**changes)))
    assert (answer.status_code, code in answer.text) == (400, True)


def test_the_form_and_its_hashed_request_must_agree(merchant: Merchant) -> None:
    changed = {**hashed(form()), "amount": "1.0"}
    assert "Parameter authentication failed" in merchant.form(INDEX, changed).text
    assert "merchantHashedReq" in merchant.form(INDEX, form()).text
    other = {**form(), "merchantHashedReq": encrypted("amount=1250.5", key="PONMLKJIHGFEDCBA")}
    assert merchant.form(INDEX, other).status_code == 400


def test_a_form_is_good_once(merchant: Merchant) -> None:
    open_page(merchant)
    assert merchant.form(INDEX, hashed(form())).status_code == 400


def test_the_controls_press_the_same_buttons(merchant: Merchant) -> None:
    open_page(merchant)
    answer = merchant.act("P1", "approve")
    assert answer["transaction"]["state"] == "initiated"
    assert answer["browser"]["url"].startswith(f"{FIRST}?auth_token=")
    assert "before it is confirmed" in merchant.act("P1", "late-success")["error"]
