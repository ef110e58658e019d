"""A customer's bank asks for money back, and everything that was said about it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Amounted, Base, closed_set
from payproc.domain.ids import Prefix, new_id
from payproc.domain.provenance import Source
from payproc.domain.states import DisputeStatus, Effect


class Dispute(Amounted, Base):
    """One dispute, by the provider's id of it; a payment may have several."""

    __tablename__ = "disputes"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.DISPUTE))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), index=True)
    provider: Mapped[str]
    provider_dispute_id: Mapped[str]
    # What is disputed; it may be less than the payment, or in another currency.
    status: Mapped[DisputeStatus] = mapped_column(closed_set(DisputeStatus, "status"))
    reason: Mapped[str | None]
    # Whether the provider would still take a refund beside it; null where it has not said.
    charge_refundable: Mapped[bool | None]
    evidence_due_at: Mapped[datetime | None]
    # When the provider said what `status` is: an older word never replaces a newer one.
    reported_at: Mapped[datetime] = mapped_column("told_at")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("provider", "provider_dispute_id"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    )


class DisputeEvent(Base):
    """One word about a dispute. Rows are only ever added: together they explain the status."""

    __tablename__ = "dispute_events"

    # A serial: events of one dispute are written under its payment's row lock, so this is their order.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    dispute_id: Mapped[str] = mapped_column(ForeignKey("disputes.id"), index=True)
    told: Mapped[DisputeStatus] = mapped_column(closed_set(DisputeStatus, "told"))
    effect: Mapped[Effect] = mapped_column(closed_set(Effect, "effect"))
    from_status: Mapped[DisputeStatus | None] = mapped_column(closed_set(DisputeStatus, "from_status"))
    to_status: Mapped[DisputeStatus] = mapped_column(closed_set(DisputeStatus, "to_status"))
    source: Mapped[Source] = mapped_column(closed_set(Source, "source"))
    evidence: Mapped[str | None]
    detail: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
