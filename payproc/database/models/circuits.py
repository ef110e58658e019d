"""Which gateways are being left alone, as the workers see it and the front shows it."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base


class Circuit(Base):
    """The last word of any worker's fuse for one operation of one provider: open, half-open or closed."""

    __tablename__ = "circuits"

    provider: Mapped[str] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
