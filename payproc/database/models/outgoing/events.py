"""What shops are told: events, the endpoints they are sent to, and every try to deliver one."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id


class Event(Base):
    """One change, as it is told to shops: written in the transaction of the change, and never changed."""

    __tablename__ = "events"

    # Also the `webhook-id` of every try to deliver it.
    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.EVENT))
    # Which there are is said in payproc/outgoing/webhooks/event_types.py: a new one needs no migration.
    type: Mapped[str]
    # Whose it is; null where no shop made the payment.
    shop_id: Mapped[str | None]
    payment_id: Mapped[str | None]
    # Whose events are counted: a payment's, with its refunds and disputes; an order's; a payout's.
    subject: Mapped[str]
    sequence: Mapped[int]
    # JSON text, as it was when it happened.
    data: Mapped[str] = mapped_column(Text)
    # Its place in the feed, given when the feed is first read past it: an order of numbers given at the writing would
    # show a later commit's before an earlier one's, which a reader would then never see.
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("type ~ '^[a-z]+[.][a-z_]+$'", name="type_words"),
        CheckConstraint("sequence > 0", name="sequence_counts"),
        UniqueConstraint("subject", "sequence"),
        Index("ix_events_unplaced", "shop_id", "at", "id", postgresql_where=text("position IS NULL")),
        Index("ix_events_shop_id_position", "shop_id", "position"),
        Index("ix_events_at", "at"),
        Index("ix_events_payment_id", "payment_id"),
    )


class EndpointState(StrEnum):
    """Whether an endpoint is sent to."""

    ENABLED = "enabled"
    PAUSED = "paused"  # by its owner: what happens meanwhile is delivered afterwards
    DISABLED = "disabled"  # it failed for days, or said that it is gone
    DELETED = "deleted"  # its deliveries stay on record


class WebhookEndpoint(Base):
    """An address that is told events. Of a shop it is told that shop's; of none, everybody's."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.WEBHOOK_ENDPOINT))
    shop_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    url: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"), default="")
    # Types, or the first word of one with `.*`; none means all.
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"), default=list)
    state: Mapped[EndpointState] = mapped_column(
        closed_set(EndpointState, "state"), server_default=EndpointState.ENABLED, default=EndpointState.ENABLED
    )
    disabled_reason: Mapped[str | None]
    encrypted_secret: Mapped[str]
    # The one before a rotation, which signs as well until then.
    encrypted_previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    # Since when nothing was delivered; null while something is.
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("(encrypted_previous_secret IS NULL) = (previous_until IS NULL)", name="previous_secret_ends"),
    )


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # given up, or its endpoint is gone


class WebhookDelivery(Base):
    """One event for one endpoint, once."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.WEBHOOK_DELIVERY))
    event_id: Mapped[str] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id"))
    state: Mapped[DeliveryState] = mapped_column(
        closed_set(DeliveryState, "state"), server_default=DeliveryState.PENDING, default=DeliveryState.PENDING
    )
    tries: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("event_id", "endpoint_id"),
        CheckConstraint("(state = 'pending') = (ended_at IS NULL)", name="ended_has_its_time"),
        Index("ix_webhook_deliveries_endpoint_id_created_at", "endpoint_id", "created_at", "id"),
        Index("ix_webhook_deliveries_pending", "endpoint_id", "id", postgresql_where=text("state = 'pending'")),
    )


class WebhookAttempt(Base):
    """One try of a delivery, and what came of it."""

    __tablename__ = "webhook_attempts"

    delivery_id: Mapped[str] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    milliseconds: Mapped[int]
    # What the endpoint answered, as far as it did: its status and the first 2 kB.
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    # Why there is none, in our words.
    trouble: Mapped[str | None] = mapped_column(String)
