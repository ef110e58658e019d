"""People and the keys they call with."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id
from payproc.domain.languages import Locale


class Role(StrEnum):
    """What a user may do; the table is in `payproc/records/identity/permissions.py`."""

    CUSTOMER = "customer"
    SHOP = "shop"  # a server, not a person: it acts for the customers that it names
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """What one key of a user may do."""

    READ = "payments:read"
    WRITE = "payments:write"
    METRICS = "metrics:read"


class User(Base):
    """A customer, a shop's server, or a member of the merchant's staff."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.USER))
    email: Mapped[str]
    full_name: Mapped[str]
    role: Mapped[Role] = mapped_column(closed_set(Role, "role"))
    locale: Mapped[Locale] = mapped_column(closed_set(Locale, "locale"), server_default=Locale.ENGLISH)
    # `sub` of the token that brought this user; null for those the merchant made by hand.
    token_subject: Mapped[str | None] = mapped_column(unique=True)
    # The shop that named this customer, and what it calls them; null for everybody else.
    shop_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    reference: Mapped[str | None]
    # Masked, for people; and encrypted, so that a pay page can offer it to a wallet.
    phone: Mapped[str | None]
    encrypted_phone: Mapped[str | None]
    # When what can name the person was taken away at their request. Payments and books stay.
    erased_at: Mapped[datetime | None]
    stripe_customer_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def address(self) -> str | None:
        """Where this person is written to; None of a machine, of staff, and of who asked to be forgotten."""
        return self.email if self.role is Role.CUSTOMER and self.erased_at is None else None

    keys: Mapped[list["ApiKey"]] = relationship(back_populates="user")

    __table_args__ = (
        CheckConstraint("shop_id IS NULL OR role = 'customer'", name="of_a_shop_is_a_customer"),
        # Two people of one identity provider may share an address; two users made by hand may not.
        Index(
            "uq_users_email",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("token_subject IS NULL AND shop_id IS NULL"),
        ),
        # Whoever they are of: a payment is found by its customer's address.
        Index("ix_users_email", text("lower(email)")),
        # Each shop knows its customers by its own reference of them; those without one by their address.
        Index(
            "uq_users_shop_id_reference",
            "shop_id",
            "reference",
            unique=True,
            postgresql_where=text("shop_id IS NOT NULL AND reference IS NOT NULL"),
        ),
        Index(
            "uq_users_shop_id_email",
            "shop_id",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("shop_id IS NOT NULL AND reference IS NULL"),
        ),
        Index(
            "ix_users_shop_id_created_at",
            "shop_id",
            "created_at",
            "id",
            postgresql_where=text("shop_id IS NOT NULL"),
        ),
    )


class ApiKey(Base):
    """A key's hash: the key itself is shown once and stored nowhere."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.API_KEY))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    # The first characters, so that a person can tell which key a log line means.
    prefix: Mapped[str]
    hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(back_populates="keys")
