from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.ids import new_reference
from payproc.domain.money import LARGEST_MINOR, Money
from payproc.errors import OperationNotSupported, Refusal, RequestRefused
from payproc.providers.answers import PostForm
from payproc.providers.jazz_cash import guide, wire
from payproc.providers.jazz_cash.provider import JazzCashProvider
from payproc.providers.jazz_cash.settings import Dialect, JazzCashConfig
from payproc.providers.jazz_cash.signature import SECURE_HASH, guide_form_digest, secure_hash, verified
from payproc.providers.requests import Payer, PaymentRef, RefundRequest, StartRequest, StoredCall

RequestIn = Callable[..., StartRequest]
SECRETS = ("pw12345678", "TESTSALT01", "1234567", "345678")

COMMON = {
    "pp_Language": "EN",
    "pp_MerchantID": "MC00001",
    "pp_SubMerchantID": "",
    "pp_BankID": "",
    "pp_ProductID": "",
    "pp_TxnRefNo": "T20260901120000001",
    "pp_Amount": "125050",
    "pp_TxnCurrency": "PKR",
    "pp_TxnDateTime": "20260901120000",
    "pp_TxnExpiryDateTime": "20260902120000",
    "pp_BillReference": "T20260901120000001",
    "pp_Description": "Order 42",
}


def form_of(provider: JazzCashProvider, request: StartRequest) -> PostForm:
    return provider.form(request)


def test_the_hosted_form_has_the_computed_hash_of_1_1(
    provider: JazzCashProvider, request_in: RequestIn, config: JazzCashConfig
) -> None:
    form = form_of(provider, request_in("hosted-1.1"))
    assert form.url == config.endpoints.hosted
    assert verified(form.fields, config.integrity_salt)
    # C1 was computed for another bill reference.
    fields = {**form.fields, "pp_BillReference": "ORD42"}
    assert secure_hash(fields, config.integrity_salt) == (
        "B8F69FB8FB97AD939D0A52FDFE5AC949E9D73800FAA14D382A3DACE77236D9FD"
    )


@pytest.mark.parametrize("dialect", ["hosted-1.1", "hosted-2.0"])
def test_the_hosted_form_has_exactly_the_gateways_fields(
    provider: JazzCashProvider, request_in: RequestIn, config: JazzCashConfig, dialect: str
) -> None:
    fields = dict(form_of(provider, request_in(dialect)).fields)
    own = {
        "pp_Version": dialect.removeprefix("hosted-"),
        "pp_TxnType": "MWALLET",
        "pp_Password": "pw12345678",
        "pp_ReturnURL": config.return_url,
        **{f"ppmpf_{number}": "" for number in range(1, 6)},
    }
    if dialect == "hosted-2.0":
        blank = ("pp_TokenizedCardNumber", "pp_CustomerID", "pp_CustomerEmail", "pp_CustomerMobile")
        own |= {"pp_IsRegisteredCustomer": "No", **dict.fromkeys(blank, "")}
    assert fields == {**COMMON, **own, SECURE_HASH: fields[SECURE_HASH]}


@pytest.mark.parametrize("dialect", ["guide", "hosted-1.1", "hosted-2.0"])
def test_the_same_request_gives_the_same_form(provider: JazzCashProvider, request_in: RequestIn, dialect: str) -> None:
    first, second = (form_of(provider, request_in(dialect)) for _ in range(2))
    assert first == second
    assert list(first.fields) == list(second.fields)
    assert "pw12345678" not in repr(first)


@given(st.text(max_size=300), st.integers(1, LARGEST_MINOR))
def test_any_description_and_amount_can_be_signed_into_a_form(
    provider: JazzCashProvider, request_in: RequestIn, config: JazzCashConfig, description: str, amount: int
) -> None:
    request = request_in("hosted-1.1", description=description, money=Money.of(amount, "pkr"))
    fields = form_of(provider, request).fields
    assert verified(fields, config.integrity_salt)
    assert not any("&" in value for value in fields.values())
    assert fields["pp_Amount"] == str(amount)


def test_a_plan_of_a_charge_names_neither_secret_nor_payer(provider: JazzCashProvider, request_in: RequestIn) -> None:
    for dialect in ("mwallet-1.1", "mwallet-2.0"):
        words = repr(provider.prepare_start(request_in(dialect)))
        assert not any(secret in words for secret in (*SECRETS, "03123456789"))


def test_a_charge_of_2_0_has_the_computed_hash_and_exactly_the_guides_fields(
    config: JazzCashConfig, call_of: Callable[..., StoredCall]
) -> None:
    call = call_of("mwallet-2.0")
    fields = wire.push_fields(call, config, Dialect.MWALLET_2_0)
    own = {"pp_MobileNumber": "03123456789", "pp_CNIC": "345678", "pp_Password": "pw12345678"}
    blank = {f"ppmpf_{number}": "" for number in range(1, 6)}
    assert fields == {**COMMON, **own, **blank, SECURE_HASH: fields[SECURE_HASH]}
    # C2 was computed for another bill reference.
    other = replace(call, parameters={**call.parameters, "pp_BillReference": "ORD42"})
    assert wire.push_fields(other, config, Dialect.MWALLET_2_0)[SECURE_HASH] == (
        "1603365F47C9E323314377C7AB749F867B78CE29BB4A52DCB5E4423D4834C8C3"
    )


def test_a_charge_of_1_1_carries_the_phone_where_its_clients_put_it(
    config: JazzCashConfig, call_of: Callable[..., StoredCall]
) -> None:
    fields = wire.push_fields(call_of("mwallet-1.1"), config, Dialect.MWALLET_1_1)
    own = {
        "pp_Version": "1.1",
        "pp_TxnType": "MWALLET",
        "pp_ReturnURL": config.return_url,
        "pp_SubMerchantName": "Shop",
        "pp_Password": "pw12345678",
        "ppmpf_1": "03123456789",
        **{f"ppmpf_{number}": "" for number in range(2, 6)},
    }
    assert fields == {**COMMON, **own, SECURE_HASH: fields[SECURE_HASH]}
    assert verified(fields, config.integrity_salt)


def test_a_charge_of_1_1_names_no_shop_that_has_no_name(
    make_provider: Callable[..., JazzCashProvider], request_in: RequestIn
) -> None:
    prepared = make_provider(sub_merchant_name="").prepare_start(request_in("mwallet-1.1"))
    assert "pp_SubMerchantName" not in prepared.parameters


@pytest.mark.parametrize("payer", [Payer(), Payer(phone="03123456789"), Payer(cnic="345678")])
def test_a_payer_whom_we_have_forgotten_is_charged_nothing(
    config: JazzCashConfig, call_of: Callable[..., StoredCall], payer: Payer
) -> None:
    with pytest.raises(RequestRefused) as refused:
        wire.push_fields(call_of("mwallet-2.0", payer=payer), config, Dialect.MWALLET_2_0)
    assert refused.value.refusal is Refusal.INPUT


def test_an_inquiry_has_three_fields_and_the_computed_hash(config: JazzCashConfig) -> None:
    assert wire.inquiry_fields("T20260901120000001", config) == {
        "pp_TxnRefNo": "T20260901120000001",
        "pp_MerchantID": "MC00001",
        "pp_Password": "pw12345678",
        SECURE_HASH: "D8854703C486CCBF79CA1002B0468BDC2FE665FEDA6FF5C7E76F07FD449D0D5C",
    }


def test_a_refund_has_the_computed_hash_and_its_plan_no_secret(
    provider: JazzCashProvider,
    config: JazzCashConfig,
    ref_in: Callable[..., PaymentRef],
    call_of: Callable[..., StoredCall],
) -> None:
    payment = ref_in("mwallet-2.0")
    request = RefundRequest(refund_id="ref_1", payment=payment, money=payment.money)
    prepared = provider.prepare_refund(request)
    assert prepared.parameters == {
        "pp_TxnRefNo": "T20260901120000001",
        "pp_Amount": "125050",
        "pp_TxnCurrency": "PKR",
        "pp_MerchantID": "MC00001",
    }
    fields = wire.refund_fields(call_of("mwallet-2.0", parameters=prepared.parameters), config)
    assert fields[SECURE_HASH] == "11D402406BBCEAD7953BE41B82494FD654AD6DC76B19D183DC69889C33DFF1A3"
    assert set(fields) - set(prepared.parameters) == {"pp_Password", "pp_MerchantMPIN", SECURE_HASH}


# The guide's AUTH_ and second, and then our reference T20260901120000001 as a number.
AUTH_CODE = f"AUTH_20260901120000{int('T20260901120000001', 36):032d}"


def test_two_payments_of_one_second_have_two_auth_codes_that_are_read_back() -> None:
    second = datetime(2026, 9, 1, 12, tzinfo=UTC)
    references = [new_reference() for _ in range(100)]
    made = {guide.auth_code(reference, second): reference for reference in references}
    assert len(made) == len(references)
    assert all(code.startswith("AUTH_20260901120000") and code[5:].isdigit() for code in made)
    assert {guide.reference_of(code) for code in made} == set(references)
    for strange in ("AUTH_20260901120000", f"{AUTH_CODE}1", AUTH_CODE.lower(), "", None, 7):
        assert guide.reference_of(strange) is None


def test_the_guides_form_is_the_guides_byte_for_byte(
    provider: JazzCashProvider, request_in: RequestIn, config: JazzCashConfig
) -> None:
    request = request_in("guide", created_at=datetime(2026, 9, 1, 12, tzinfo=UTC), description="دو کرسیاں & tea")
    form = form_of(provider, request)
    assert form.url == config.endpoints.guide_form
    assert list(form.fields.items()) == [
        ("pp_merchant_id", "MC00001"),
        ("pp_auth_code", AUTH_CODE),
        ("pp_amount", "125050"),
        ("pp_bill_reference", "T20260901120000001"),
        ("pp_description", "دو کرسیاں & tea"),
        ("pp_return_url", config.return_url),
        ("pp_notify_url", config.notify_url),
        ("pp_sign", sha256(f"MC00001{AUTH_CODE}125050pw12345678".encode()).hexdigest()),
        ("pp_txn_datetime", "20260901120000"),
        ("pp_language", "en"),
    ]


def test_a_customer_can_move_a_digit_of_the_guides_amount_unseen_by_the_gateway(
    provider: JazzCashProvider, request_in: RequestIn
) -> None:
    fields = form_of(provider, request_in("guide", created_at=datetime(2026, 9, 1, 12, tzinfo=UTC))).fields
    tampered = guide_form_digest(
        merchant_id="MC00001", auth_code=AUTH_CODE + "1", amount="25050", password="pw12345678"
    )
    assert fields["pp_sign"] == tampered


@pytest.mark.parametrize("dialect", ["mwallet-1.1", "mwallet-2.0"])
def test_a_wallet_charge_has_no_form(provider: JazzCashProvider, request_in: RequestIn, dialect: str) -> None:
    with pytest.raises(OperationNotSupported):
        form_of(provider, request_in(dialect))
