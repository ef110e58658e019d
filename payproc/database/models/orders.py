"""What a payment is for. The merchant sets its amount; a client never does."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Amounted, Base, closed_set
from payproc.domain.ids import Prefix, new_id


class OrderStatus(StrEnum):
    """Follows the order's payments."""

    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    REFUNDED = "refunded"


class Order(Amounted, Base):
    """One thing to be paid for, by any number of attempts, each of them a payment."""

    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.ORDER))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    reference: Mapped[str]
    status: Mapped[OrderStatus] = mapped_column(closed_set(OrderStatus, "status"), default=OrderStatus.OPEN)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("user_id", "reference"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_letters"),
    )
