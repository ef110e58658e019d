"""The ledger: the only code that books. Double entry in every currency, in the transaction that learns of it.

Our own knowledge is booked first (a sale, a refund); the provider's balance line then adds what only it knows: its fee,
its rate, and whatever we had not booked. After both, what the provider owes us has moved by the line's net.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database import models
from payproc.database.models import Account, Journal, JournalKind, LedgerEntry, Payment, Refund
from payproc.domain.money import Money
from payproc.domain.settlement import LineKind, SettlementLine

# How many rows of an export are in memory at once.
_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What stands on an account at a provider; a debit is positive."""

    account: Account
    provider: str
    money: Money


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One side of a journal, with what all sides of it share; a debit is positive."""

    journal_id: str
    key: str
    kind: JournalKind
    payment_id: str | None
    evidence: str
    at: datetime
    account: Account
    provider: str
    money: Money


@dataclass(frozen=True, kw_only=True)
class _Posting:
    account: Account
    money: Money


def record_sale(session: Session, payment: Payment) -> None:
    """Book that a payment completed: the provider owes us what was sold. Once, even if it completes again."""
    sold = payment.money
    _book(
        session,
        JournalKind.SALE,
        payment.id,
        provider=payment.payment_method,
        payment_id=payment.id,
        evidence=payment.reference,
        postings=_moved(sold, debit=Account.RECEIVABLE, credit=Account.SALES),
    )


def record_refund(session: Session, refund: Refund, payment: Payment) -> None:
    """Book, once, that a refund succeeded: the provider owes us that much less."""
    given = refund.money
    postings = _moved(given, debit=Account.REFUNDS, credit=Account.RECEIVABLE)
    _book_refund(session, JournalKind.REFUND, refund, payment=payment, postings=postings)


def record_refund_undone(session: Session, refund: Refund, payment: Payment) -> None:
    """Book, once, that a refund which had succeeded came to nothing after all."""
    back = refund.money
    postings = _moved(back, debit=Account.RECEIVABLE, credit=Account.REFUNDS)
    _book_refund(session, JournalKind.REFUND_UNDONE, refund, payment=payment, postings=postings)


def _book_refund(
    session: Session, kind: JournalKind, refund: Refund, *, payment: Payment, postings: list[_Posting]
) -> None:
    _book(
        session,
        kind,
        refund.id,
        provider=payment.payment_method,
        payment_id=payment.id,
        evidence=refund.provider_refund_id or refund.id,
        postings=postings,
    )


def record_line(
    session: Session, provider: str, line: SettlementLine, *, booked: Money | None, payment_id: str | None
) -> bool:
    """Keep and book a line of a provider's balance, once for ever; return whether it was new.

    `booked` is what our books already moved for it, unsigned and in its own currency: the payment's amount for a
    charge, the refund's for a refund and for one that failed. None where they moved nothing, as for a charge made by
    hand. A line that is known may still learn its payout.

    Raises InvalidRequest for a currency that is not in our table, ValueError for a `booked` where there can be none.
    """
    postings = _line_postings(line, booked=booked)
    if not _keep(session, provider, line, payment_id=payment_id):
        return False
    _book(
        session,
        JournalKind.LINE,
        f"{provider}:{line.id}",
        provider=provider,
        payment_id=payment_id,
        evidence=line.source or line.id,
        postings=postings,
    )
    return True


def _keep(session: Session, provider: str, line: SettlementLine, *, payment_id: str | None) -> bool:
    # Whoever adds the row books it: a second teller waits here for the first one's commit, and finds it done.
    kept = models.SettlementLine
    added = session.scalar(
        insert(kept)
        .values(
            provider=provider,
            line_id=line.id,
            kind=line.kind,
            category=line.category,
            currency=line.currency,
            gross=line.gross,
            fee=line.fee,
            net=line.net,
            source=line.source,
            payout=line.payout,
            exchange_rate=line.exchange_rate,
            created_at=line.created_at,
            payment_id=payment_id,
        )
        .on_conflict_do_nothing(index_elements=[kept.provider, kept.line_id])
        .returning(kept.line_id)
    )
    if added is None and line.payout is not None:
        this = (kept.provider == provider, kept.line_id == line.id)
        session.execute(update(kept).where(*this, kept.payout.is_(None)).values(payout=line.payout))
    return added is not None


def _line_postings(line: SettlementLine, *, booked: Money | None) -> list[_Posting]:
    gross, fee = Money.of(line.gross, line.currency), Money.of(line.fee, line.currency)
    return [
        *_gross_postings(line.kind, gross, booked=booked),
        *_moved(fee, debit=Account.FEES, credit=Account.RECEIVABLE),
    ]


def _gross_postings(kind: LineKind, gross: Money, *, booked: Money | None) -> list[_Posting]:
    """Bring the receivable to where the line says it is, from where our books have it."""
    counter = _counter(kind)
    if booked is None:
        return _moved(gross, debit=Account.RECEIVABLE, credit=counter)
    moved = _signed(kind, booked)
    if moved.currency == gross.currency:
        return _moved(gross - moved, debit=Account.RECEIVABLE, credit=counter)
    return [
        *_moved(moved, debit=Account.CONVERSION, credit=Account.RECEIVABLE),
        *_moved(gross, debit=Account.RECEIVABLE, credit=Account.CONVERSION),
    ]


def _counter(kind: LineKind) -> Account:
    match kind:
        case LineKind.CHARGE | LineKind.REFUND | LineKind.REFUND_FAILURE | LineKind.OTHER:
            return Account.SUSPENSE
        case LineKind.DISPUTE:
            return Account.DISPUTES
        case LineKind.FEE:
            return Account.FEES
        case LineKind.PAYOUT:
            return Account.PAYOUTS
        case _:
            assert_never(kind)


def _signed(kind: LineKind, booked: Money) -> Money:
    match kind:
        case LineKind.CHARGE | LineKind.REFUND_FAILURE:
            return booked
        case LineKind.REFUND:
            return Money(amount_minor=-booked.amount_minor, currency=booked.currency)
        case LineKind.DISPUTE | LineKind.FEE | LineKind.PAYOUT | LineKind.OTHER:
            raise ValueError(f"our books move nothing for a {kind} line before the provider's balance does")
        case _:
            assert_never(kind)


def _moved(money: Money, *, debit: Account, credit: Account) -> list[_Posting]:
    # A negative amount swaps the sides by itself, and nothing is no entry.
    if money.amount_minor == 0:
        return []
    reverse = Money(amount_minor=-money.amount_minor, currency=money.currency)
    return [_Posting(account=debit, money=money), _Posting(account=credit, money=reverse)]


def _book(
    session: Session,
    kind: JournalKind,
    subject: str,
    *,
    provider: str,
    payment_id: str | None,
    evidence: str,
    postings: list[_Posting],
) -> None:
    if not postings:
        return
    journal_id = session.scalar(
        insert(Journal)
        .values(key=f"{kind}:{subject}", kind=kind, payment_id=payment_id, evidence=evidence)
        .on_conflict_do_nothing(index_elements=[Journal.key])
        .returning(Journal.id)
    )
    if journal_id is None:
        return
    sides = [
        {
            "journal_id": journal_id,
            "account": posting.account,
            "provider": provider,
            "currency": posting.money.currency.code,
            "amount_minor": posting.money.amount_minor,
        }
        for posting in postings
    ]
    session.execute(insert(LedgerEntry).values(sides))


def balances(session: Session, *, at: datetime | None = None) -> list[Balance]:
    """Return what stands on every account that was ever used, by provider and currency; those at zero too.

    `at` (aware) counts what was booked until then, that moment included. A transaction is booked under the time it
    began: within the last half minute the answer may still grow.
    """
    query = (
        select(LedgerEntry.account, LedgerEntry.provider, LedgerEntry.currency, func.sum(LedgerEntry.amount_minor))
        .join(Journal, Journal.id == LedgerEntry.journal_id)
        .where(*_until(at))
        .group_by(LedgerEntry.account, LedgerEntry.provider, LedgerEntry.currency)
    )
    found = [
        Balance(account=account, provider=provider, money=Money.of(int(amount), code))
        for account, provider, code, amount in session.execute(query)
    ]
    places = {account: place for place, account in enumerate(Account)}
    return sorted(found, key=lambda each: (places[each.account], each.provider, each.money.currency.code))


def entries(session: Session, *, at: datetime | None = None) -> Iterator[Entry]:
    """Find every entry, in the order of time and a journal's own ones together; `at` as for `balances`.

    The query runs at once. A thousand rows are in memory at a time, and the session must stay open until the last.
    """
    query = (
        select(Journal, LedgerEntry)
        .join(LedgerEntry, LedgerEntry.journal_id == Journal.id)
        .where(*_until(at))
        .order_by(Journal.at, Journal.id, LedgerEntry.number)
    )
    rows = session.execute(query, execution_options={"yield_per": _AT_ONCE})
    return (_entry(journal, entry) for journal, entry in rows)


def _entry(journal: Journal, entry: LedgerEntry) -> Entry:
    return Entry(
        journal_id=journal.id,
        key=journal.key,
        kind=journal.kind,
        payment_id=journal.payment_id,
        evidence=journal.evidence,
        at=journal.at,
        account=entry.account,
        provider=entry.provider,
        money=entry.money,
    )


def _until(at: datetime | None) -> list[ColumnElement[bool]]:
    return [] if at is None else [Journal.at <= at]
