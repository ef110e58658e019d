from dataclasses import astuple, replace
from typing import Any

import pytest

from payproc.errors import SettingsInvalid
from payproc.providers.jazz_cash.endpoints import Preset, endpoints_of
from payproc.providers.jazz_cash.settings import Dialect, JazzCashConfig

SANDBOX = "https://sandbox.jazzcash.com.pk"
PAGE = "/CustomerPortal/transactionmanagement/merchantform"


@pytest.mark.parametrize(
    ("preset", "live", "host", "push"),
    [
        (Preset.CLASSIC, True, "https://payments.jazzcash.com.pk", "/ApplicationAPI/API/Payment/DoTransaction"),
        (Preset.CLASSIC, False, SANDBOX, "/ApplicationAPI/API/Payment/DoTransaction"),
        (Preset.PGW, True, "https://pgw.jazzcash.com.pk", "/api/payment/DoTransaction"),
        (Preset.PGW, False, SANDBOX, "/ApplicationAPI/API/Payment/DoTransaction"),
        (
            Preset.ORCHESTRATOR,
            True,
            "https://onlinepayments.jazzcash.com.pk/payment-orchestrator",
            "/api/v1/rest/payments/m-wallet",
        ),
        (
            Preset.ORCHESTRATOR,
            False,
            "https://onlinepayments.jazzcash.com.pk/payment-orchestrator",
            "/api/v1/rest/payments/m-wallet",
        ),
    ],
)
def test_a_preset_is_a_host_and_its_paths(preset: Preset, live: bool, host: str, push: str) -> None:
    found = endpoints_of(preset, live=live, base_url=None)
    assert (found.hosted, found.push_1_1) == (host + PAGE, host + push)


def test_the_other_paths_are_the_published_ones() -> None:
    classic = endpoints_of(Preset.CLASSIC, live=True, base_url="https://h")
    assert (classic.push_2_0, classic.inquiry, classic.refund) == (
        "https://h/ApplicationAPI/API/2.0/Purchase/DoMWalletTransaction",
        "https://h/ApplicationAPI/API/PaymentInquiry/Inquire",
        "https://h/ApplicationAPI/API/Purchase/domwalletrefundtransaction",
    )
    pgw = endpoints_of(Preset.PGW, live=False, base_url="https://h")
    assert (pgw.push_2_0, pgw.inquiry, pgw.refund) == (
        "https://h/api/2.0/purchase/domwallettransaction",
        "https://h/ApplicationAPI/API/PaymentInquiry/Inquire",
        "https://h/api/Purchase/domwalletrefundtransaction",
    )
    orchestrator = endpoints_of(Preset.ORCHESTRATOR, live=True, base_url="https://h")
    assert (orchestrator.push_2_0, orchestrator.inquiry, orchestrator.refund) == (
        "https://h/api/v2/rest/payments/m-wallet",
        "https://h/api/v2/rest/payments/status/inquiry",
        "https://h/api/v1/rest/payments/m-wallet/refund",
    )


@pytest.mark.parametrize("preset", Preset)
def test_the_guides_addresses_are_its_own_in_every_preset(preset: Preset) -> None:
    live, sandbox = (endpoints_of(preset, live=live, base_url=None) for live in (True, False))
    assert live.guide_form == "https://secure.jazzcash.com.pk/ApplicationAPI/API/"
    assert sandbox.guide_form == "https://sandbox.jazzcash.com.pk/ApplicationAPI/API/"
    assert sandbox.guide_inquiry == "https://sandbox.jazzcash.com.pk/ApplicationAPI/API/TransactionStatus.php"


@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("base_url", ["http://127.0.0.1:5001/jazzcash", "http://127.0.0.1:5001/jazzcash/"])
def test_one_base_url_moves_every_address(preset: Preset, live: bool, base_url: str) -> None:
    for url in astuple(endpoints_of(preset, live=live, base_url=base_url)):
        assert url.startswith("http://127.0.0.1:5001/jazzcash/")
        assert "//" not in url.removeprefix("http://")
        assert "orchestrator" not in url


def test_a_single_address_can_be_replaced() -> None:
    found = replace(endpoints_of(Preset.CLASSIC, live=True, base_url=None), inquiry="https://elsewhere/ask")
    assert found.inquiry == "https://elsewhere/ask"
    assert found.refund.startswith("https://payments.jazzcash.com.pk/")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"integrity_salt": "", "dialect": Dialect.HOSTED_1_1}, "JAZZ_CASH_INTEGRITY_SALT must not be empty"),
        ({"integrity_salt": " s"}, "JAZZ_CASH_INTEGRITY_SALT has spaces around it"),
        ({"integrity_salt": " "}, "JAZZ_CASH_INTEGRITY_SALT has spaces around it"),
        ({"merchant_id": ""}, "JAZZ_CASH_MERCHANT_ID must not be empty"),
        ({"password": ""}, "JAZZ_CASH_PASSWORD must not be empty"),
        ({"password": "secret&"}, "JAZZ_CASH_PASSWORD must be printable ASCII"),
        ({"merchant_mpin": "١٢٣٤"}, "JAZZ_CASH_MERCHANT_MPIN must be printable ASCII"),
        ({"return_url": "https://shop/return?a=1&b=2"}, "JAZZ_CASH_RETURN_URL must be printable ASCII"),
    ],
)
def test_an_account_that_cannot_sign_is_refused(config: JazzCashConfig, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsInvalid, match=problem) as refused:
        replace(config, **changes)
    assert "secret" not in str(refused.value)


def test_an_account_that_speaks_as_the_guide_does_needs_no_salt(config: JazzCashConfig) -> None:
    assert replace(config, dialect=Dialect.GUIDE, integrity_salt="").integrity_salt == ""


def test_an_account_without_mpin_is_complete(config: JazzCashConfig) -> None:
    assert replace(config, merchant_mpin="", sub_merchant_name="").merchant_mpin == ""


def test_an_account_hides_its_secrets(config: JazzCashConfig) -> None:
    for secret in ("pw12345678", "TESTSALT01", "1234'"):
        assert secret not in repr(config)
