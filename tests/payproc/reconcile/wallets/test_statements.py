"""Statements from a wallet's portal: read strictly, matched once, their fees booked, and nothing believed blindly."""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import class_mapper
from typer.testing import CliRunner, Result

from payproc.cli import app as cli
from payproc.database.models import (
    FindingKind,
    Job,
    LedgerEntry,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    Refund,
    Review,
    RunState,
    SettlementLine,
)
from payproc.database.models.ledger import Account
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import PaymentStatus
from payproc.errors import InvalidRequest
from payproc.flows import request_refund
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from payproc.reconcile.statements import files, importer
from payproc.reconcile.statements.fields import StatementLine
from payproc.reconcile.statements.files import StatementInvalid
from payproc.records.ledger import journal
from sandbox.wallets.statement import fee_and_tax
from sandbox.wallets.transactions import Gateway, State
from tests.payproc.reconcile.wallets.audit import EVERY_ONE, WalletAudit
from tests.support.databases import ROOT
from tests.support.wallet_world import NEVER

HEAD = "Order ID,Transaction ID,Date Time,Type,Status,Gross Amount,MDR,Tax,Net Amount"
GOOD = "AB12,3012,2026-01-31 14:05:09,sale,paid,1250.50,25.01,4.00,1221.49"
GATEWAYS = {JAZZ_CASH: Gateway.JAZZCASH, EASY_PAISA: Gateway.EASYPAISA}
KARACHI = ZoneInfo("Asia/Karachi")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a statement: a header and lines, or bytes as they are."""

    def to_file(*lines: str, head: str = HEAD, raw: bytes | None = None, name: str = "statement.csv") -> Path:
        path = tmp_path / name
        path.write_bytes("\n".join([head, *lines, ""]).encode() if raw is None else raw)
        return path

    return to_file


def read(path: Path) -> list[StatementLine]:
    statement = files.check(path)
    found: list[StatementLine] = []
    cursor: str | None = None
    while True:
        # One at a time: each goes on from a place in the file.
        lines, cursor = files.read(statement, cursor=cursor, limit=1)
        found += lines
        if cursor is None:
            return found


def refused(path: Path, **bounds: int) -> list[tuple[int, str]]:
    with pytest.raises(StatementInvalid) as error:
        files.check(path, **bounds)
    return [(line.number, line.reason) for line in error.value.bad_lines]


def test_a_line_is_read_to_the_paisa_and_in_utc(write: Write) -> None:
    [line] = read(write(GOOD))
    assert (line.reference, line.transaction_id, line.id) == ("AB12", "3012", "3012:sale")
    assert (line.gross, line.fee, line.net) == (125050, 2901, 122149)
    assert line.at == datetime(2026, 1, 31, 9, 5, 9, tzinfo=UTC)
    statement = files.check(write(GOOD))
    assert (statement.begin, statement.end - statement.begin) == (
        datetime(2026, 1, 30, 19, tzinfo=UTC),
        timedelta(days=1),
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf" + f"{HEAD}\r\n\r\n{GOOD}\r\n,,,,,,,,\r\n".encode(),
        f"{HEAD}\n{GOOD}".replace(",", ";").encode(),
        f"{HEAD}\n{GOOD}\n{GOOD}\n".encode(),
        "\n".join('"' + '","'.join(line.split(",")) + '"' for line in (HEAD.upper().replace(" ", "_"), GOOD)).encode(),
        ('"' + '";"'.join(HEAD.split(",")) + f'"\n{GOOD.replace(",", ";")}').encode(),
        f"Branch,{HEAD}\nGulberg,{GOOD}\n".encode(),
        (
            b"RRN,pp_BillReference,Txn Date Time,Txn Type,Txn Status,Amount,Commission,FED,Settlement Amount\n"
            b"3012,AB12,31/01/2026 14:05:09,Purchase,SUCCESS,1250.5,25.01,4,1221.49\n"
        ),
        (
            b"order_id,transaction id,date & time,type,status,gross,fee,net\n"
            b"AB12,3012,20260131140509,credit,Settled,1250.50,29.01,1221.49\n"
        ),
    ],
)
def test_it_may_be_written_in_several_ways(write: Write, raw: bytes) -> None:
    [line] = read(write(raw=raw))
    assert (line.reference, line.gross, line.fee, line.net, line.at) == (
        "AB12", 125050, 2901, 122149, datetime(2026, 1, 31, 9, 5, 9, tzinfo=UTC),
    )  # fmt: skip


def test_the_example_of_the_documentation_is_read() -> None:
    docs = ROOT / "docs"
    example = (docs / "statement-example.csv").read_text()
    assert example in (docs / "statements.md").read_text()
    assert [(line.id, line.moved) for line in read(docs / "statement-example.csv")] == [
        ("301234567890:sale", True), ("301234567890R1:refund", True), ("301234567891:sale", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1250.50", '"1,250.50"', "the gross amount 1,250.50 is not a plain number of rupees"),
        ("1250.50", "1e3", "the gross amount 1e3 is not"),
        ("1250.50", "-1250.50", "the gross amount -1250.50 is not"),
        ("1250.50", "१२५०", "the gross amount १२५० is not"),
        ("1250.50", "1250.505", "the gross amount 1250.505 is not"),
        ("1250.50", "NaN", "the gross amount NaN is not"),
        ("1250.50", "0.00", "the gross amount 0.00 is not"),
        ("1250.50", "9" * 30, "is not a plain number"),
        ("25.01", "-25.01", "the fee amount -25.01 is not"),
        ("1221.49", "1221.50", "1250.50 less 25.01 and 4.00 is 1221.49, and not the net of 1221.50"),
        ("AB12", "=HYPERLINK(1)", "the reference =HYPERLINK(1) is not"),
        ("3012", "@SUM(A1)", "the transaction id @SUM(A1) is not"),
        ("3012", "+92300", "the transaction id +92300 is not"),
        ("3012", "", "the transaction id (nothing) is not"),
        ("3012", "३०१२", "the transaction id ३०१२ is not"),
        ("2026-01-31 14:05:09", "2026-02-30 14:05:09", "the date time 2026-02-30 14:05:09 is not"),
        ("2026-01-31 14:05:09", "2096-01-31 14:05:09", "the date time 2096-01-31 14:05:09 is not"),
        ("2026-01-31 14:05:09", "0001-01-01 00:00:00", "the date time 0001-01-01 00:00:00 is not"),
        ("2026-01-31 14:05:09", "२०२६-01-31 14:05:09", "is not a time of the past"),
        ("sale", "gift", "the type gift is not sale or refund"),
        ("paid", "maybe", "the status maybe is not a word"),
        ("sale,", "", "it has 8 fields, and the first line has 9"),
        ("AB12", "A\x00B", "it has a character that cannot be printed"),
        ("AB12", "\x1b[31mAB12", "it has a character that cannot be printed"),
        ("AB12", "x" * 201, "a field is longer than 200 characters"),
        ("AB12", "x" * 5000, "it is longer than 4096 bytes"),
        ("AB12", '"AB12', "its quotes do not fit"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(write: Write, old: str, new: str, reason: str) -> None:
    [(number, said)] = refused(write("", GOOD.replace(old, new, 1)))
    assert (number, reason in said) == (3, True), said


@pytest.mark.parametrize(
    ("raw", "number", "reason"),
    [
        (b"", 1, "the file is empty"),
        (b"\n\n", 1, "the file is empty"),
        (HEAD.encode(), 1, "no line follows"),
        (b"a,b,c\n1,2,3\n", 1, "there is no column for reference, transaction_id"),
        (f"{HEAD},RRN\n".encode(), 1, "more than one column is the transaction_id: Transaction ID, RRN"),
        (f"{HEAD}\n{GOOD.replace('AB12', 'Abdullah Müller')}".encode("latin-1"), 2, "it is not UTF-8 text"),
        (f"{HEAD}\n{GOOD}".encode("utf-16"), 1, "it is not UTF-8 text"),
        (b"x" * 10_000_000, 1, "it is longer than 4096 bytes"),
        (b"%PDF-1.7\n\x00\x01", 1, "there is no column for"),
        (f"{HEAD}\n{GOOD}\n{GOOD.replace('AB12', 'AB13')}".encode(), 3, "stands in line 2 with other contents"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(write: Write, raw: bytes, number: int, reason: str) -> None:
    [(found, said)] = refused(write(raw=raw))
    assert (found, reason in said) == (number, True), said


def test_a_file_without_bounds_is_not_read(write: Write, tmp_path: Path) -> None:
    longer = write(*(GOOD.replace("3012", str(each)) for each in range(5)))
    assert refused(longer, most_lines=3) == [(4, "there are more than 3 lines")]
    with pytest.raises(InvalidRequest, match="is larger than"):
        files.check(write(GOOD), most_bytes=100)
    with pytest.raises(InvalidRequest, match="is not a file"):
        files.check(tmp_path)


@given(junk=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused(write: Write, junk: bytes) -> None:
    for raw in (junk, f"{HEAD}\n".encode() + junk):
        # Any other exception fails the test.
        with contextlib.suppress(StatementInvalid):
            files.check(write(raw=raw))


@dataclass(frozen=True, kw_only=True)
class Books:
    """A wallet's statements, and what came of importing them."""

    audit: WalletAudit
    directory: Path

    def statement(self, method: PaymentMethod = JAZZ_CASH) -> list[str]:
        """The lines of the portal's file, without its header."""
        url = f"{self.audit.world.wallet_url}/statement"
        answer = requests.get(url, params={"gateway": GATEWAYS[method]}, timeout=5)
        assert answer.headers["Content-Type"].startswith("text/csv")
        head, *lines = answer.text.splitlines()
        assert head == HEAD
        return lines

    def file(self, lines: Sequence[str]) -> Path:
        path = self.directory / "portal.csv"
        path.write_text("\n".join([HEAD, *lines, ""]))
        return path

    def imported(
        self, lines: Sequence[str], method: PaymentMethod = JAZZ_CASH, *, dry_run: bool = False
    ) -> ReconciliationRun:
        return importer.import_statement(self.audit.world.app, method, self.file(lines), dry_run=dry_run)

    def found(self) -> list[tuple[str, str, str]]:
        return sorted((each.kind.value, each.ours, each.theirs) for each in self.audit.findings(is_open=True))

    def balance(self, account: Account) -> int:
        with self.audit.world.app.database.transaction() as session:
            return sum(each.money.amount_minor for each in journal.balances(session) if each.account is account)

    def refund(self, payment: Payment, amount_minor: int) -> Refund:
        world = self.audit.world
        with world.app.database.transaction() as session:
            made = request_refund.request_refund(
                world.app, session, payment.id, user=world.customer, money=Money.of(amount_minor, "pkr")
            )
        world.drain()
        with world.app.database.transaction() as session:
            return session.get_one(Refund, made.id)

    def everything(self) -> Any:
        """All rows that an import may write, but its run."""
        world = self.audit.world
        models = (ReconciliationFinding, SettlementLine, LedgerEntry, Review, Job)
        return [
            sorted(
                repr({column.key: getattr(row, column.key) for column in class_mapper(model).column_attrs})
                for row in world.rows(model)
            )
            for model in models
        ]


@pytest.fixture
def books(audit: WalletAudit, tmp_path: Path) -> Books:
    return Books(audit=audit, directory=tmp_path)


def line(
    payment: Payment | str,
    transaction_id: str,
    amount: str = "1250.50",
    *,
    kind: str = "sale",
) -> str:
    """One line of a statement, without a fee."""
    reference = payment if isinstance(payment, str) else payment.reference
    there = datetime.now(UTC).astimezone(KARACHI)
    return f"{reference},{transaction_id},{there:%Y-%m-%d %H:%M:%S},{kind},paid,{amount},0.00,0.00,{amount}"


@pytest.mark.parametrize("method", [JAZZ_CASH, EASY_PAISA])
def test_the_simulators_own_statement_finds_nothing_and_books_the_fees(books: Books, method: PaymentMethod) -> None:
    world = books.audit.world
    for amount in (125050, 333, 99999):
        books.audit.paid(method, amount)
    declined = world.begin(method, phone="03000000002")
    world.becomes(declined, "failed")
    fees = sum(sum(fee_and_tax(GATEWAYS[method], amount)) for amount in (125050, 333, 99999))

    run = books.imported(books.statement(method), method)
    assert (run.state, books.found()) == (RunState.DONE, [])
    assert run.counts["lines"] == {"booked": 3, "not paid": 1}
    assert books.balance(Account.FEES) == fees
    assert books.balance(Account.RECEIVABLE) == 125050 + 333 + 99999 - fees
    assert books.balance(Account.SUSPENSE) == 0


def test_refunds_of_a_payment_are_paired_with_ours_and_booked(books: Books) -> None:
    paid = books.audit.paid()
    for part in (50000, 50000, 25050):
        books.refund(paid, part)
    lines = books.statement()
    assert len(lines) == 4
    run = books.imported(lines)
    assert (books.found(), run.counts["lines"]) == ([], {"booked": 4})
    fee = sum(fee_and_tax(Gateway.JAZZCASH, 125050))
    assert (books.balance(Account.RECEIVABLE), books.balance(Account.SUSPENSE)) == (-fee, 0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [((30000, 20000), ("500.00",)), ((50000,), ("300.00", "200.00")), ((30000, 20000, 10000), ("500.00", "100.00"))],
    ids=["two of ours in one", "one of ours in two", "two in one beside another"],
)
def test_refunds_that_a_gateway_joins_or_splits_agree_by_their_sums(
    books: Books, ours: tuple[int, ...], theirs: tuple[str, ...]
) -> None:
    paid = books.audit.paid()
    [sale] = books.statement()
    for amount in ours:
        books.refund(paid, amount)
    back = [line(paid, f"30{number}R", amount, kind="refund") for number, amount in enumerate(theirs)]
    run = books.imported([sale, *back])
    assert (books.found(), run.counts["lines"]) == ([], {"booked": 1 + len(back)})
    fee = sum(fee_and_tax(Gateway.JAZZCASH, 125050))
    assert books.balance(Account.RECEIVABLE) == 125050 - sum(ours) - fee
    assert books.balance(Account.SUSPENSE) == 0
    # A part of it, later: what has met stays together.
    before = books.everything()
    books.imported([sale, *back[:1]])
    assert books.everything() == before


@pytest.mark.parametrize("sampling", [EVERY_ONE], ids=["all"])
def test_a_sale_that_was_reversed_there_is_a_refund_on_both_sides(books: Books) -> None:
    paid = books.audit.paid()
    books.audit.world.do(paid, "reverse")
    books.audit.run()
    assert books.audit.world.status(paid.id) is PaymentStatus.REFUNDED
    run = books.imported(books.statement())
    assert (books.found(), run.counts["lines"]) == ([], {"booked": 2})
    assert books.balance(Account.RECEIVABLE) == -sum(fee_and_tax(Gateway.JAZZCASH, 125050))


def test_each_seeded_difference_is_found_once(books: Books) -> None:
    audit = books.audit
    listed, other, unlisted, twice, given_back = (audit.paid(amount_minor=125050) for _ in range(5))
    waiting = audit.world.begin(JAZZ_CASH, phone=NEVER)
    part = books.refund(given_back, 50000)
    missing = books.refund(twice, 100)
    lines = [
        line(listed, "1"),
        line(other, "2", "1250.51"),
        line("NOSUCHPAYMENT", "3"),
        line(waiting, "4"),
        line(twice, "5"),
        line(twice, "6"),
        line(given_back, "7"),
        line(given_back, "8", "500.01", kind="refund"),
        line(listed, "9", "10.00", kind="refund"),
        line("NOSUCHPAYMENT", "3", "1.00", kind="refund"),
    ]
    books.imported(lines)
    assert books.found() == sorted(
        [
            ("amount_mismatch", other.id, "2:sale"),
            ("missing_local", "", "3:sale"),
            ("missing_local", "", "3:refund"),
            ("missed_event", waiting.id, "4:sale"),
            ("duplicate_charge", twice.id, ""),
            ("refund_amount_mismatch", part.id, "8:refund"),
            ("refund_missing_local", listed.id, "9:refund"),
            ("missing_remote", unlisted.id, ""),
            ("missing_remote", missing.id, ""),
        ]
    )
    assert len(audit.findings()) == len(audit.world.reviews()) == 9
    # The second charge, a paisa too much of one sale and a paisa too much of one refund: money that nobody explains.
    assert books.balance(Account.SUSPENSE) == -(125050 + 1 - 1)


def test_paid_by_a_file_alone_is_not_paid_and_the_gateway_is_asked(books: Books) -> None:
    world = books.audit.world
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    lines = [line(payment, "1")]
    books.imported(lines)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    assert books.found() == [("missed_event", payment.id, "1:sale")]
    assert world.rows(SettlementLine) == []

    books.audit.alter(payment, state=State.PAID, debits=1)
    books.imported(lines)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    run = books.imported(lines)
    assert (books.found(), run.counts["lines"]) == ([], {"booked": 1})
    assert [kept.line_id for kept in world.rows(SettlementLine)] == ["1:sale"]


def test_the_next_look_at_the_wallet_closes_what_a_statement_found(books: Books) -> None:
    world = books.audit.world
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    books.imported([line(payment, "1")])
    books.audit.run()
    assert books.found() == [("missed_event", payment.id, "1:sale")]

    books.audit.alter(payment, state=State.PAID, debits=1)
    world.becomes(payment, "completed")
    books.audit.run()
    assert books.found() == []
    [review] = world.reviews()
    assert review.resolution == "the gateway's own answer agrees"


def test_the_same_file_twice_changes_nothing(books: Books) -> None:
    paid = books.audit.paid()
    books.audit.paid(amount_minor=500)
    lines = [line(paid, "1", "1250.51"), line("NOSUCHPAYMENT", "2")]
    first = books.imported(lines)
    before = books.everything()
    again = books.imported(lines)
    assert (again.id, books.everything()) == (first.id, before)
    # Written otherwise it is another run, over the same lines.
    other = books.imported(lines[::-1])
    assert (other.id != first.id, books.everything()) == (True, before)


def test_a_part_of_a_day_proves_nothing_of_its_other_lines(books: Books) -> None:
    paid = books.audit.paid()
    books.imported([line(paid, "1"), line("NOSUCHPAYMENT", "2")])
    books.imported([line(paid, "1")])
    assert books.found() == [("missing_local", "", "2:sale")]


def test_a_later_statement_that_has_the_sale_closes_what_was_missing(books: Books) -> None:
    paid, other = books.audit.paid(), books.audit.paid(amount_minor=500)
    books.imported([line(paid, "1")])
    assert books.found() == [("missing_remote", other.id, "")]
    books.imported([line(paid, "1"), line(other, "2", "5.00")])
    assert books.found() == []


def test_a_line_that_was_booked_with_another_fee_is_told_and_the_books_stand(books: Books) -> None:
    paid = books.audit.paid()
    first = line(paid, "1")
    books.imported([first])
    books.imported([first.replace("0.00,0.00,1250.50", "1.00,0.00,1249.50")])
    assert books.found() == [("ledger_imbalance", paid.id, "1:sale")]
    assert books.balance(Account.FEES) == 0


def test_a_payment_is_found_by_the_gateways_own_id_where_ours_is_not_in_the_file(books: Books) -> None:
    paid = books.audit.paid(EASY_PAISA)
    assert paid.easy_paisa_reference
    run = books.imported([line("", paid.easy_paisa_reference)], EASY_PAISA)
    assert (books.found(), run.counts["lines"]) == ([], {"booked": 1})


def test_a_payment_of_another_environment_is_none_of_ours(books: Books) -> None:
    paid = books.audit.paid()
    with books.audit.world.app.database.transaction() as session:
        session.execute(text("UPDATE payments SET environment = 'production'"))
    books.imported([line(paid, "1")])
    assert books.found() == [("missing_local", "", "1:sale")]


def test_a_dry_run_tells_what_it_would_find_and_does_not_stand_in_the_way(books: Books) -> None:
    paid = books.audit.paid()
    waiting = books.audit.world.begin(JAZZ_CASH, phone=NEVER)
    lines = [line(paid, "1", "1.00"), line(waiting, "2")]
    before = books.everything()
    for _ in range(2):
        run = books.imported(lines, dry_run=True)
        assert {(row["kind"], row["ours"]) for row in run.sample} == {
            ("amount_mismatch", paid.id), ("missed_event", waiting.id),
        }  # fmt: skip
        assert books.everything() == before
    books.imported(lines)
    assert len(books.found()) == 2


def test_an_import_that_died_goes_on_where_it_was(books: Books) -> None:
    lines = [line(books.audit.paid(amount_minor=100 + each), str(each), f"1.0{each}") for each in range(4)]

    def die(run: ReconciliationRun, _statement: object) -> None:
        if run.counts["compared"]["lines"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importer.import_statement(books.audit.world.app, JAZZ_CASH, books.file(lines), progress=die, lines_at_once=1)
    assert len(books.audit.world.rows(SettlementLine)) == 2
    run = books.imported(lines)
    assert (run.counts["compared"]["lines"], run.counts["lines"]) == (4, {"booked": 4})
    assert books.found() == []


def test_a_provider_that_lists_has_no_statements(books: Books) -> None:
    with pytest.raises(InvalidRequest, match="needs no statement"):
        books.imported([line("AB12", "1")], STRIPE)


@pytest.fixture
def seeded(books: Books) -> tuple[Books, list[str]]:
    audit = books.audit
    sold, twice, given_back = (audit.paid(amount_minor=125050) for _ in range(3))
    waiting = audit.world.begin(JAZZ_CASH, phone=NEVER)
    books.refund(given_back, 50000)
    books.refund(given_back, 20000)
    return books, [
        line(sold, "1", "1250.51"),
        line(twice, "2"),
        line(twice, "3"),
        line(waiting, "4"),
        line(given_back, "5"),
        line(given_back, "6", "500.00", kind="refund"),
        line(given_back, "7", "500.00", kind="refund"),
        line(given_back, "8", "300.00", kind="refund"),
        line("NOSUCHPAYMENT", "9"),
    ]


@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_in_whatever_order_the_lines_stand_the_same_is_found(
    seeded: tuple[Books, list[str]], data: st.DataObject
) -> None:
    books, lines = seeded

    def found(order: Sequence[str]) -> list[tuple[str, str]]:
        run = books.imported(order, dry_run=True)
        return sorted((row["kind"], row["detail"]) for row in run.sample)

    usual = found(lines)
    assert [kind for kind, _ in usual] == [
        "amount_mismatch", "duplicate_charge", "missed_event", "missing_local", "refund_amount_mismatch",
        "refund_missing_local",
    ]  # fmt: skip
    assert found(data.draw(st.permutations(lines))) == usual


@pytest.fixture
def command(books: Books, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line over the same database and simulators."""
    monkeypatch.setattr("payproc.cli.terminal.edge.application_from_environment", lambda **_: books.audit.world.app)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, ["reconcile", "wallets", *words])

    return run


def test_a_file_with_three_bad_lines_names_all_three_and_imports_nothing(
    books: Books, command: Callable[..., Result]
) -> None:
    paid = books.audit.paid()
    before = books.everything()
    lines = [line(paid, "1"), "", line(paid, "2", "12,5"), line(paid, "3").replace("sale", "gift"), line(paid, "")]
    result = command("--statement", str(books.file(lines)), "--method", "jazz_cash")

    assert result.exit_code == 1
    told = result.stderr.splitlines()
    assert [each.split(":")[0] for each in told] == ["line 4", "line 5", "line 6", "error"]
    assert "Traceback" not in result.output
    assert books.everything() == before
    assert books.audit.world.rows(ReconciliationRun) == []


def test_the_command_line_imports_a_statement_and_shows_what_it_found(
    books: Books, command: Callable[..., Result]
) -> None:
    paid = books.audit.paid()
    path = str(books.file([line(paid, "1", "1250.51")]))
    result = command("--statement", path, "--method", "jazz_cash", "--dry-run", "--json")
    [run] = json.loads(result.stdout)["runs"]
    assert [row["kind"] for row in run["findings"]] == ["amount_mismatch"]
    result = command("--statement", path, "--method", "jazz_cash")
    assert (result.exit_code, "amount_mismatch" in result.stdout) == (0, True)
    assert books.audit.kinds() == [FindingKind.AMOUNT_MISMATCH]


def test_the_command_line_asks_every_wallet(books: Books, command: Callable[..., Result]) -> None:
    payment = books.audit.world.begin(EASY_PAISA, phone=NEVER)
    books.audit.alter(payment, state=State.PAID, debits=1)
    books.audit.overdue(payment)
    result = command()
    assert (result.exit_code, "missed_event" in result.stdout) == (0, True), result.output
    assert books.audit.world.status(payment.id) is PaymentStatus.COMPLETED


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--statement", "x.csv"], "Say with --method whose statement it is"),
        (["--statement", "x.csv", "--method", "jazz_cash"], "x.csv is not a file"),
        (["--method", "stripe"], "stripe is no wallet that is set up here"),
    ],
)
def test_the_command_line_says_what_is_missing(command: Callable[..., Result], words: list[str], said: str) -> None:
    result = command(*words)
    assert (result.exit_code, said in result.stderr) == (1, True), result.output
