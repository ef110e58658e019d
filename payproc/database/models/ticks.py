"""Which periods of the clock's work have been started."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base


class Tick(Base):
    """One period of one kind of clock work: two beats insert it once."""

    __tablename__ = "ticks"

    kind: Mapped[str] = mapped_column(primary_key=True)
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
