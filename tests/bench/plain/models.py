"""The plain service's tables, as SQLAlchemy's quick start declares them."""

import os
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, scoped_session, sessionmaker


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str]


class ApiKey(Base):
    __tablename__ = "api_keys"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    user: Mapped[User] = relationship()


class Payment(Base):
    __tablename__ = "payments"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: uuid4().hex)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str] = mapped_column(default="pending", index=True)
    description: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))
    user: Mapped[User] = relationship()


# Made where a process first asks: after any fork.
session = scoped_session(sessionmaker())


def connect() -> None:
    """Give this process's sessions their engine."""
    session.configure(bind=create_engine(os.environ["PLAIN_DATABASE_URL"].replace("://", "+psycopg://")))
