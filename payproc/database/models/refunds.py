"""Money given back, or asked to be, and everything that happened to it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Amounted, Base, closed_set
from payproc.domain.ids import Prefix, new_id
from payproc.domain.provenance import Source
from payproc.domain.states import Effect, RefundFact, RefundStatus


class Refund(Amounted, Base):
    """One refund of one payment: asked for here, or made in the provider's own dashboard (`requested_by` is null)."""

    __tablename__ = "refunds"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.REFUND))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), index=True)
    status: Mapped[RefundStatus] = mapped_column(closed_set(RefundStatus, "status"))
    reason: Mapped[str | None]
    requested_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    # The provider's own id of it, where it has one.
    provider_refund_id: Mapped[str | None] = mapped_column(unique=True)
    # A wallet knows no key and no id of a refund: two on their way at once could not be told apart.
    exclusive: Mapped[bool] = mapped_column("alone", server_default=text("true"))
    # Why it is still on its way, in the provider's word.
    pending_reason: Mapped[str | None]
    failure_code: Mapped[str | None]
    failure_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        # Minor units of two currencies must never meet in one sum.
        ForeignKeyConstraint(
            ["payment_id", "currency"], ["payments.id", "payments.currency"], name="fk_refunds_payment_currency"
        ),
        Index(
            "uq_refunds_in_flight",
            "payment_id",
            unique=True,
            postgresql_where=text("alone AND status IN ('requested', 'pending', 'manual')"),
        ),
    )


class RefundEvent(Base):
    """One fact about a refund. Rows are only ever added: together they explain the status."""

    __tablename__ = "refund_events"

    # A serial: events of one refund are written under its payment's row lock, so this is their order.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), index=True)
    fact: Mapped[RefundFact] = mapped_column(closed_set(RefundFact, "fact"))
    effect: Mapped[Effect] = mapped_column(closed_set(Effect, "effect"))
    from_status: Mapped[RefundStatus | None] = mapped_column(closed_set(RefundStatus, "from_status"))
    to_status: Mapped[RefundStatus] = mapped_column(closed_set(RefundStatus, "to_status"))
    source: Mapped[Source] = mapped_column(closed_set(Source, "source"))
    evidence: Mapped[str | None]
    detail: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
