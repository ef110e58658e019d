"""What a person must decide."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id


class ReviewKind(StrEnum):
    """Why a person is needed."""

    PAID_MISMATCH = "paid_mismatch"
    PAID_ELSEWHERE = "paid_elsewhere"  # what says "paid" is not what we began: our own asking goes on
    PAID_LATE = "paid_late"
    PAID_TWICE = "paid_twice"
    ORPHAN_NOTICE = "orphan_notice"
    JOB_DEAD = "job_dead"
    UNSETTLED = "unsettled"
    INVARIANT_BROKEN = "invariant_broken"
    REVERSED = "reversed"
    REFUND_MANUAL = "refund_manual"
    REFUND_UNSETTLED = "refund_unsettled"
    REFUND_APPROVAL = "refund_approval"
    REFUND_UNDONE = "refund_undone"
    REFUND_MISMATCH = "refund_mismatch"
    DISPUTE_OPEN = "dispute_open"
    FINDING = "finding"
    REFUND_FAILED = "refund_failed"  # the customer was told that we will be in touch
    REFUND_WAITS = "refund_waits"  # for the merchant: the balance it is to be paid from is short
    FRAUD_WARNING = "fraud_warning"  # a refund now averts a dispute
    CONFIGURATION = "configuration"  # a provider refuses our keys or rights: everything sent to it waits
    MAIL_TROUBLE = "mail_trouble"  # the mail server refuses us, not a mail: everything sent by it waits


class Review(Base):
    """One thing for a person to decide about one subject."""

    __tablename__ = "reviews"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.REVIEW))
    kind: Mapped[ReviewKind] = mapped_column(closed_set(ReviewKind, "kind"))
    subject: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)
    detail: Mapped[str]
    # What was paid otherwise than asked for, as its provider told it: what is sold where a person accepts it.
    paid: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str | None]

    __table_args__ = (
        Index("uq_reviews_open", "kind", "subject", unique=True, postgresql_where=text("resolved_at IS NULL")),
    )
