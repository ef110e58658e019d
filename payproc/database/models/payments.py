"""One attempt to be paid by one provider, and everything that happened to it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Amounted, Base, Owned, closed_set
from payproc.domain.ids import Prefix, new_id, new_reference
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Source
from payproc.domain.states import Effect, Fact, PaymentStatus


class Payment(Owned, Amounted, Base):
    """One attempt. Another try is another payment of the same order."""

    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.PAYMENT))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    # The shop that made it for the user; null where the user did, or a member of the staff.
    shop_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    order_id: Mapped[str | None] = mapped_column(ForeignKey("orders.id"), index=True)

    status: Mapped[PaymentStatus] = mapped_column(closed_set(PaymentStatus, "status"))
    # The registry says which there are: a new provider needs no migration.
    payment_method: Mapped[PaymentMethod] = mapped_column(String)

    # Ours, committed before any call, and on every call: how a lost answer is found again.
    reference: Mapped[str] = mapped_column(unique=True, default=new_reference)
    dialect: Mapped[str]
    environment: Mapped[str]
    live_mode: Mapped[bool]

    stripe_session_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_payment_intent_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_charge_id: Mapped[str | None] = mapped_column(unique=True)
    jazz_cash_reference: Mapped[str | None] = mapped_column(unique=True)
    easy_paisa_reference: Mapped[str | None] = mapped_column(unique=True)

    next_action: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    failure_code: Mapped[str | None]
    failure_message: Mapped[str | None]
    description: Mapped[str]
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, default=dict)
    # Masked, for people to tell payments apart: 0300****567.
    phone: Mapped[str | None]
    # By which it is found: a keyed hash of all digits, and what a customer reads out over the telephone.
    phone_hash: Mapped[bytes | None]
    phone_last_four: Mapped[str | None]
    # Phone and CNIC as the wallet must be told them, encrypted, and gone as soon as it has been.
    encrypted_payer: Mapped[str | None] = mapped_column("sealed_payer")
    # The number on the customer's own statement. Not unique: a bank may use one again.
    provider_receipt: Mapped[str | None]
    success_url: Mapped[str | None]
    cancel_url: Mapped[str | None]

    # Until when the customer can pay, as the provider promised; the polls follow it.
    expires_at: Mapped[datetime | None]
    # When the provider was last asked: a flood of hints must not become a flood of questions.
    polled_at: Mapped[datetime | None] = mapped_column("asked_at")
    # How many events were told of it, its refunds and its disputes: counted under the row's lock.
    event_sequence: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    completed_at: Mapped[datetime | None]

    __table_args__ = (
        # What a refund points at, so that it is in the payment's currency.
        UniqueConstraint("id", "currency", name="uq_payments_id_currency"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_letters"),
        CheckConstraint("payment_method ~ '^[a-z][a-z_]{1,31}$'", name="payment_method_name"),
        CheckConstraint("reference ~ '^[A-Za-z0-9]{1,20}$'", name="reference_fits_every_provider"),
        CheckConstraint(
            "(status IN ('completed', 'refunded')) = (completed_at IS NOT NULL)",
            name="completed_has_its_time",
        ),
        # The list of a user's payments, newest first; and the same for everyone's.
        Index("ix_payments_user_id_created_at", "user_id", "created_at", "id"),
        Index("ix_payments_created_at", "created_at", "id"),
        # What a shop made.
        Index(
            "ix_payments_shop_id_created_at",
            "shop_id",
            "created_at",
            "id",
            postgresql_where=text("shop_id IS NOT NULL"),
        ),
        Index("ix_payments_phone_hash", "phone_hash", postgresql_where=text("phone_hash IS NOT NULL")),
        Index("ix_payments_phone_last_four", "phone_last_four", postgresql_where=text("phone_last_four IS NOT NULL")),
        # What else somebody may have in hand (operations/finding/search.py).
        Index("ix_payments_amount_minor_created_at", "amount_minor", "created_at", "id"),
        Index(
            "ix_payments_provider_receipt", "provider_receipt", postgresql_where=text("provider_receipt IS NOT NULL")
        ),
        # Of a method that few take.
        Index("ix_payments_payment_method_created_at", "payment_method", "created_at", "id"),
        # Those of a status that not nearly all have: for lists of them, and for figures and invariants of the open.
        Index(
            "ix_payments_not_completed",
            "status",
            "created_at",
            "id",
            postgresql_where=text("status <> 'completed'"),
            postgresql_include=["payment_method"],
        ),
    )


class PaymentEvent(Base):
    """One fact about a payment. Rows are only ever added: together they explain the status."""

    __tablename__ = "payment_events"

    # A serial, not an id of ours: events of one payment are written under its row lock, so this is their order.
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), index=True)
    fact: Mapped[Fact] = mapped_column(closed_set(Fact, "fact"))
    effect: Mapped[Effect] = mapped_column(closed_set(Effect, "effect"))
    from_status: Mapped[PaymentStatus | None] = mapped_column(closed_set(PaymentStatus, "from_status"))
    to_status: Mapped[PaymentStatus] = mapped_column(closed_set(PaymentStatus, "to_status"))
    source: Mapped[Source] = mapped_column(closed_set(Source, "source"))
    # The notice, call or operator that proves it.
    evidence: Mapped[str | None]
    detail: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
