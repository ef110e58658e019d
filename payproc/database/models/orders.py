"""What a payment is for. The merchant sets its amount; a client never does."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Amounted, Base, Owned, closed_set
from payproc.domain.ids import Prefix, new_id


class OrderStatus(StrEnum):
    """Follows the order's payments; an order that nobody has paid ends by its time or by its shop."""

    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    CLOSED = "closed"


class Order(Owned, Amounted, Base):
    """One thing to be paid for, by any number of attempts, each of them a payment."""

    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.ORDER))
    # Who pays. Of a shop's order that names no customer it is the shop.
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    shop_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    reference: Mapped[str]
    status: Mapped[OrderStatus] = mapped_column(closed_set(OrderStatus, "status"), default=OrderStatus.OPEN)
    description: Mapped[str] = mapped_column(server_default=text("''"), default="")
    # What is sold, for people to read: a name, how many, and an amount in minor units where the shop says it.
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"), default=list)
    # By which methods it may be paid; null for all that take its currency.
    methods: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'"), default=dict)
    success_url: Mapped[str | None]
    cancel_url: Mapped[str | None]
    # Until when a payment of it may begin; null for ever.
    expires_at: Mapped[datetime | None]
    # When its page was first shown.
    opened_at: Mapped[datetime | None]
    # When it ended unpaid, by its time or by its shop.
    closed_at: Mapped[datetime | None]
    # How many events were told of it: counted under the row's lock.
    event_sequence: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("user_id", "reference"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_letters"),
        Index(
            "uq_orders_shop_id_reference",
            "shop_id",
            "reference",
            unique=True,
            postgresql_where=text("shop_id IS NOT NULL"),
        ),
        Index("ix_orders_reference", "reference"),
        Index("ix_orders_created_at", "created_at", "id"),
        Index(
            "ix_orders_shop_id_created_at",
            "shop_id",
            "created_at",
            "id",
            postgresql_where=text("shop_id IS NOT NULL"),
        ),
    )
