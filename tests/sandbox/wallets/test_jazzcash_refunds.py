from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.gateway import GatewayConfig, start_gateway
from sandbox.jazzcash.config import JazzCashAccount
from tests.sandbox.wallets.merchant import Merchant, is_genuine


@pytest.fixture
def unpartial(jazz_cash: JazzCashAccount) -> Iterator[Merchant]:
    """A merchant whom JazzCash has not granted partial refunds."""
    running = start_gateway(GatewayConfig(jazz_cash=replace(jazz_cash, partial_refunds=False)))
    yield Merchant(running)
    running.stop()


def test_parts_add_up_until_the_transaction_is_refunded(merchant: Merchant) -> None:
    merchant.push("T1")
    part = merchant.refund("T1", 25050)
    assert (part["pp_ResponseCode"], part["pp_RefundAmount"], part["pp_TotalRefundAmount"]) == (
        "000",
        "25050",
        "25050",
    )
    assert is_genuine(part)
    rest = merchant.refund("T1", 100000)
    assert (rest["pp_ResponseCode"], rest["pp_TotalRefundAmount"]) == ("131", "125050")
    assert merchant.inquire("T1")["pp_PaymentResponseCode"] == "131"
    assert [entry["amount"] for entry in merchant.transaction("T1")["refunds"]] == [25050, 100000]


def test_the_same_refund_twice_is_two_refunds(merchant: Merchant) -> None:
    merchant.push("T1")
    merchant.refund("T1", 100)
    assert merchant.refund("T1", 100)["pp_TotalRefundAmount"] == "200"


def test_a_refund_that_cannot_be_is_refused(merchant: Merchant) -> None:
    merchant.push("T1")
    merchant.push("T2", "03000000005")
    assert merchant.refund("T404", 100)["pp_ResponseCode"] == "109"
    assert merchant.refund("T2", 100)["pp_ResponseCode"] == "455"
    assert merchant.refund("T1", 125051)["pp_ResponseCode"] == "452"
    assert merchant.refund("T1", 100, pp_MerchantMPIN="4321")["pp_ResponseCode"] == "024"
    assert merchant.refund("T1", 100, pp_MerchantMPIN="")["pp_ResponseCode"] == "110"
    assert merchant.refund("T1", 100, pp_Amount="1.00")["pp_ResponseCode"] == "110"
    assert merchant.transaction("T1")["refunded"] == 0
    merchant.refund("T1", 125050)
    assert merchant.refund("T1", 100)["pp_ResponseCode"] == "132"


def test_a_merchant_may_not_be_allowed_parts(unpartial: Merchant) -> None:
    unpartial.push("T1")
    assert unpartial.refund("T1", 100)["pp_ResponseCode"] == "454"
    assert unpartial.refund("T1", 125050)["pp_ResponseCode"] == "131"
