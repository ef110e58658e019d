"""Which journal of ours a line of a provider's balance answers: a row, written once, whichever of them came first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, String, any_, bindparam, exists, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from payproc.database.models import (
    Account,
    Journal,
    JournalKind,
    LedgerEntry,
    Payment,
    Refund,
    SettlementLine,
    SettlementMatch,
)
from payproc.domain.ids import Prefix, new_id
from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.domain.settlement import LineKind

# What each kind of line answers, of what we book by our own knowledge.
ANSWERED = {
    LineKind.CHARGE: JournalKind.SALE,
    LineKind.CHARGE_FAILURE: JournalKind.SALE_UNDONE,
    LineKind.REFUND: JournalKind.REFUND,
    LineKind.REFUND_FAILURE: JournalKind.REFUND_UNDONE,
}
_ANSWERED_BY = {journal: line for line, journal in ANSWERED.items()}


@dataclass(frozen=True, kw_only=True)
class OwnJournal:
    """What we booked by our own knowledge: `money` is by how much the provider owes us more for it, signed.

    `match` names the match that it is in, None while no line has met it.
    """

    id: str
    key: str
    kind: JournalKind
    payment_id: str | None
    money: Money
    match: str | None = None


def own_journals(session: Session, payment_ids: Iterable[str]) -> list[OwnJournal]:
    """Return all that we have booked of some payments by our own knowledge, oldest first."""
    query = (
        select(Journal, LedgerEntry, SettlementMatch.match)
        .join(LedgerEntry, (LedgerEntry.journal_id == Journal.id) & (LedgerEntry.account == Account.RECEIVABLE))
        .outerjoin(SettlementMatch, SettlementMatch.journal_id == Journal.id)
        .where(Journal.payment_id.in_(set(payment_ids)), Journal.kind.in_(_ANSWERED_BY))
        .order_by(Journal.at, Journal.id)
    )
    return [
        OwnJournal(
            id=journal.id,
            key=journal.key,
            kind=journal.kind,
            payment_id=journal.payment_id,
            money=entry.money,
            match=match,
        )
        for journal, entry, match in session.execute(query)
    ]


def matches_of(session: Session, provider: str, line_ids: Iterable[str]) -> dict[str, str]:
    """Return the matches of those lines that have one, by the provider's ids of the lines."""
    sides = select(SettlementMatch).where(
        SettlementMatch.provider == provider, SettlementMatch.line_id.in_(set(line_ids))
    )
    return {side.line_id: side.match for side in session.scalars(sides) if side.line_id is not None}


def lines_in(session: Session, matches: Iterable[str]) -> Counter[str]:
    """Count the lines of some matches."""
    sides = select(SettlementMatch.match).where(SettlementMatch.match.in_(set(matches)))
    return Counter(session.scalars(sides.where(SettlementMatch.line_id.is_not(None))))


def join(session: Session, provider: str, line_ids: Sequence[str], journals: Sequence[OwnJournal]) -> None:
    """Write down that lines and journals answer each other.

    Raises IntegrityError where one of them has met another already: only who holds its payment's lock may match it.
    """
    match = new_id(Prefix.MATCH)
    sides = [{"match": match, "provider": provider, "line_id": line_id, "journal_id": None} for line_id in line_ids]
    ours = [{"match": match, "provider": None, "line_id": None, "journal_id": journal.id} for journal in journals]
    # One statement for all: rows of values would be compiled anew each time.
    session.execute(insert(SettlementMatch), [*sides, *ours])


def is_unmatched() -> ColumnElement[bool]:
    """Say in a query of lines that nothing of ours has met them yet."""
    of_line = SettlementMatch.provider == SettlementLine.provider, SettlementMatch.line_id == SettlementLine.line_id
    return ~exists().where(*of_line)


_NAMED = any_(bindparam("named", type_=ARRAY(String)))
# Put together once: for each sale it took longer than to ask.
_WAITING = (
    select(SettlementLine.line_id)
    .where(
        SettlementLine.provider == any_(bindparam("providers", type_=ARRAY(String))),
        or_(SettlementLine.source == _NAMED, SettlementLine.payment_source == _NAMED),
        is_unmatched(),
    )
    .limit(1)
)


def may_wait(session: Session, booked: Sequence[tuple[Payment, Refund | None]]) -> bool:
    """Whether the line of any of these may have been booked before it: for one, and for many, one look.

    Asked as late as it can be: a line that is booked meanwhile, under an id that its payment has just learned, is met.
    """
    if not booked:
        return False
    named = {name for payment, refund in booked for name in _names(payment, refund)}
    providers = {payment.payment_method for payment, _ in booked}
    return session.scalar(_WAITING, {"providers": sorted(providers), "named": sorted(named)}) is not None


def _names(payment: Payment, refund: Refund | None) -> Iterable[str]:
    ids = [getattr(payment, reference) for reference in Reference] if refund is None else [refund.provider_refund_id]
    return filter(None, ids)


def _array(values: Iterable[str]) -> BindParameter[Any]:
    return literal(sorted(set(values)), ARRAY(String))


def waiting_line(session: Session, own: OwnJournal, payment: Payment, refund: Refund | None) -> SettlementLine | None:
    """Return the line that was booked before what it answers was; None where it is still to come."""
    kind = _ANSWERED_BY[own.kind]
    query = select(SettlementLine).where(
        SettlementLine.provider == payment.payment_method,
        SettlementLine.kind == kind,
        _is_named(kind, payment, refund),
        is_unmatched(),
    )
    return session.scalar(query.order_by(SettlementLine.created_at, SettlementLine.line_id).limit(1))


def _is_named(kind: LineKind, payment: Payment, refund: Refund | None) -> ColumnElement[bool]:
    if refund is not None:
        return SettlementLine.source == refund.provider_refund_id
    named = {reference: value for reference in Reference if (value := getattr(payment, reference))}
    tries = [value for reference, value in named.items() if reference.is_of_the_last_try]
    by_try, by_payment = SettlementLine.source.in_(tries), SettlementLine.payment_source.in_(named.values())
    if kind is LineKind.CHARGE and tries:
        # A debit that did not arrive has its line, too, and the intent of the try that paid.
        return by_try
    return by_try | by_payment
