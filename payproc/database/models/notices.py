"""What providers told us, kept as it came."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id


class NoticeState(StrEnum):
    """What became of a notice."""

    NEW = "new"
    APPLIED = "applied"
    PARKED = "parked"  # about something we do not have, or not yet handle; a job tries again
    IGNORED = "ignored"  # of a type that concerns no payment; `reason` says which
    DEAD = "dead"  # nobody's: a review is open


class Notice(Base):
    """One delivery that was signed, stored once however often it comes."""

    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.NOTICE))
    provider: Mapped[str]
    # The provider's own id of the event: at-least-once delivery becomes exactly-once storage.
    key: Mapped[str]
    kind: Mapped[str]
    body: Mapped[bytes]
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[NoticeState] = mapped_column(closed_set(NoticeState, "state"), server_default=NoticeState.NEW)
    reason: Mapped[str | None]
    # While it is parked for a payment that we do not know: the provider's ids, any of which would name it.
    awaits: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Set when an operator has it applied again: its patience starts anew.
    replayed_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("provider", "key"),
        # Whose a notice is, is learnt when it is applied: accepting one writes nothing here.
        Index("ix_notices_payment_id", "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
        # Written at once: a list of what is still to be put in would be read by everybody who looks.
        Index(
            "ix_notices_awaits",
            "awaits",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
            postgresql_where=text("awaits IS NOT NULL"),
        ),
        Index("ix_notices_settled_at", "settled_at", postgresql_where=text("settled_at IS NOT NULL")),
        Index("ix_notices_unsettled", "received_at", postgresql_where=text("state IN ('new', 'parked')")),
    )
