"""Answers remembered under a client's Idempotency-Key."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base


class IdempotencyKey(Base):
    """One key of one user. `answer` is null while the first request is still being answered."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    # The payment or refund that its first request made.
    subject: Mapped[str | None]
    locked_until: Mapped[datetime]
    status: Mapped[int | None]
    location: Mapped[str | None]
    answer: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)
