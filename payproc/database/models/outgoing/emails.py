"""The mail outbox: one row per payment, kind and piece of news, so never two."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id


class EmailKind(StrEnum):
    """What a mail tells: the first four the customer, the last a webhook's owner, the others the operators."""

    RECEIPT = "receipt"
    FAILURE = "failure"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE = "dispute"
    DIGEST = "digest"
    FINDING = "finding"
    WEBHOOK_DISABLED = "webhook_disabled"


class Email(Base):
    """One mail; `sent_at` is null until a mail server has accepted it, `withdrawn_at` unless it came untrue before."""

    __tablename__ = "emails"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.EMAIL))
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"))
    kind: Mapped[EmailKind] = mapped_column(closed_set(EmailKind, "kind"))
    # Which piece of news of its kind: '' where a payment has only one, a refund's id, a dispute's id and the status
    # told, the start of a digest's period, a finding's id, an endpoint's id and when it was disabled.
    about: Mapped[str] = mapped_column(server_default=text("''"))
    recipient: Mapped[str]
    # Staged in the transaction of what it tells, so this is also when that happened.
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (
        # A digest is of no payment, and two of one period are still two.
        UniqueConstraint("payment_id", "kind", "about", postgresql_nulls_not_distinct=True),
        CheckConstraint(
            "(kind IN ('digest', 'finding', 'webhook_disabled')) = (payment_id IS NULL)",
            name="of_a_payment_or_of_the_shop",
        ),
        CheckConstraint("sent_at IS NULL OR withdrawn_at IS NULL", name="sent_or_withdrawn"),
        Index("ix_emails_created_at", "created_at"),
    )
