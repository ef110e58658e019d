"""Exports, read back: the CSV by Python's reader, the beancount text by a small reader of our own."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.database.models import Account, JournalKind
from payproc.domain.money import Money
from payproc.records.ledger.exports import as_beancount, as_csv
from payproc.records.ledger.journal import Entry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(account: Account, money: Money, **changes: object) -> Entry:
    made = Entry(
        journal_id="jrn_1",
        key="sale:pay_1",
        kind=JournalKind.SALE,
        payment_id="pay_1",
        evidence="P7K2",
        at=NOON,
        account=account,
        provider="jazz_cash",
        money=money,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # a test's own names


def both_sides(amount_minor: int, code: str, **changes: object) -> list[Entry]:
    return [
        entry(Account.RECEIVABLE, Money.of(amount_minor, code), **changes),
        entry(Account.SALES, Money.of(-amount_minor, code), **changes),
    ]


# --- A reader of beancount --------------------------------------------------------------------------------------------

_STRING = r'"((?:[^"\\]|\\.)*)"'
_OPEN = re.compile(r"(\d{4}-\d\d-\d\d) open ([A-Z]\w*(?::[A-Z0-9][A-Za-z0-9-]*)+)")
_HEADER = re.compile(rf"(\d{{4}}-\d\d-\d\d) \* {_STRING}")
_METADATA = re.compile(rf"  ([a-z][a-z0-9_-]*): {_STRING}")
_POSTING = re.compile(r"  ([A-Z]\w*(?::[A-Z0-9][A-Za-z0-9-]*)+)  (-?\d+(?:\.\d+)?) ([A-Z][A-Z0-9'._-]{0,22}[A-Z0-9])")
_ROOTS = {"Assets", "Liabilities", "Equity", "Income", "Expenses"}


@dataclass(kw_only=True)
class Transaction:
    day: date
    metadata: dict[str, str] = field(default_factory=dict)
    postings: list[tuple[str, Decimal, str]] = field(default_factory=list)


def read_beancount(text: str) -> list[Transaction]:
    """Read what we write of the language. Every line must be one of it, every account open, every sum zero."""
    opened: dict[str, date] = {}
    found: list[Transaction] = []
    for line in text.split("\n"):
        if match := _OPEN.fullmatch(line):
            assert match[2] not in opened
            opened[match[2]] = date.fromisoformat(match[1])
        elif match := _HEADER.fullmatch(line):
            found.append(Transaction(day=date.fromisoformat(match[1])))
        elif match := _METADATA.fullmatch(line):
            found[-1].metadata[match[1]] = _unescaped(match[2])
        elif match := _POSTING.fullmatch(line):
            assert match[1].split(":")[0] in _ROOTS
            assert opened[match[1]] <= found[-1].day
            found[-1].postings.append((match[1], Decimal(match[2]), match[3]))
        else:
            assert line == ""
    for transaction in found:
        assert set(_sums(transaction.postings).values()) == {Decimal(0)}
    return found


def _sums(postings: Iterable[tuple[str, Decimal, str]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for _, amount, code in postings:
        sums[code] += amount
    return sums


def _unescaped(text: str) -> str:
    letters = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda found: letters.get(found[1], found[1]), text)


# --- What we write ----------------------------------------------------------------------------------------------------


def test_beancount_reads_as_accounts_that_are_opened_and_transactions_that_balance() -> None:
    assert "".join(as_beancount(both_sides(125050, "pkr"))) == (
        "2026-03-01 open Assets:Receivable:JazzCash\n"
        "2026-03-01 open Income:Sales:JazzCash\n"
        '2026-03-01 * "sale"\n'
        '  journal: "sale:pay_1"\n'
        '  payment: "pay_1"\n'
        '  evidence: "P7K2"\n'
        '  time: "2026-03-01T12:00:00+00:00"\n'
        "  Assets:Receivable:JazzCash  1250.50 PKR\n"
        "  Income:Sales:JazzCash  -1250.50 PKR\n\n"
    )


@pytest.mark.parametrize(
    ("amount_minor", "code", "major"),
    [
        (1, "usd", "0.01"),
        (500, "jpy", "500"),
        (1230, "kwd", "1.230"),
        (9_007_199_254_740_993, "eur", "90071992547409.93"),
    ],
)
def test_amounts_are_exact_with_their_currencys_decimals(amount_minor: int, code: str, major: str) -> None:
    sides = both_sides(amount_minor, code)
    [transaction] = read_beancount("".join(as_beancount(sides)))
    assert [str(amount) for _, amount, _ in transaction.postings] == [major, f"-{major}"]
    assert [row["amount"] for row in csv.DictReader(as_csv(sides))] == [major, f"-{major}"]


def test_an_account_is_opened_once_and_a_journal_without_a_payment_names_none() -> None:
    later = datetime(2026, 3, 2, tzinfo=UTC)
    text = "".join(
        as_beancount(both_sides(5, "usd") + both_sides(7, "usd", journal_id="jrn_2", at=later, payment_id=None))
    )
    first, second = read_beancount(text)
    assert (first.day, second.day) == (NOON.date(), later.date())
    assert "payment" in first.metadata
    assert "payment" not in second.metadata


NASTY = '"\\ \n2026-01-01 open Assets:Mine\n  Income:Sales:Stripe  5.00 USD\n#tag ^link ; comment'


@pytest.mark.parametrize("evidence", [NASTY, "\\", '"', '\\"', "\r\n", "é ✓", '" "x', "a\tb"])
def test_what_a_provider_wrote_is_read_back_as_a_string_and_as_nothing_else(evidence: str) -> None:
    text = "".join(as_beancount(both_sides(5, "usd", evidence=evidence)))
    [transaction] = read_beancount(text)
    assert transaction.metadata["evidence"] == evidence
    assert [row["evidence"] for row in csv.DictReader(_lines(as_csv(both_sides(5, "usd", evidence=evidence))))] == [
        evidence
    ] * 2


def _lines(pieces: Iterable[str]) -> list[str]:
    # With the line ends a cell may hold.
    return "".join(pieces).splitlines(keepends=True)


@given(evidence=st.text(), amount_minor=st.integers(min_value=1, max_value=10**15))
def test_every_text_leaves_the_export_readable(evidence: str, amount_minor: int) -> None:
    text = "".join(as_beancount(both_sides(amount_minor, "usd", evidence=evidence)))
    [transaction] = read_beancount(text)
    assert len(transaction.postings) == 2
    assert len(text.splitlines()) == 10


def test_every_account_has_a_name_in_beancount() -> None:
    sides = [entry(account, Money.of(sign, "usd")) for account in Account for sign in (1, -1)]
    [transaction] = read_beancount("".join(as_beancount(sides)))
    assert len({account for account, _, _ in transaction.postings}) == len(Account)


def test_csv_has_a_line_an_entry() -> None:
    rows = list(csv.DictReader(as_csv(both_sides(1999, "usd"))))
    assert rows[0] == {
        "at": "2026-03-01T12:00:00+00:00",
        "journal": "sale:pay_1",
        "kind": "sale",
        "payment_id": "pay_1",
        "evidence": "P7K2",
        "account": "receivable",
        "provider": "jazz_cash",
        "currency": "usd",
        "amount": "19.99",
        "amount_minor": "1999",
    }
    assert (rows[1]["account"], rows[1]["amount"]) == ("sales", "-19.99")
