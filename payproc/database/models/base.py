"""What every table shares: names for its constraints, aware UTC times, closed sets as checked text."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, MetaData, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from payproc.domain.money import Money


class UtcTime(TypeDecorator[datetime]):
    """A time that is aware on its way in and UTC on its way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's own shape)
        """Refuse a naive time: nobody can tell which noon it means."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"naive time {value!r} offered to the database")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's own shape)
        """Return UTC whatever the server's session says."""
        return None if value is None else value.astimezone(UTC)


def closed_set(enum: type[StrEnum], name: str) -> Enum:
    """Column type of a closed set: text with a CHECK, which a migration can widen in one statement."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """Base of the mapped classes."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcTime, dict[str, Any]: None}  # noqa: RUF012 (SQLAlchemy's own shape)


class Owned:
    """What is somebody's: the customer who pays, and the shop that acts for them where one does."""

    user_id: Mapped[str]
    shop_id: Mapped[str | None]

    @property
    def owners(self) -> frozenset[str]:
        """The ids of whoever may act on it as on their own."""
        return frozenset(owner for owner in (self.user_id, self.shop_id) if owner is not None)


class Amounted:
    """What is over an amount of money, kept as an integer of minor units and a currency."""

    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]

    @property
    def money(self) -> Money:
        """The amount as a value."""
        return Money.of(self.amount_minor, self.currency)
