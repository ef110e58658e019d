from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import Money
from payproc.errors import NoticeMalformed, OperationNotSupported
from payproc.providers.answers import PostForm
from payproc.providers.easy_paisa.settings import Dialect
from payproc.providers.easy_paisa.signature import merchant_hashed_req
from payproc.providers.notices import Hint
from payproc.providers.requests import Customer, Payer
from tests.payproc.providers.easy_paisa.merchant import REFERENCE, config, delivered, provider, request

HOSTED = provider(config(Dialect.HOSTED))
KEY = b"ABCDEFGHIJKLMNOP"
RETURN_URL = "https://shop.example/pay/easypaisa/return"


def form(**changes: Any) -> PostForm:
    return HOSTED.form(request(Dialect.HOSTED, **changes))


def customer(email: str) -> Customer:
    return Customer(user_id="usr_1", email=email, name="Amina Khan")


def next_form(query: str) -> PostForm | None:
    return HOSTED.next_form(delivered(query=query))


def test_the_first_form_has_exactly_these_fields() -> None:
    drawn = form()
    fields = dict(drawn.fields)
    hashed = fields.pop("merchantHashedReq")
    assert drawn.url == "https://easypaystg.easypaisa.com.pk/easypay/Index.jsf"
    assert fields == {
        "storeId": "1234",
        "amount": "1250.5",
        "postBackURL": RETURN_URL,
        "orderRefNum": REFERENCE,
        "expiryDate": "20260902 120000",
        "autoRedirect": "1",
        "paymentMethod": "MA_PAYMENT_METHOD",
        "mobileNum": "03001234567",
        "emailAddr": "buyer@example.com",
    }
    assert hashed == merchant_hashed_req(fields, KEY)


@given(st.integers(1, 99_999_999), st.none() | st.just("03001234567"), st.emails() | st.text())
def test_what_is_posted_is_what_was_hashed(paisa: int, phone: str | None, email: str) -> None:
    drawn = form(money=Money.of(paisa, "pkr"), payer=Payer(phone=phone), customer=customer(email))
    assert drawn.fields["merchantHashedReq"] == merchant_hashed_req(drawn.fields, KEY)
    assert all(drawn.fields.values())


def test_the_same_payment_always_gives_the_same_form() -> None:
    assert form() == form()


@pytest.mark.parametrize(
    "email", ["", "a&amount=1.0@example.com", "a=b@example.com", "a b@example.com", "é@example.com"]
)
def test_an_address_that_could_move_a_field_is_left_out(email: str) -> None:
    assert "emailAddr" not in form(customer=customer(email)).fields


@pytest.mark.parametrize("phone", [None, "", "0300", "0300&amount=1", "+923001234567"])
def test_a_phone_that_is_not_known_is_left_out(phone: str | None) -> None:
    assert "mobileNum" not in form(payer=Payer(phone=phone)).fields


def test_a_form_shows_nobody_its_fields_in_a_log() -> None:
    assert "03001234567" not in repr(form())


def test_the_other_dialects_have_no_form() -> None:
    with pytest.raises(OperationNotSupported):
        HOSTED.form(request(Dialect.REST_V4))


def test_the_first_return_is_answered_with_the_second_form() -> None:
    assert next_form("auth_token=aB3._~-9") == PostForm(
        url="https://easypaystg.easypaisa.com.pk/easypay/Confirm.jsf",
        fields={"auth_token": "aB3._~-9", "postBackURL": RETURN_URL},
        sites=("https://*.easypaisa.com.pk",),
        return_url=RETURN_URL,
    )


@given(st.text(alphabet="abcXYZ019._~+/=-", min_size=1, max_size=512))
def test_a_token_is_handed_back_as_it_came_escaped_or_not(token: str) -> None:
    for written in (token, quote(token, safe="")):
        drawn = next_form(f"x=1&auth_token={written}&y=%20")
        assert drawn is not None
        assert drawn.fields["auth_token"] == token


@pytest.mark.parametrize(
    "query",
    [
        *("auth_token", "auth_token=", "auth_token=a%20b", "auth_token=a%22b", "auth_token=%3Cscript%3E"),
        *(
            "auth_token=a%00",
            "auth_token=a%0A",
            "auth_token=%D9%A1",
            "auth_token=a&auth_token=a",
            "auth_token=a&auth%5Ftoken=b",
        ),
        *(f"auth_token={'a' * 513}", "auth_token=%ff", "auth_token='", "auth_token=a;b"),
    ],
)
def test_what_is_no_token_gives_no_form(query: str) -> None:
    with pytest.raises(NoticeMalformed):
        next_form(query)


@pytest.mark.parametrize("query", ["", "status=0000&desc=ok&orderRefNumber=P1", "xauth_token=a", "AUTH_TOKEN=a"])
def test_a_return_without_a_token_is_the_last(query: str) -> None:
    assert next_form(query) is None


def test_the_last_return_names_the_order() -> None:
    query = f"status=Success&desc=0000&orderRefNumber={REFERENCE}"
    assert HOSTED.returned(delivered(query=query)) == Hint(kind="easy_paisa.return", reference=REFERENCE)


@pytest.mark.parametrize(
    "query",
    [
        *("", "auth_token=a", "orderRefNumber", "orderRefNumber=", "orderRefNumber=a-b"),
        *("orderRefNumber=P1&orderRefNumber=P2", f"orderRefNumber={'a' * 21}", "orderRefNumber=%D9%A1"),
        *("orderRefNumber=%00", "orderRefNumber=P1%0A"),
    ],
)
def test_a_return_that_names_no_order_is_nobodys(query: str) -> None:
    assert HOSTED.returned(delivered(query=query)) is None
