"""The books: journals of entries that balance, and what a provider's own balance says. Rows are only ever added."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Amounted, Base, closed_set
from payproc.domain.ids import Prefix, new_id
from payproc.domain.settlement import LineKind

_PROVIDER_NAME = "provider ~ '^[a-z][a-z_]{1,31}$'"
_CURRENCY_LETTERS = "currency ~ '^[a-z]{3}$'"


class JournalKind(StrEnum):
    """What moved money: by our own knowledge, by the provider's balance, or by a person's."""

    SALE = "sale"
    SALE_UNDONE = "sale_undone"
    REFUND = "refund"
    REFUND_UNDONE = "refund_undone"
    LINE = "line"
    CLEARING = "clearing"  # a line that was booked first has met what we knew later
    ADJUSTMENT = "adjustment"  # drafted by one person and approved by another
    REVERSAL = "reversal"  # the same, of another journal


class Account(StrEnum):
    """Where money is, or what it was for. A debit is positive: a sale debits `receivable` and credits `sales`."""

    RECEIVABLE = "receivable"  # what the provider owes the merchant
    SALES = "sales"
    FEES = "fees"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    PAYOUTS = "payouts"
    CONVERSION = "conversion"  # between what was charged and what the provider settles in
    SUSPENSE = "suspense"  # the provider moved it, and our books do not say why


class Journal(Base):
    """One reason for entries. `key` names what happened, so that it is booked once however often it is told."""

    __tablename__ = "journals"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.JOURNAL))
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[JournalKind] = mapped_column(closed_set(JournalKind, "kind"))
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)
    # What to look up, here or at the provider: a reference, a refund, what moved a balance.
    evidence: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    # An export reads the books in the order of time.
    __table_args__ = (Index("ix_journals_at", "at", "id"),)


class LedgerEntry(Amounted, Base):
    """One side of a journal, in minor units. Those of a journal sum to zero in every currency (a deferred trigger)."""

    __tablename__ = "ledger_entries"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    journal_id: Mapped[str] = mapped_column(ForeignKey("journals.id"), index=True)
    account: Mapped[Account] = mapped_column(closed_set(Account, "account"))
    # Whose balance moved: the registry says which providers there are.
    provider: Mapped[str]

    __table_args__ = (
        # What is in suspense is looked for every day.
        Index("ix_ledger_entries_suspense", "journal_id", postgresql_where=text("account = 'suspense'")),
        CheckConstraint("amount_minor <> 0", name="amount_moves"),
        CheckConstraint(_CURRENCY_LETTERS, name="currency_letters"),
        CheckConstraint(_PROVIDER_NAME, name="provider_name"),
    )


class SettlementLine(Base):
    """One movement of the merchant's balance as its provider shows it: signed, in minor units of that balance."""

    __tablename__ = "settlement_lines"

    provider: Mapped[str] = mapped_column(primary_key=True)
    line_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[LineKind] = mapped_column(closed_set(LineKind, "kind"))
    # The provider's own word for it.
    category: Mapped[str]
    currency: Mapped[str]
    gross: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    net: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str | None]
    # The provider's id of the payment that `source` is, or is of, where it said so.
    payment_source: Mapped[str | None] = mapped_column(index=True)
    # Which payout took it to the bank. Said later than the line itself, and written once: a trigger refuses any other
    # change.
    payout: Mapped[str | None]
    exchange_rate: Mapped[Decimal | None] = mapped_column(Numeric)
    created_at: Mapped[datetime]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)
    imported_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("net = gross - fee", name="net_is_gross_less_fee"),
        CheckConstraint(_CURRENCY_LETTERS, name="currency_letters"),
        CheckConstraint(_PROVIDER_NAME, name="provider_name"),
        Index("ix_settlement_lines_payout", "provider", "payout"),
        Index("ix_settlement_lines_created_at", "provider", "created_at"),
        Index("ix_settlement_lines_source", "provider", "source"),
    )


class SettlementMatch(Base):
    """One side of a match: a line of a provider's balance, or the journal of ours that it answers.

    Rows of one `match` answer each other: nearly always one line and one journal. Each line and each journal is in one
    match at most, and for ever.
    """

    __tablename__ = "settlement_matches"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    match: Mapped[str] = mapped_column(index=True)
    journal_id: Mapped[str | None] = mapped_column(ForeignKey("journals.id"), unique=True)
    provider: Mapped[str | None]
    line_id: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["provider", "line_id"],
            ["settlement_lines.provider", "settlement_lines.line_id"],
            name="fk_settlement_matches_line",
        ),
        UniqueConstraint("provider", "line_id"),
        CheckConstraint("num_nonnulls(journal_id, line_id) = 1", name="a_line_or_a_journal"),
        CheckConstraint("(provider IS NULL) = (line_id IS NULL)", name="line_has_its_provider"),
    )


class LedgerDraft(Base):
    """A journal that a person wants in the books. Once another has approved it, `journal_id` is what was booked."""

    __tablename__ = "ledger_drafts"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.LEDGER_DRAFT))
    kind: Mapped[JournalKind] = mapped_column(closed_set(JournalKind, "kind"))
    # What is to be booked: account, provider, currency and minor units of each side.
    postings: Mapped[list[Any]] = mapped_column(JSONB)
    reason: Mapped[str]
    # The paper behind it: an invoice, a statement, a ticket.
    document: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"))
    # Whose balance it moves, and which line of that it explains, where it is about one.
    provider: Mapped[str]
    line_id: Mapped[str | None]
    # Which journal it takes back.
    reverses: Mapped[str | None] = mapped_column(ForeignKey("journals.id"))
    drafted_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    drafted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    approved_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    approved_at: Mapped[datetime | None]
    journal_id: Mapped[str | None] = mapped_column(ForeignKey("journals.id"), unique=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["provider", "line_id"],
            ["settlement_lines.provider", "settlement_lines.line_id"],
            name="fk_ledger_drafts_line",
        ),
        CheckConstraint("approved_by <> drafted_by", name="approved_by_another"),
        CheckConstraint("num_nonnulls(approved_by, approved_at, journal_id) IN (0, 3)", name="booked_when_approved"),
        CheckConstraint(_PROVIDER_NAME, name="provider_name"),
        # One journal is taken back once.
        Index(
            "uq_ledger_drafts_reverses",
            "reverses",
            unique=True,
            postgresql_where=text("journal_id IS NOT NULL AND reverses IS NOT NULL"),
        ),
        Index("ix_ledger_drafts_line", "provider", "line_id"),
    )
