"""Journals by hand: one person drafts what is to be booked and says why, and another approves it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.models import (
    Account,
    Journal,
    JournalKind,
    LedgerDraft,
    LedgerEntry,
    Payment,
    SettlementLine,
    User,
)
from payproc.domain.money import Money
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from payproc.records.ledger.booking import NewJournal, Posting, book, negated

# What is booked of these, our own rows say: another status is another journal.
_OF_OUR_ROWS = frozenset({JournalKind.SALE, JournalKind.SALE_UNDONE, JournalKind.REFUND, JournalKind.REFUND_UNDONE})


def draft_adjustment(
    session: Session,
    provider: str,
    postings: Sequence[Posting],
    *,
    reason: str,
    document: str,
    by: User,
    line_id: str | None = None,
) -> LedgerDraft:
    """Draft a journal of a provider's accounts; `line_id` names the line of its balance that it explains.

    Raises InvalidRequest for sides that do not balance, NotFound for a line that is not in the books, Conflict for
    somebody who is no member of the staff.
    """
    _check_balance(postings)
    if line_id is not None and session.get(SettlementLine, (provider, line_id)) is None:
        raise NotFound(f"There is no line {line_id} of {provider} in the books.", subject=line_id)
    made = LedgerDraft(
        kind=JournalKind.ADJUSTMENT,
        provider=provider,
        postings=[_written(posting) for posting in postings],
        reason=reason,
        document=document,
        line_id=line_id,
        drafted_by=_staff(by).id,
    )
    return _added(session, made)


def draft_reversal(session: Session, key: str, *, reason: str, document: str, by: User) -> LedgerDraft:
    """Draft what takes a journal back, by its key.

    Raises NotFound, and Conflict for a journal that follows from a row of ours, or for somebody who is no member of
    the staff.
    """
    journal = session.scalar(select(Journal).where(Journal.key == key))
    if journal is None:
        raise NotFound(f"There is no journal {key}.", subject=key)
    if journal.kind in _OF_OUR_ROWS:
        said = f"{key} is what became of a payment or a refund: another journal follows when that changes."
        raise Conflict(said, code="journal_of_a_row", subject=key)
    sides = session.scalars(select(LedgerEntry).where(LedgerEntry.journal_id == journal.id)).all()
    made = LedgerDraft(
        kind=JournalKind.REVERSAL,
        provider=sides[0].provider,
        postings=[_written(Posting(account=side.account, money=negated(side.money))) for side in sides],
        reason=reason,
        document=document,
        payment_id=journal.payment_id,
        line_id=_line_of(session, journal, sides[0].provider),
        reverses=journal.id,
        drafted_by=_staff(by).id,
    )
    return _added(session, made)


def draft_undone_sale(session: Session, payment: Payment, *, reason: str, document: str, by: User) -> LedgerDraft:
    """Draft that a payment was completed wrongly: nothing was paid. Raises Conflict as above."""
    made = LedgerDraft(
        kind=JournalKind.SALE_UNDONE,
        provider=payment.payment_method,
        postings=[],
        reason=reason,
        document=document,
        payment_id=payment.id,
        drafted_by=_staff(by).id,
    )
    return _added(session, made)


def approve(session: Session, draft: LedgerDraft, journal_id: str, *, by: User) -> None:
    """Write down who approved a draft, which the caller has locked, and what was booked for it."""
    # Asked before the change: a query in between would flush half of it.
    now = session.scalars(select(func.now())).one()
    draft.approved_by, draft.approved_at, draft.journal_id = by.id, now, journal_id
    session.flush()


def approvable(session: Session, draft_id: str, *, by: User) -> LedgerDraft:
    """Return a draft under its lock, for somebody who may approve it.

    Raises NotFound, and Conflict for one that is booked, or whose author this is, or for no member of the staff.
    """
    draft = session.get(LedgerDraft, draft_id, with_for_update=True)
    if draft is None:
        raise NotFound(f"There is no draft {draft_id}.", subject=draft_id)
    if draft.journal_id is not None:
        raise Conflict(f"Draft {draft_id} is booked already.", code="draft_booked", subject=draft_id)
    if draft.drafted_by == _staff(by).id:
        said = f"Draft {draft_id} is by {by.id}: somebody else has to approve it."
        raise Conflict(said, code="draft_own", subject=draft_id)
    return draft


def book_draft(session: Session, draft: LedgerDraft) -> str:
    """Book an adjustment or a reversal as it was drafted; return its journal. Raises Conflict where it was reversed."""
    subject = draft.id if draft.reverses is None else session.get_one(Journal, draft.reverses).key
    journal = NewJournal(
        kind=draft.kind,
        subject=subject,
        provider=draft.provider,
        payment_id=draft.payment_id,
        evidence=draft.document,
        postings=[_read(written) for written in draft.postings],
    )
    journal_id = book(session, journal)
    if journal_id is None:
        raise Conflict(f"{subject} was taken back already.", code="journal_reversed", subject=subject)
    return journal_id


def open_drafts(session: Session, *, limit: int) -> list[LedgerDraft]:
    """Return up to `limit` drafts that nobody has approved, newest first."""
    query = select(LedgerDraft).where(LedgerDraft.journal_id.is_(None))
    return list(session.scalars(query.order_by(LedgerDraft.drafted_at.desc(), LedgerDraft.id.desc()).limit(limit)))


def _added(session: Session, draft: LedgerDraft) -> LedgerDraft:
    session.add(draft)
    session.flush()
    return draft


def _staff(user: User) -> User:
    if not permissions.reaches_all(Act.CORRECT_BOOKS, user=user):
        raise Conflict(f"{user.id} is no member of the staff.", code="not_staff", subject=user.id)
    return user


def _check_balance(postings: Sequence[Posting]) -> None:
    sums: dict[str, int] = {}
    for posting in postings:
        code = posting.money.currency.code
        sums[code] = sums.get(code, 0) + posting.money.amount_minor
    left = [str(Money.of(amount, code)) for code, amount in sums.items() if amount]
    if left or not postings:
        off = ", ".join(left) or "nothing in them"
        raise InvalidRequest(f"The sides do not balance: {off} left over.", code="journal_unbalanced", field="postings")


def _line_of(session: Session, journal: Journal, provider: str) -> str | None:
    if journal.kind in (JournalKind.LINE, JournalKind.CLEARING):
        return journal.key.removeprefix(f"{journal.kind}:{provider}:")
    return session.scalar(select(LedgerDraft.line_id).where(LedgerDraft.journal_id == journal.id))


def _written(posting: Posting) -> dict[str, Any]:
    money = posting.money
    return {"account": posting.account, "currency": money.currency.code, "amount_minor": money.amount_minor}


def _read(written: dict[str, Any]) -> Posting:
    return Posting(account=Account(written["account"]), money=Money.of(written["amount_minor"], written["currency"]))
