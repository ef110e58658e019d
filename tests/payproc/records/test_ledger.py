"""What the books say after payments, refunds and the lines of a provider's balance."""

import secrets
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.models import Journal, JournalKind, Payment, Refund, User
from payproc.database.models import SettlementLine as KeptLine
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.settlement import LineKind, RefundOutcome, RefundVerdict, RemoteRefund, SettlementLine
from payproc.domain.states import Fact, RefundFact
from payproc.errors import InvalidRequest
from payproc.flows import checkout
from payproc.providers.stripe import STRIPE
from payproc.records import payments, refunds, remote_refunds
from payproc.records.ledger import journal as ledger
from payproc.records.ledger import matching
from payproc.records.ledger.journal import Recorded

TOLD = Provenance(source=Source.OPERATOR, evidence="rev_1")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(kind: LineKind, gross: int, *, fee: int = 0, **changes: Any) -> SettlementLine:
    made = SettlementLine(
        id="txn_1",
        kind=kind,
        category=kind,
        currency="usd",
        gross=gross,
        fee=fee,
        net=gross - fee,
        source="ch_1",
        created_at=NOON,
    )
    return replace(made, **changes)


@dataclass(frozen=True, kw_only=True)
class Books:
    """An application and short words for its ledger."""

    app: Application
    customer: User

    def sell(self, money: Money) -> Payment:
        made = self.take(money)
        with self.app.database.transaction() as session:
            return payments.apply_fact(session, made.id, Fact.PAID, provenance=TOLD)

    def take(self, money: Money) -> Payment:
        request = PaymentRequest(
            money=money,
            description="Two mangoes",
            success_url="https://example.com/thanks",
            cancel_url="https://example.com/basket",
        )
        return checkout.take_payment(self.app, request, user=self.customer, method=STRIPE)

    def give_back(self, payment: Payment, amount_minor: int) -> Refund:
        with self.app.database.transaction() as session:
            refund = refund_in(session, payment, amount_minor)
            return refunds.apply_fact(session, refund.id, RefundFact.SUCCEEDED, provenance=TOLD)

    def book(self, told: SettlementLine, *, of: Payment | None = None) -> Recorded:
        """Book a line that answers what we booked of a payment, and has not been met."""
        with self.app.database.transaction() as session:
            unmet = [own for own in matching.own_journals(session, [of.id] if of else []) if own.match is None]
            answers = [own for own in unmet if own.kind is matching.ANSWERED.get(told.kind)][:1]
            return ledger.record_line(session, STRIPE, told, answers=answers, payment_id=of.id if of else None)

    def journals(self) -> list[Journal]:
        with self.app.database.transaction() as session:
            return list(session.scalars(select(Journal).order_by(Journal.key)))

    def balances(self, at: datetime | None = None) -> dict[tuple[str, str], int]:
        with self.app.database.transaction() as session:
            return standing(session, at=at)


def refund_in(session: Session, payment: Payment, amount_minor: int) -> Refund:
    pending = RemoteRefund(
        provider_id=f"re_{secrets.token_hex(8)}",
        references={},
        money=Money.of(amount_minor, payment.currency),
        outcome=RefundOutcome(verdict=RefundVerdict.PENDING),
    )
    refund = remote_refunds.record_remote(session, payment, pending, provenance=TOLD)
    assert refund is not None
    return refund


def standing(session: Session, *, at: datetime | None = None) -> dict[tuple[str, str], int]:
    """What stands on each account in each currency, without what stands at zero."""
    found = ledger.balances(session, at=at)
    assert {each.provider for each in found} <= {STRIPE}
    return {(b.account.value, b.money.currency.code): b.money.amount_minor for b in found if b.money.amount_minor}


@pytest.fixture
def books(app: Application, customer: User) -> Books:
    return Books(app=app, customer=customer)


USD_20 = Money.of(2000, "usd")


def test_a_completed_payment_is_sold_once(books: Books) -> None:
    payment = books.sell(USD_20)
    assert books.balances() == {("receivable", "usd"): 2000, ("sales", "usd"): -2000}
    [journal] = books.journals()
    assert (journal.key, journal.kind) == (f"sale:{payment.id}", JournalKind.SALE)
    assert (journal.payment_id, journal.evidence) == (payment.id, payment.reference)


def test_a_payment_whose_refund_is_undone_completes_again_and_sells_nothing(books: Books) -> None:
    payment = books.sell(USD_20)
    refund = books.give_back(payment, 2000)
    assert books.balances() == {("refunds", "usd"): 2000, ("sales", "usd"): -2000}

    with books.app.database.transaction() as session:
        for _ in range(2):
            refunds.apply_fact(session, refund.id, RefundFact.FAILED, provenance=TOLD)
    assert books.balances() == {("receivable", "usd"): 2000, ("sales", "usd"): -2000}
    assert [journal.kind for journal in books.journals()] == ["refund", "refund_undone", "sale"]


def test_a_refund_that_fails_books_nothing(books: Books) -> None:
    payment = books.sell(USD_20)
    with books.app.database.transaction() as session:
        refund = refund_in(session, payment, 500)
        refunds.apply_fact(session, refund.id, RefundFact.FAILED, provenance=TOLD)
    assert [journal.kind for journal in books.journals()] == ["sale"]


def test_a_charges_fee_is_what_the_line_adds_to_the_sale(books: Books) -> None:
    payment = books.sell(USD_20)
    assert books.book(line(LineKind.CHARGE, 2000, fee=88), of=payment) is Recorded.BOOKED
    assert books.balances() == {("receivable", "usd"): 1912, ("sales", "usd"): -2000, ("fees", "usd"): 88}


def test_a_charge_settled_in_another_currency_goes_through_conversion(books: Books) -> None:
    euros = Money.of(1000, "eur")
    payment = books.sell(euros)
    books.book(line(LineKind.CHARGE, 1234, fee=60, exchange_rate=Decimal("1.234")), of=payment)
    assert books.balances() == {
        ("sales", "eur"): -1000,
        ("conversion", "eur"): 1000,
        ("conversion", "usd"): -1234,
        ("receivable", "usd"): 1174,
        ("fees", "usd"): 60,
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (line(LineKind.DISPUTE, -1000, fee=1500), {"disputes": 1000, "fees": 1500, "receivable": -2500}),
        (line(LineKind.DISPUTE, 1000, fee=-1500), {"disputes": -1000, "fees": -1500, "receivable": 2500}),
        (line(LineKind.PAYOUT, -1912), {"payouts": 1912, "receivable": -1912}),
        (line(LineKind.PAYOUT, 1912), {"payouts": -1912, "receivable": 1912}),
        (line(LineKind.FEE, -250), {"fees": 250, "receivable": -250}),
        (line(LineKind.OTHER, 7), {"suspense": -7, "receivable": 7}),
        (line(LineKind.CHARGE, 500, fee=45), {"suspense": -500, "fees": 45, "receivable": 455}),
        (line(LineKind.REFUND, -500), {"suspense": 500, "receivable": -500}),
    ],
    ids=lambda value: f"{value.kind} of {value.gross}" if isinstance(value, SettlementLine) else "",
)
def test_what_we_had_not_booked_has_an_account_of_its_own(
    books: Books, told: SettlementLine, expected: dict[str, int]
) -> None:
    books.book(told)
    assert books.balances() == {(account, "usd"): amount for account, amount in expected.items()}


def test_a_difference_from_what_we_booked_is_in_suspense(books: Books) -> None:
    payment = books.sell(USD_20)
    books.book(line(LineKind.CHARGE, 1999), of=payment)
    assert books.balances() == {("receivable", "usd"): 1999, ("sales", "usd"): -2000, ("suspense", "usd"): 1}


def test_a_line_that_moves_nothing_more_is_kept_without_a_journal(books: Books) -> None:
    payment = books.sell(USD_20)
    assert books.book(line(LineKind.CHARGE, 2000), of=payment) is Recorded.BOOKED
    assert [journal.kind for journal in books.journals()] == ["sale"]
    with books.app.database.transaction() as session:
        kept = session.scalars(select(KeptLine)).one()
    assert (kept.provider, kept.line_id, kept.payment_id, kept.net) == (STRIPE, "txn_1", payment.id, 2000)


def test_a_line_is_booked_once_and_learns_its_payout_later_and_once(books: Books) -> None:
    told = line(LineKind.FEE, -250)
    assert books.book(told) is Recorded.BOOKED
    assert books.book(replace(told, payout="po_1")) is Recorded.KNOWN
    assert books.book(replace(told, payout="po_2", gross=-9, net=-9)) is Recorded.KNOWN
    with books.app.database.transaction() as session:
        kept = session.scalars(select(KeptLine)).one()
    assert (kept.payout, kept.gross) == ("po_1", -250)
    assert books.balances() == {("fees", "usd"): 250, ("receivable", "usd"): -250}


def test_of_several_who_tell_the_same_line_at_once_one_books_it(books: Books) -> None:
    told = line(LineKind.FEE, -250)
    with ThreadPoolExecutor(8) as tellers:
        new = list(tellers.map(lambda _: books.book(told), range(8)))
    assert sorted(new) == [Recorded.BOOKED] + [Recorded.KNOWN] * 7
    assert books.balances() == {("fees", "usd"): 250, ("receivable", "usd"): -250}


def test_a_line_in_a_currency_that_nobody_knows_is_refused(books: Books) -> None:
    with pytest.raises(InvalidRequest, match="not supported"):
        books.book(line(LineKind.OTHER, 5, currency="zzz"))
    assert books.balances() == {}


def test_a_line_answers_only_what_its_kind_can(books: Books) -> None:
    payment = books.sell(USD_20)
    with books.app.database.transaction() as session:
        [sale] = matching.own_journals(session, [payment.id])
        with pytest.raises(ValueError, match=f"a payout line does not answer sale:{payment.id}"):
            ledger.record_line(session, STRIPE, line(LineKind.PAYOUT, 5), answers=[sale], payment_id=payment.id)


def test_a_line_whose_net_is_no_difference_is_refused(books: Books) -> None:
    with pytest.raises(IntegrityError, match="net_is_gross_less_fee"):
        books.book(line(LineKind.CHARGE, 100, fee=3, net=98))


def test_the_books_of_a_past_moment_are_those_of_then(books: Books) -> None:
    books.sell(USD_20)
    with books.app.database.transaction() as session:
        between = session.scalars(select(func.now())).one()
    books.sell(Money.of(500, "usd"))
    assert books.balances(between)["sales", "usd"] == -2000
    assert books.balances()["sales", "usd"] == -2500
    assert books.balances(between - timedelta(days=1)) == {}


def test_entries_come_in_the_order_of_time_with_their_journals_together(books: Books) -> None:
    first, second = books.sell(USD_20), books.sell(Money.of(500, "usd"))
    books.book(line(LineKind.CHARGE, 2000, fee=88), of=first)
    with books.app.database.transaction() as session:
        found = [(entry.key, entry.account.value, str(entry.money)) for entry in ledger.entries(session)]
    assert found == [
        (f"sale:{first.id}", "receivable", "20.00 USD"),
        (f"sale:{first.id}", "sales", "-20.00 USD"),
        (f"sale:{second.id}", "receivable", "5.00 USD"),
        (f"sale:{second.id}", "sales", "-5.00 USD"),
        ("line:stripe:txn_1", "fees", "0.88 USD"),
        ("line:stripe:txn_1", "receivable", "-0.88 USD"),
    ]


def test_an_export_of_any_length_fits_into_memory(books: Books) -> None:
    with books.app.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO journals (id, key, kind, evidence) "
                "SELECT 'jrn_' || n, 'adjustment:' || n, 'adjustment', n FROM generate_series(1, 20000) n"
            )
        )
        session.execute(
            text(
                ENTRY.replace("VALUES", "SELECT 'jrn_' || n, account, 'stripe', 'usd', amount ")
                + "FROM generate_series(1, 20000) n, (VALUES ('fees', 1), ('receivable', -1)) AS side (account, amount)"
            )
        )
    with books.app.database.transaction() as session:
        tracemalloc.start()
        count = sum(1 for _ in ledger.entries(session))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 40_000
    assert peak < 10_000_000


JOURNAL = "INSERT INTO journals (id, key, kind, evidence) VALUES ('jrn_1', 'line:stripe:x', 'line', 'x')"
ENTRY = "INSERT INTO ledger_entries (journal_id, account, provider, currency, amount_minor) VALUES "


def write(books: Books, *statements: str) -> None:
    with books.app.database.transaction() as session:
        for statement in statements:
            session.execute(text(statement))


@pytest.mark.parametrize(
    ("sides", "reason"),
    [
        (
            [ENTRY + "('jrn_1', 'fees', 'stripe', 'usd', 5), ('jrn_1', 'receivable', 'stripe', 'usd', -4)"],
            "1 usd are left",
        ),
        (
            [ENTRY + "('jrn_1', 'fees', 'stripe', 'usd', 5), ('jrn_1', 'receivable', 'stripe', 'eur', -5)"],
            "are left over",
        ),
        ([ENTRY + "('jrn_1', 'fees', 'stripe', 'usd', 0)"], "amount_moves"),
        ([], "has no entries"),
    ],
)
def test_the_database_refuses_a_journal_that_does_not_balance(books: Books, sides: list[str], reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        write(books, JOURNAL, *sides)
    assert books.journals() == []


def test_the_database_refuses_an_entry_that_upsets_a_journal_later(books: Books) -> None:
    books.sell(USD_20)
    with pytest.raises(IntegrityError, match="does not balance"):
        write(books, ENTRY.replace("VALUES", "SELECT id, 'fees', 'stripe', 'usd', 1 FROM journals"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journals SET evidence = 'x'",
        "UPDATE ledger_entries SET amount_minor = amount_minor",
        "DELETE FROM ledger_entries",
        "DELETE FROM journals",
        "TRUNCATE ledger_entries",
        "TRUNCATE journals CASCADE",
        "DELETE FROM settlement_lines",
        "TRUNCATE settlement_lines CASCADE",
        "DELETE FROM settlement_matches",
        "UPDATE settlement_matches SET match = 'x'",
        "TRUNCATE settlement_matches",
    ],
)
def test_the_database_refuses_to_change_or_drop_what_is_booked(books: Books, statement: str) -> None:
    books.book(line(LineKind.CHARGE, 2000, fee=5), of=books.sell(USD_20))
    with pytest.raises(IntegrityError, match="only ever added"):
        write(books, statement)


@pytest.mark.parametrize("change", ["gross = 1, net = 1", "payment_id = NULL, source = 'x'", "payout = NULL"])
def test_the_database_keeps_a_settlement_line_as_it_came(books: Books, change: str) -> None:
    books.book(line(LineKind.FEE, -5, payout="po_1"))
    with pytest.raises(IntegrityError, match="is kept as it came"):
        write(books, f"UPDATE settlement_lines SET {change}")  # noqa: S608 (a test's own words)
