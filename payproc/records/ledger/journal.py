"""The ledger: the only code that books. Double entry in every currency, in the transaction that learns of it.

Our own knowledge (a sale, a refund) and the line of the provider's balance that answers it come in either order. The
line adds what only it knows: its fee, its rate, and whatever we had not booked; one that came first is cleared when it
meets what it answers. After both, what the provider owes us has moved by the line's net.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database import models
from payproc.database.deferring import defer
from payproc.database.models import Account, Journal, JournalKind, LedgerEntry, Payment, Refund
from payproc.domain.money import Money
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.outgoing.webhooks import outbox as events
from payproc.outgoing.webhooks.event_types import EventType
from payproc.records.ledger import matching, sides
from payproc.records.ledger.booking import NewJournal, Posting, book, book_all, negated
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
    defer(session, _record_sales, payment)


def _record_sales(session: Session, sold: Sequence[Payment]) -> None:
    payments = list(dict.fromkeys(sold))
    booked = _record_own(session, [_own(JournalKind.SALE, payment, subject=payment.id) for payment in payments])
    for payment in payments:
        if f"{JournalKind.SALE}:{payment.id}" not in booked and (undone := _times_undone(session, payment)):
            _record_own(session, [_own(JournalKind.SALE, payment, subject=f"{payment.id}:{undone + 1}")])


def record_sale_undone(session: Session, payment: Payment) -> str | None:
    """Book that a payment which counted as completed never was; return the journal. Its row is locked."""
    before = _times_undone(session, payment)
    undone = _own(JournalKind.SALE_UNDONE, payment, subject=f"{payment.id}:{before + 1}" if before else payment.id)
    return _record_own(session, [undone]).get(undone.journal.key)


def _times_undone(session: Session, payment: Payment) -> int:
    undone = select(func.count()).where(Journal.payment_id == payment.id, Journal.kind == JournalKind.SALE_UNDONE)
    return session.scalars(undone).one()


def record_refund(session: Session, refund: Refund, payment: Payment) -> None:
    """Book, once, that a refund succeeded: the provider owes us that much less."""
    _record_own(session, [_own(JournalKind.REFUND, payment, refund, subject=refund.id)])


def record_refund_undone(session: Session, refund: Refund, payment: Payment) -> None:
    """Book, once, that a refund which had succeeded came to nothing after all."""
    _record_own(session, [_own(JournalKind.REFUND_UNDONE, payment, refund, subject=refund.id)])


@dataclass(frozen=True, kw_only=True)
class _Own:
    """What we know by ourselves of a payment, or of a refund of it."""

    journal: NewJournal
    payment: Payment
    refund: Refund | None


def _own(kind: JournalKind, payment: Payment, refund: Refund | None = None, *, subject: str) -> _Own:
    evidence = payment.reference if refund is None else refund.provider_refund_id or refund.id
    journal = NewJournal(
        kind=kind,
        subject=subject,
        provider=payment.payment_method,
        payment_id=payment.id,
        evidence=evidence,
        postings=sides.of_own(kind, (refund or payment).money),
    )
    return _Own(journal=journal, payment=payment, refund=refund)


def _record_own(session: Session, known: Sequence[_Own]) -> dict[str, str]:
    """Book what we know by ourselves, and let it meet the lines that were booked before it.

    Returns the journals that were not booked before, by their keys.
    """
    booked = book_all(session, [own.journal for own in known])
    new = [own for own in known if own.journal.key in booked]
    waits = matching.may_wait(session, [(own.payment, own.refund) for own in new])
    for own in new if waits else ():
        _meet_line(session, own, booked[own.journal.key])
    return booked


def _meet_line(session: Session, own: _Own, journal_id: str) -> None:
    journal, payment = own.journal, own.payment
    owed = next(posting.money for posting in journal.postings if posting.account is Account.RECEIVABLE)
    ours = OwnJournal(id=journal_id, key=journal.key, kind=journal.kind, payment_id=payment.id, money=owed)
    line = matching.waiting_line(session, ours, payment, own.refund)
    if line is not None:
        _clear(session, journal.provider, as_told(line), share=owed, payment_id=payment.id)
        matching.join(session, journal.provider, [line.line_id], [ours])


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
    shares = sides.shares(lines, answers)
    postings = [sides.of_line(line, share=share) for line, share in zip(lines, shares, strict=True)]
    are_new = [_keep(session, provider, line, payment_id=payment_id) for line in lines]
    meets = bool(answers) and not _has_met(session, provider, lines, are_new)
    done = Recorded.KNOWN
    for line, share, moves, is_new in zip(lines, shares, postings, are_new, strict=True):
        if is_new:
            _book_line(session, JournalKind.LINE, provider, line, payment_id=payment_id, postings=moves)
            _tell_payout(session, provider, line)
            done = Recorded.BOOKED
        elif share is not None and meets:
            _clear(session, provider, line, share=share, payment_id=payment_id)
            done = Recorded.CLEARED
    if meets:
        matching.join(session, provider, [line.id for line in lines], answers)
    return done


def _tell_payout(session: Session, provider: str, line: SettlementLine) -> None:
    if line.kind is not LineKind.PAYOUT:
        return
    # Money that leaves the balance is negative; what the bank sends back comes in again.
    type_ = EventType.PAYOUT_PAID if line.net < 0 else EventType.PAYOUT_FAILED
    money = Money.of(abs(line.net), line.currency)
    events.tell_payout(session, type_, line.source or line.id, provider=provider, money=money)


def _has_met(session: Session, provider: str, lines: Sequence[SettlementLine], are_new: Sequence[bool]) -> bool:
    # What was kept just now has met nothing, and most of them are such.
    return not all(are_new) and bool(matching.matches_of(session, provider, [line.id for line in lines]))


def _check_kinds(lines: Sequence[SettlementLine], answers: Sequence[OwnJournal]) -> None:
    for line in lines:
        wrong = [own.key for own in answers if own.kind is not matching.ANSWERED.get(line.kind)]
        if wrong:
            raise ValueError(f"a {line.kind} line does not answer {wrong[0]}")


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
    journal = NewJournal(
        kind=kind, subject=subject, provider=provider, payment_id=payment_id, evidence=evidence, postings=postings
    )
    book(session, journal)


def _clear(session: Session, provider: str, line: SettlementLine, *, share: Money, payment_id: str | None) -> None:
    """Bring the books of a line that was booked alone to where they would be had ours come first."""
    alone = sides.gross(line, share=None)
    back = [Posting(account=posting.account, money=negated(posting.money)) for posting in alone]
    postings = sides.summed([*back, *sides.gross(line, share=share)])
    _book_line(session, JournalKind.CLEARING, provider, line, payment_id=payment_id, postings=postings)


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
