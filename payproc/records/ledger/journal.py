"""The ledger: the only code that books. Double entry in every currency, in the transaction that learns of it.

Our own knowledge (a sale, a refund) and the line of the provider's balance that answers it come in either order. The
line adds what only it knows: its fee, its rate, and whatever we had not booked; one that came first is cleared when it
meets what it answers. After both, what the provider owes us has moved by the line's net.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database import models
from payproc.database.models import Account, Journal, JournalKind, LedgerEntry, Payment, Refund
from payproc.domain.money import Currency, Money
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.records.ledger import matching
from payproc.records.ledger.booking import Posting, book, moved, negated
from payproc.records.ledger.matching import OwnJournal

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


class Recorded(StrEnum):
    """What telling of a line came to."""

    BOOKED = "booked"
    CLEARED = "cleared"  # it was booked before, and has now met what it answers
    KNOWN = "known"


def record_sale(session: Session, payment: Payment) -> None:
    """Book that a payment completed: the provider owes us what was sold.

    Once, even if it completes again; anew, where its sale was undone in between.
    """
    postings = moved(payment.money, debit=Account.RECEIVABLE, credit=Account.SALES)
    first = _record_own(session, JournalKind.SALE, payment, subject=payment.id, postings=postings)
    if first is None and (undone := _times_undone(session, payment)):
        _record_own(session, JournalKind.SALE, payment, subject=f"{payment.id}:{undone + 1}", postings=postings)


def record_sale_undone(session: Session, payment: Payment) -> str | None:
    """Book that a payment which counted as completed never was; return the journal. Its row is locked."""
    postings = moved(payment.money, debit=Account.SALES, credit=Account.RECEIVABLE)
    before = _times_undone(session, payment)
    subject = f"{payment.id}:{before + 1}" if before else payment.id
    return _record_own(session, JournalKind.SALE_UNDONE, payment, subject=subject, postings=postings)


def _times_undone(session: Session, payment: Payment) -> int:
    undone = select(func.count()).where(Journal.payment_id == payment.id, Journal.kind == JournalKind.SALE_UNDONE)
    return session.scalars(undone).one()


def record_refund(session: Session, refund: Refund, payment: Payment) -> None:
    """Book, once, that a refund succeeded: the provider owes us that much less."""
    postings = moved(refund.money, debit=Account.REFUNDS, credit=Account.RECEIVABLE)
    _record_own(session, JournalKind.REFUND, payment, refund, subject=refund.id, postings=postings)


def record_refund_undone(session: Session, refund: Refund, payment: Payment) -> None:
    """Book, once, that a refund which had succeeded came to nothing after all."""
    postings = moved(refund.money, debit=Account.RECEIVABLE, credit=Account.REFUNDS)
    _record_own(session, JournalKind.REFUND_UNDONE, payment, refund, subject=refund.id, postings=postings)


def _record_own(
    session: Session,
    kind: JournalKind,
    payment: Payment,
    refund: Refund | None = None,
    *,
    subject: str,
    postings: list[Posting],
) -> str | None:
    """Book what we know by ourselves, and let it meet the line that was booked before it."""
    provider = payment.payment_method
    evidence = payment.reference if refund is None else refund.provider_refund_id or refund.id
    journal_id = book(
        session, kind, subject, provider=provider, payment_id=payment.id, evidence=evidence, postings=postings
    )
    if journal_id is None:
        return None
    owed = next(posting.money for posting in postings if posting.account is Account.RECEIVABLE)
    own = OwnJournal(id=journal_id, key=f"{kind}:{subject}", kind=kind, payment_id=payment.id, money=owed)
    line = matching.waiting_line(session, own, payment, refund)
    if line is not None:
        _clear(session, provider, as_told(line), share=owed, payment_id=payment.id)
        matching.join(session, provider, [line.line_id], [own])
    return journal_id


def record_line(
    session: Session,
    provider: str,
    line: SettlementLine,
    *,
    answers: Sequence[OwnJournal] = (),
    payment_id: str | None,
) -> Recorded:
    """Keep and book a line of a provider's balance, once for ever; say whether it was new.

    `answers` is what we booked for it, and no line has met yet: none where we booked nothing, as for a charge made by
    hand. A line that is known may still learn its payout, and meet what it answers.

    Raises InvalidRequest for a currency that is not in our table, ValueError for what a line of its kind cannot answer.
    """
    return record_lines(session, provider, [line], answers=answers, payment_id=payment_id)


def record_lines(
    session: Session,
    provider: str,
    lines: Sequence[SettlementLine],
    *,
    answers: Sequence[OwnJournal],
    payment_id: str | None,
) -> Recorded:
    """Do the same with several lines that answer together; they are of one currency. It raises the same."""
    _check_kinds(lines, answers)
    shares = _shares(lines, answers)
    postings = [_line_postings(line, share=share) for line, share in zip(lines, shares, strict=True)]
    are_new = [_keep(session, provider, line, payment_id=payment_id) for line in lines]
    meets = bool(answers) and not _has_met(session, provider, lines, are_new)
    done = Recorded.KNOWN
    for line, share, sides, is_new in zip(lines, shares, postings, are_new, strict=True):
        if is_new:
            _book_line(session, JournalKind.LINE, provider, line, payment_id=payment_id, postings=sides)
            done = Recorded.BOOKED
        elif share is not None and meets:
            _clear(session, provider, line, share=share, payment_id=payment_id)
            done = Recorded.CLEARED
    if meets:
        matching.join(session, provider, [line.id for line in lines], answers)
    return done


def _has_met(session: Session, provider: str, lines: Sequence[SettlementLine], are_new: Sequence[bool]) -> bool:
    # What was kept just now has met nothing, and most of them are such.
    return not all(are_new) and bool(matching.matches_of(session, provider, [line.id for line in lines]))


def _line_postings(line: SettlementLine, *, share: Money | None) -> list[Posting]:
    fee = moved(Money.of(line.fee, line.currency), debit=Account.FEES, credit=Account.RECEIVABLE)
    return [*_gross_postings(line, share=share), *fee]


def _check_kinds(lines: Sequence[SettlementLine], answers: Sequence[OwnJournal]) -> None:
    for line in lines:
        wrong = [own.key for own in answers if own.kind is not matching.ANSWERED.get(line.kind)]
        if wrong:
            raise ValueError(f"a {line.kind} line does not answer {wrong[0]}")


def _shares(lines: Sequence[SettlementLine], answers: Sequence[OwnJournal]) -> list[Money | None]:
    """Say how much of what we booked each line is for: of several the last is for what the others leave."""
    if not answers:
        return [None for _ in lines]
    first, *others = (own.money for own in answers)
    left = sum(others, start=first)
    shares: list[Money | None] = []
    for line in lines[:-1]:
        share = Money.of(line.gross, line.currency)
        shares.append(share)
        left -= share
    return [*shares, left]


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
            payment_source=line.payment_source,
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


def as_told(kept: models.SettlementLine) -> SettlementLine:
    """Return a line that was kept, as it was told."""
    names = (field.name for field in fields(SettlementLine) if field.name not in ("id", "description"))
    return SettlementLine(id=kept.line_id, **{name: getattr(kept, name) for name in names})


def _book_line(
    session: Session,
    kind: JournalKind,
    provider: str,
    line: SettlementLine,
    *,
    payment_id: str | None,
    postings: list[Posting],
) -> None:
    subject, evidence = f"{provider}:{line.id}", line.source or line.id
    book(session, kind, subject, provider=provider, payment_id=payment_id, evidence=evidence, postings=postings)


def _clear(session: Session, provider: str, line: SettlementLine, *, share: Money, payment_id: str | None) -> None:
    """Bring the books of a line that was booked alone to where they would be had ours come first."""
    alone = _gross_postings(line, share=None)
    back = [Posting(account=posting.account, money=negated(posting.money)) for posting in alone]
    postings = _summed([*back, *_gross_postings(line, share=share)])
    _book_line(session, JournalKind.CLEARING, provider, line, payment_id=payment_id, postings=postings)


def _summed(postings: list[Posting]) -> list[Posting]:
    sums: dict[tuple[Account, Currency], Money] = {}
    for posting in postings:
        place = posting.account, posting.money.currency
        sums[place] = sums[place] + posting.money if place in sums else posting.money
    return [Posting(account=account, money=money) for (account, _), money in sums.items() if money.amount_minor]


def _gross_postings(line: SettlementLine, *, share: Money | None) -> list[Posting]:
    """Bring the receivable to where the line says it is, from where our books have it."""
    gross, counter = Money.of(line.gross, line.currency), _counter(line.kind)
    if share is None:
        return moved(gross, debit=Account.RECEIVABLE, credit=counter)
    if share.currency == gross.currency:
        return moved(gross - share, debit=Account.RECEIVABLE, credit=counter)
    return [
        *moved(share, debit=Account.CONVERSION, credit=Account.RECEIVABLE),
        *moved(gross, debit=Account.RECEIVABLE, credit=Account.CONVERSION),
    ]


def _counter(kind: LineKind) -> Account:
    match kind:
        case LineKind.CHARGE | LineKind.CHARGE_FAILURE | LineKind.REFUND | LineKind.REFUND_FAILURE | LineKind.OTHER:
            return Account.SUSPENSE
        case LineKind.DISPUTE:
            return Account.DISPUTES
        case LineKind.FEE:
            return Account.FEES
        case LineKind.PAYOUT:
            return Account.PAYOUTS
        case _:
            assert_never(kind)


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
