"""What a wallet's portal lets a merchant download: each movement with its fee, as CSV (docs/statements.md)."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sandbox.wallets.actions import Action
from sandbox.wallets.service import KARACHI
from sandbox.wallets.transactions import Gateway, State, Transaction

COLUMNS = ("Order ID", "Transaction ID", "Date Time", "Type", "Status", "Gross Amount", "MDR", "Tax", "Net Amount")

# Hundredths of a percent of a sale, and the sales tax on that.
MDR = {Gateway.JAZZCASH: 200, Gateway.EASYPAISA: 175}
TAX = 1600

_PAID_BY = frozenset({Action.APPROVE, Action.LATE_SUCCESS})
_CAME_TO_NOTHING = frozenset({State.FAILED, State.DROPPED, State.EXPIRED})

Row = tuple[str, ...]


def statement(transactions: Iterable[Transaction]) -> str:
    """Return the statement over these transactions of one gateway, in the order of time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    rows: list[Row] = [row for transaction in transactions for row in _rows(transaction)]
    rows.sort(key=lambda row: (row[2], row[1]))
    writer.writerows(rows)
    return text.getvalue()


def fee_and_tax(gateway: Gateway, amount: int) -> tuple[int, int]:
    """Return what the gateway keeps of a sale, and the tax on that, in paisa: halves are rounded up."""
    fee = (amount * MDR[gateway] + 5000) // 10000
    return fee, (fee * TAX + 5000) // 10000


def _rows(transaction: Transaction) -> Iterator[Row]:
    name = transaction.gateway_id or transaction.reference
    paid_at = next((each["at"] for each in transaction.history if each["action"] in _PAID_BY), None)
    if paid_at is None or transaction.state in _CAME_TO_NOTHING:
        if transaction.state in _CAME_TO_NOTHING:
            at = transaction.history[-1]["at"] if transaction.history else transaction.created_at
            yield _row(transaction, name, at, ("sale", "failed"), (transaction.amount, 0, 0, 0))
        return
    amount = transaction.told_amount
    fee, tax = fee_and_tax(transaction.gateway, amount)
    yield _row(transaction, name, paid_at, ("sale", "paid"), (amount, fee, tax, amount - fee - tax))
    for number, given in enumerate(transaction.refunds, start=1):
        yield _refund(transaction, f"{name}R{number}", given["at"], given["amount"])
    left = transaction.amount - transaction.refunded
    # Of one that was given back in parts before there may be nothing left to move.
    if transaction.state is State.REVERSED and left:
        yield _refund(transaction, f"{name}V", transaction.history[-1]["at"], left)


def _refund(transaction: Transaction, name: str, at: int, amount: int) -> Row:
    # The fee of the sale is not given back.
    return _row(transaction, name, at, ("refund", "paid"), (amount, 0, 0, amount))


def _row(
    transaction: Transaction, name: str, at: int, words: tuple[str, str], amounts: tuple[int, int, int, int]
) -> Row:
    there = datetime.fromtimestamp(at, UTC).astimezone(KARACHI)
    written = (f"{paisa // 100}.{paisa % 100:02}" for paisa in amounts)
    return (transaction.reference, name, f"{there:%Y-%m-%d %H:%M:%S}", *words, *written)
