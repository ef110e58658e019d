"""The books: journals of entries that balance, and what a provider's own balance says. Rows are only ever added."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Numeric, func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Amounted, Base, closed_set
from payproc.domain.ids import Prefix, new_id
from payproc.domain.settlement import LineKind

_PROVIDER_NAME = "provider ~ '^[a-z][a-z_]{1,31}$'"
_CURRENCY_LETTERS = "currency ~ '^[a-z]{3}$'"


class JournalKind(StrEnum):
    """What moved money, by our own knowledge or by the provider's balance."""

    SALE = "sale"
    REFUND = "refund"
    REFUND_UNDONE = "refund_undone"
    LINE = "line"


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
    )
