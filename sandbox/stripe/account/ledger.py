"""The lines of the account's balance: what moved, what it cost, and in which currency it settled."""

from dataclasses import dataclass
from enum import StrEnum

from sandbox.store import Json
from sandbox.stripe.account.objects import Method, new_id
from sandbox.stripe.account.rates import settled
from sandbox.stripe.store import Kind

TWO_DAYS = 2 * 24 * 3600

# In the minor unit of whatever the dispute settles in; winning does not bring it back.
DISPUTE_FEE: Json = {"amount": 1500, "description": "Dispute fee", "type": "stripe_fee"}


class LineType(StrEnum):
    """The `type` of a balance transaction."""

    CHARGE = "charge"
    PAYMENT = "payment"  # a charge that is no card's
    PAYMENT_FAILURE_REFUND = "payment_failure_refund"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    ADJUSTMENT = "adjustment"
    PAYOUT = "payout"
    PAYOUT_FAILURE = "payout_failure"


class Category(StrEnum):
    """The `reporting_category`, which accountants go by."""

    CHARGE = "charge"
    CHARGE_FAILURE = "charge_failure"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"
    DISPUTE_REVERSAL = "dispute_reversal"
    PAYOUT = "payout"
    PAYOUT_REVERSAL = "payout_reversal"


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Money on its way into or out of the balance: a signed amount, in the currency of what causes it."""

    type: LineType
    category: Category
    amount: int
    currency: str
    source: str
    description: str | None = None


def processing_fee(amount: int) -> Json:
    """Return the fee of a collected charge: 2.9 % of what it settles at, rounded half up."""
    return {"amount": (amount * 29 + 500) // 1000, "description": "Processing", "type": "stripe_fee"}


def charge_line(charge: Json, *, settlement: str, created: int) -> Json:
    """Return the line of a charge: of a card's when it is collected, of a bank debit's when it is submitted."""
    is_card = charge["payment_method_details"]["type"] == Method.CARD
    collected = Movement(
        type=LineType.CHARGE if is_card else LineType.PAYMENT,
        category=Category.CHARGE,
        amount=charge["amount"],
        currency=charge["currency"],
        source=charge["id"],
        description=charge["description"],
    )
    body = line(collected, settlement=settlement, created=created)
    return less(body, processing_fee(body["amount"]))


def failure_line(charge_line: Json, *, created: int) -> Json:
    """Return the line that takes back one of a debit which the bank returned, with its fee."""
    back = {name: -charge_line[name] for name in ("amount", "fee", "net")}
    kind = {"type": LineType.PAYMENT_FAILURE_REFUND, "reporting_category": Category.CHARGE_FAILURE}
    new = {"id": new_id("txn"), "created": created, "available_on": created + TWO_DAYS}
    details = [{**each, "amount": -each["amount"]} for each in charge_line["fee_details"]]
    # It is of no payout yet, whatever became of the first.
    own = {name: value for name, value in charge_line.items() if not name.startswith("_")}
    return {**own, **back, **kind, **new, "fee_details": details, "status": "pending"}


def line(movement: Movement, *, settlement: str, created: int) -> Json:
    """Return the balance transaction of a movement, free of charge; an empty settlement exchanges nothing."""
    money = settled(movement.amount, movement.currency, into=settlement)
    return {
        "id": new_id("txn"),
        "object": Kind.BALANCE_TRANSACTION,
        "amount": money.amount,
        "available_on": created + TWO_DAYS,
        "created": created,
        "currency": money.currency,
        "description": movement.description,
        "exchange_rate": money.exchange_rate,
        "fee": 0,
        "fee_details": [],
        "net": money.amount,
        "reporting_category": movement.category,
        "source": movement.source,
        "status": "pending",
        "type": movement.type,
    }


def less(body: Json, fee: Json) -> Json:
    """Return the line with a fee taken from it, in the line's own currency."""
    detail = {**fee, "application": None, "currency": body["currency"]}
    return {**body, "fee": fee["amount"], "fee_details": [detail], "net": body["amount"] - fee["amount"]}
