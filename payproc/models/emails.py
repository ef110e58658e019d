"""Mail we owe somebody: one row per payment and kind, so never two."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.ids import Prefix, new_id
from payproc.models.base import Base, closed_set


class EmailKind(StrEnum):
    """What a mail tells."""

    RECEIPT = "receipt"


class Email(Base):
    """One mail; `sent_at` is null until a mail server has accepted it."""

    __tablename__ = "emails"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.EMAIL))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    kind: Mapped[EmailKind] = mapped_column(closed_set(EmailKind, "kind"))
    recipient: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("payment_id", "kind"),)
