"""Calls that change something at a provider, each written down first; gateways left alone; whom pushes ring."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id


class CallState(StrEnum):
    """`sent` covers both "about to be" and "was": only the provider knows which."""

    SENT = "sent"
    ANSWERED = "answered"
    REFUSED = "refused"


class ProviderCall(Base):
    """The exact words and the key of one call. A retry repeats them to the letter.

    Recomputing them would not do: a changed customer, description or line of our own code would send other
    parameters under the same key, or the same payment under another key.
    """

    __tablename__ = "provider_calls"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.PROVIDER_CALL))
    provider: Mapped[str]
    operation: Mapped[str]
    subject: Mapped[str]
    # Rises only after a definite refusal.
    attempt: Mapped[int]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    # JSON, not JSONB: it keeps the order of the keys.
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[CallState] = mapped_column(closed_set(CallState, "state"), default=CallState.SENT)
    answer: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    answered_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("operation", "subject", "attempt"),)


class Circuit(Base):
    """The last word of any worker's circuit breaker for one operation of one provider: open, half-open or closed."""

    __tablename__ = "circuits"

    provider: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PushShare(Base):
    """One push, in the share of one phone, user or address.

    `holder` names it and cannot be read back: a keyed digest. Pruned when no push so old can ring anybody.
    """

    __tablename__ = "push_shares"

    holder: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), primary_key=True)
