from collections.abc import Iterator

import pytest
import stripe

from sandbox.gateway import GatewayConfig, start_gateway
from tests.sandbox.paying import paid
from tests.sandbox.wire import Connect, Controls


@pytest.fixture
def controls() -> Iterator[Controls]:
    """An account that is paid out in dollars."""
    running = start_gateway(GatewayConfig(settlement_currency="usd"))
    yield Controls(running)
    running.stop()


@pytest.fixture
def client(controls: Controls, connect: Connect) -> stripe.StripeClient:
    return connect(controls.gateway.base_url)


def line_of(client: stripe.StripeClient, source: str) -> stripe.BalanceTransaction:
    return client.v1.balance_transactions.list({"source": source}).data[0]


@pytest.mark.parametrize(
    ("currency", "amount", "settles", "rate", "fee"),
    [
        ("eur", 1999, 2159, 1.08, 63),  # 2158.92
        ("pkr", 125_000, 450, 0.0036, 13),
        ("jpy", 500, 335, 0.0067, 10),
        ("kwd", 5120, 1664, 3.25, 48),
        ("gbp", 50, 64, 1.27, 2),  # 63.5 is rounded away from zero
    ],
)
def test_a_charge_settles_in_the_accounts_currency_and_pays_its_fee_there(
    client: stripe.StripeClient,
    controls: Controls,
    *,
    currency: str,
    amount: int,
    settles: int,
    rate: float,
    fee: int,
) -> None:
    charge = paid(client, controls, currency=currency, unit_amount=amount)
    line = line_of(client, charge.id)
    assert (charge.currency, charge.amount) == (currency, amount)
    assert (line.currency, line.amount, line.exchange_rate) == ("usd", settles, rate)
    assert (line.fee, line.net) == (fee, settles - fee)
    assert [(detail.amount, detail.currency) for detail in line.fee_details] == [(fee, "usd")]


def test_a_charge_in_the_accounts_own_currency_is_not_exchanged(
    client: stripe.StripeClient, controls: Controls
) -> None:
    line = line_of(client, paid(client, controls).id)
    assert (line.currency, line.amount, line.exchange_rate) == ("usd", 1999, None)


def test_a_currency_without_a_price_settles_in_itself(client: stripe.StripeClient, controls: Controls) -> None:
    line = line_of(client, paid(client, controls, currency="ugx", unit_amount=500_000).id)
    assert (line.currency, line.amount, line.exchange_rate) == ("ugx", 500_000, None)


def test_refunds_and_disputes_settle_at_the_same_rate(client: stripe.StripeClient, controls: Controls) -> None:
    charge = paid(client, controls, currency="eur")
    refund = client.v1.refunds.create({"charge": charge.id, "amount": 1000})
    back = line_of(client, refund.id)
    assert (refund.currency, refund.amount) == ("eur", 1000)
    assert (back.currency, back.amount, back.net, back.exchange_rate) == ("usd", -1080, -1080, 1.08)

    dispute = controls.post(f"payment_intents/{charge.payment_intent}/dispute", {"amount": 999})
    taken = line_of(client, dispute["id"])
    assert (taken.currency, taken.amount, taken.fee, taken.net) == ("usd", -1079, 1500, -2579)
