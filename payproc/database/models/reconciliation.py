"""Comparisons of our rows with what a provider has, and the differences they found."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id


class Loop(StrEnum):
    """What a run compares."""

    EVENTS = "events"  # notices that never arrived
    OBJECTS = "objects"  # payments, refunds and disputes, both ways
    MONEY = "money"  # the lines of the balance, and payouts, against the ledger
    WALLETS = "wallets"  # a wallet's payments, by asking about each
    STATEMENT = "statement"  # a wallet's payments, by a file from its portal


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    ABANDONED = "abandoned"  # whoever ran it is gone, and another run has begun


class FindingKind(StrEnum):
    """The ways in which two records of one thing can differ."""

    MISSED_EVENT = "missed_event"  # paid there, and we had not heard
    LOCAL_AHEAD = "local_ahead"  # paid here, and not there
    MISSING_LOCAL = "missing_local"  # money there that we have no row for
    MISSING_REMOTE = "missing_remote"  # a row of ours that they have nothing for
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    STATUS_MISMATCH = "status_mismatch"
    REFUND_MISSING_LOCAL = "refund_missing_local"
    REFUND_AMOUNT_MISMATCH = "refund_amount_mismatch"
    REFUND_FAILED_LATE = "refund_failed_late"
    DUPLICATE_CHARGE = "duplicate_charge"  # one payment of ours, paid twice there
    DISPUTE_UNKNOWN = "dispute_unknown"
    STUCK = "stuck"  # open past its end
    LEDGER_IMBALANCE = "ledger_imbalance"  # a line of the balance that our books cannot explain
    FEE_MISSING = "fee_missing"  # a payment without its line, so without its fee
    PAYOUT_SUM_MISMATCH = "payout_sum_mismatch"
    FX_UNEXPLAINED = "fx_unexplained"
    LIVEMODE_MISMATCH = "livemode_mismatch"
    UNREADABLE = "unreadable"  # theirs, in words we cannot read
    IN_SUSPENSE = "in_suspense"  # the provider moved it, and nothing that we know explains it
    PAYOUT_FAILED = "payout_failed"  # the merchant's bank sent it back


class ReconciliationRun(Base):
    """One comparison over one window of creation times. It goes on from `position` after any crash."""

    __tablename__ = "reconciliation_runs"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.RUN))
    loop: Mapped[Loop] = mapped_column(closed_set(Loop, "loop"))
    provider: Mapped[str]
    # What it was started for, such as an hour: the same period is never run twice.
    period: Mapped[str]
    dry_run: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[RunState] = mapped_column(closed_set(RunState, "state"))
    window_begin: Mapped[datetime]
    window_end: Mapped[datetime]
    # The step under way and the provider's cursor in it; null before the first and after the last.
    position: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # How many of each thing were compared, and of each kind found and repaired.
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    # What a dry run found: it writes no finding down elsewhere.
    sample: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    calls: Mapped[int] = mapped_column(server_default=text("0"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    touched_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("loop", "provider", "period"),
        # One at a time: two would count, report and repair the same things.
        Index(
            "uq_reconciliation_runs_running",
            "loop",
            "provider",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
        # The last of each that came to its end.
        Index(
            "ix_reconciliation_runs_done",
            "loop",
            "provider",
            text("finished_at DESC"),
            postgresql_where=text("state = 'done' AND NOT dry_run"),
        ),
    )


class ReconciliationFinding(Base):
    """One difference, open until it is repaired or is no longer there."""

    __tablename__ = "reconciliation_findings"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.FINDING))
    kind: Mapped[FindingKind] = mapped_column(closed_set(FindingKind, "kind"))
    provider: Mapped[str]
    loop: Mapped[Loop] = mapped_column(closed_set(Loop, "loop"))
    # Our id and theirs of what differs; empty where one side has none.
    ours: Mapped[str]
    theirs: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)
    detail: Mapped[str]
    # When the thing it is about was made: a run that covers that time and does not find it again closes it.
    subject_at: Mapped[datetime]
    run_id: Mapped[str] = mapped_column(ForeignKey("reconciliation_runs.id"))
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    repaired_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    # When a person let it stand as it is: met again in the same words, it is not asked about again.
    accepted_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("accepted_at IS NULL OR closed_at IS NOT NULL", name="accepted_is_closed"),
        Index(
            "uq_reconciliation_findings_open",
            "provider",
            "kind",
            "ours",
            "theirs",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(
            "ix_reconciliation_findings_accepted",
            "provider",
            "kind",
            "ours",
            "theirs",
            postgresql_where=text("accepted_at IS NOT NULL"),
        ),
        Index("ix_reconciliation_findings_opened_at", "opened_at"),
    )


class SeenKind(StrEnum):
    """What a run remembers to have come across, beside the findings that it met again."""

    ROW = "row"  # a payment, refund or dispute of ours
    SOURCE = "source"  # what a line of the balance is of, by the provider's id
    LINE = "line"  # of a statement
    SALE = "sale"  # of a statement, and its payment
    REFUND = "refund"  # of a statement, and its payment; `payload` is the line


class SeenKey(Base):
    """What a run has come across so far: forgotten when it is done. `kind` may be that of a finding."""

    __tablename__ = "reconciliation_marks"

    run_id: Mapped[str] = mapped_column(ForeignKey("reconciliation_runs.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    ours: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    theirs: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # The release below has all of it in one string. A trigger writes each form from the other until that one is gone.
    name: Mapped[str] = mapped_column(server_default=text("''"))
