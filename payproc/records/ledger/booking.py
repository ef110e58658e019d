"""One journal into the books: sides that balance, once for each key."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from payproc.database.engine import rows_within
from payproc.database.models import Account, JournalKind
from payproc.domain.ids import Prefix, new_id
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


@dataclass(frozen=True, kw_only=True)
class NewJournal:
    """A journal to be, under `kind:subject`; `payment_id` is what it is about, if that is a payment."""

    kind: JournalKind
    subject: str
    provider: str
    payment_id: str | None
    evidence: str
    postings: Sequence[Posting]

    @property
    def key(self) -> str:
        """What it is booked under, once."""
        return f"{self.kind}:{self.subject}"


# Journals and their entries in one round trip, for any number of them. The entries of a key that was booked before find
# no journal, and are left out with it. They are numbered as they are given.
_BOOK = """
    WITH booked AS (
        INSERT INTO journals (id, key, kind, payment_id, evidence)
        SELECT * FROM unnest(
            CAST(%(ids)s AS text[]), CAST(%(keys)s AS text[]), CAST(%(kinds)s AS text[]), CAST(%(payments)s AS text[]),
            CAST(%(evidence)s AS text[])
        )
        ON CONFLICT (key) DO NOTHING
        RETURNING id, key
    ), entered AS (
        INSERT INTO ledger_entries (journal_id, account, provider, currency, amount_minor)
        SELECT journal, account, provider, currency, amount
        FROM unnest(
            CAST(%(journals)s AS text[]), CAST(%(accounts)s AS text[]), CAST(%(providers)s AS text[]),
            CAST(%(currencies)s AS text[]), CAST(%(amounts)s AS bigint[])
        ) WITH ORDINALITY AS side (journal, account, provider, currency, amount, place)
        JOIN booked ON booked.id = journal
        ORDER BY place
    )
    SELECT key, id FROM booked
"""


def book_all(session: Session, journals: Sequence[NewJournal]) -> dict[str, str]:
    """Book journals, each once for its key; return the ids of those that were not booked before, by their keys.

    One that moves nothing is none.
    """
    moving = [(new_id(Prefix.JOURNAL), journal) for journal in journals if journal.postings]
    if not moving:
        return {}
    sides = [(id_, journal.provider, posting) for id_, journal in moving for posting in journal.postings]
    booked = rows_within(
        session,
        _BOOK,
        {
            "ids": [id_ for id_, _ in moving],
            "keys": [journal.key for _, journal in moving],
            "kinds": [journal.kind.value for _, journal in moving],
            "payments": [journal.payment_id for _, journal in moving],
            "evidence": [journal.evidence for _, journal in moving],
            "journals": [id_ for id_, _, _ in sides],
            "accounts": [posting.account.value for _, _, posting in sides],
            "providers": [provider for _, provider, _ in sides],
            "currencies": [posting.money.currency.code for _, _, posting in sides],
            "amounts": [posting.money.amount_minor for _, _, posting in sides],
        },
    )
    return dict(booked)


def book(session: Session, journal: NewJournal) -> str | None:
    """Book a journal, once; return its id, or None where it was booked before or moves nothing."""
    return book_all(session, [journal]).get(journal.key)
