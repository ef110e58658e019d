"""Money given back, or asked to be."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from payproc.ids import Prefix, new_id
from payproc.models.base import Base, closed_set


class RefundStatus(StrEnum):
    """How a refund stands. `pending` covers "about to be sent" and "nobody knows yet": both hold the money reserved."""

    PENDING = "pending"
    MANUAL = "manual"  # the gateway has no call for it: a person does it in the portal
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Refund(Base):
    """One refund of one payment."""

    __tablename__ = "refunds"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.REFUND))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    status: Mapped[RefundStatus] = mapped_column(closed_set(RefundStatus, "status"))
    reason: Mapped[str | None]
    requested_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    failure_code: Mapped[str | None]
    failure_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        # A wallet knows no key and no id of a refund: two on their way at once could not be told apart.
        Index(
            "uq_refunds_in_flight", "payment_id", unique=True, postgresql_where=text("status IN ('pending', 'manual')")
        ),
    )
