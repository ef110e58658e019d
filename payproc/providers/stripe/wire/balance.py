"""Stripe's balance transactions, read. Pure functions."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeGuard

from payproc.domain.money import CURRENCIES
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.providers.stripe.wire import checkout

Json = Mapping[str, Any]

# Stripe's "Reporting categories" (November 2026): the category is what accounting keys by, while `type` grows.
_KINDS = {
    "charge": LineKind.CHARGE,
    "refund": LineKind.REFUND,
    "partial_capture_reversal": LineKind.REFUND,
    "charge_failure": LineKind.CHARGE_FAILURE,
    "refund_failure": LineKind.REFUND_FAILURE,
    "dispute": LineKind.DISPUTE,
    "dispute_reversal": LineKind.DISPUTE,
    "fee": LineKind.FEE,
    "payout": LineKind.PAYOUT,
    "payout_reversal": LineKind.PAYOUT,
}


def line(transaction: Json) -> SettlementLine | None:
    """Read a balance transaction; None for what is none, does not add up, or is in no currency we could book."""
    gross, fee, net = transaction.get("amount"), transaction.get("fee"), transaction.get("net")
    created_at = checkout.moment(transaction.get("created"))
    line_id, currency = checkout.text(transaction.get("id")), checkout.text(transaction.get("currency"))
    if not (line_id and currency and created_at and _whole(gross) and _whole(fee) and _whole(net)):
        return None
    if net != gross - fee or currency not in CURRENCIES:
        return None
    category = checkout.text(transaction.get("reporting_category")) or str(transaction.get("type"))
    return SettlementLine(
        id=line_id,
        kind=_KINDS.get(category, LineKind.OTHER),
        category=category,
        currency=currency,
        gross=gross,
        fee=fee,
        net=net,
        source=checkout.id_of(transaction.get("source")),
        payment_source=_payment_of(transaction.get("source")),
        created_at=created_at,
        exchange_rate=_rate(transaction.get("exchange_rate")),
        description=checkout.text(transaction.get("description")),
    )


def lines(transactions: object) -> tuple[SettlementLine, ...]:
    """Read the balance transactions that an object lists of itself."""
    if not isinstance(transactions, list):
        return ()
    read = (line(transaction) for transaction in transactions if isinstance(transaction, Mapping))
    return tuple(found for found in read if found is not None)


def _payment_of(source: object) -> str | None:
    # A charge, a refund or a dispute that was expanded names its intent.
    return checkout.id_of(source.get("payment_intent")) if isinstance(source, Mapping) else None


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _rate(value: object) -> Decimal | None:
    # A JSON number has become a float on its way through the SDK; its shortest spelling is what Stripe wrote.
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
