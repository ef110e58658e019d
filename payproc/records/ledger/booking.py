"""One journal into the books: sides that balance, once for each key."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.models import Account, Journal, JournalKind, LedgerEntry
from payproc.domain.money import Money


@dataclass(frozen=True, kw_only=True)
class Posting:
    """One side of a journal to be; a debit is positive."""

    account: Account
    money: Money


def moved(money: Money, *, debit: Account, credit: Account) -> list[Posting]:
    """Move an amount from one account to another. A negative one swaps the sides, and nothing is no entry."""
    if money.amount_minor == 0:
        return []
    return [Posting(account=debit, money=money), Posting(account=credit, money=negated(money))]


def negated(money: Money) -> Money:
    """Return the amount with its sign turned."""
    return Money(amount_minor=-money.amount_minor, currency=money.currency)


def book(
    session: Session,
    kind: JournalKind,
    subject: str,
    *,
    provider: str,
    payment_id: str | None,
    evidence: str,
    postings: Sequence[Posting],
) -> str | None:
    """Book a journal under `kind:subject`, once; return its id, or None where it was booked before or moves nothing."""
    if not postings:
        return None
    journal_id: str | None = session.scalar(
        insert(Journal)
        .values(key=f"{kind}:{subject}", kind=kind, payment_id=payment_id, evidence=evidence)
        .on_conflict_do_nothing(index_elements=[Journal.key])
        .returning(Journal.id)
    )
    if journal_id is None:
        return None
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
    # One statement for all: rows of values would be compiled anew each time.
    session.execute(insert(LedgerEntry), sides)
    return journal_id
