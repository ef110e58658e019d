"""The ledger as other programs read it: CSV, and the text of beancount. Written line by line, in the order of time."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import groupby

from payproc.database.models import Account
from payproc.domain.csv import csv_line
from payproc.domain.money import Money
from payproc.records.ledger.journal import Entry

Writer = Callable[[Iterable[Entry]], Iterator[str]]

_COLUMNS = (
    "at",
    "journal",
    "kind",
    "payment_id",
    "evidence",
    "account",
    "provider",
    "currency",
    "amount",
    "amount_minor",
)

# Beancount has five roots. Assets and expenses grow by debits, income by credits: the signs are those of our entries.
_ROOTS = {
    Account.RECEIVABLE: "Assets:Receivable",
    Account.SALES: "Income:Sales",
    Account.FEES: "Expenses:Fees",
    Account.REFUNDS: "Income:Refunds",
    Account.DISPUTES: "Expenses:Disputes",
    Account.PAYOUTS: "Assets:Payouts",
    Account.CONVERSION: "Equity:Conversion",
    Account.SUSPENSE: "Assets:Suspense",
}


class ExportFormat(StrEnum):
    """What an export is written in."""

    CSV = "csv"
    BEANCOUNT = "beancount"


def as_csv(entries: Iterable[Entry]) -> Iterator[str]:
    """Write one line an entry, amounts in major and in minor units; a debit is positive."""
    yield csv_line(_COLUMNS)
    for entry in entries:
        yield csv_line(
            (
                entry.at.isoformat(),
                entry.key,
                entry.kind,
                entry.payment_id or "",
                entry.evidence,
                entry.account,
                entry.provider,
                entry.money.currency.code,
                _major(entry.money),
                str(entry.money.amount_minor),
            )
        )


def as_beancount(entries: Iterable[Entry]) -> Iterator[str]:
    """Write one transaction a journal, each account opened on the day it is first used (UTC).

    The entries of a journal must follow one another.
    """
    opened: set[str] = set()
    for _, group in groupby(entries, key=lambda entry: entry.journal_id):
        sides = list(group)
        for account in dict.fromkeys(_account(side) for side in sides):
            if account not in opened:
                opened.add(account)
                yield f"{sides[0].at:%Y-%m-%d} open {account}\n"
        yield _transaction(sides)


def _transaction(sides: list[Entry]) -> str:
    first = sides[0]
    metadata = {
        "journal": first.key,
        "payment": first.payment_id,
        "evidence": first.evidence,
        "time": first.at.isoformat(),
    }
    lines = [
        f"{first.at:%Y-%m-%d} * {_quoted(first.kind)}",
        *(f"  {name}: {_quoted(value)}" for name, value in metadata.items() if value is not None),
        *(f"  {_account(side)}  {_major(side.money)} {side.money.currency.code.upper()}" for side in sides),
    ]
    return "\n".join(lines) + "\n\n"


def _account(entry: Entry) -> str:
    # A part of an account's name begins with a capital and has no underscore: jazz_cash is JazzCash.
    name = "".join(word.capitalize() for word in entry.provider.split("_"))
    return f"{_ROOTS[entry.account]}:{name}"


# A quote would end the string, and what follows be read as tags, links or a posting. A line break may stand in one,
# but whoever reads the file line by line would take the next line for a directive.
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(value: str) -> str:
    return '"' + re.sub(r"[\"\\\x00-\x1f\x7f\x85\u2028\u2029]", lambda found: _ESCAPES.get(found[0], " "), value) + '"'


def _major(money: Money) -> str:
    return f"{money.major:.{money.currency.exponent}f}"


WRITERS: Mapping[ExportFormat, Writer] = {ExportFormat.CSV: as_csv, ExportFormat.BEANCOUNT: as_beancount}
