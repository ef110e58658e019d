"""Work to be done, and the clock's ticks. The row is the record; a message only names it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from payproc.database.models.base import Base, closed_set
from payproc.domain.ids import Prefix, new_id


class JobState(StrEnum):
    """`ready` includes running: the lease tells."""

    READY = "ready"
    DONE = "done"
    DEAD = "dead"


_UNLEASED = "state = 'ready' AND leased_until IS NULL"


class Job(Base):
    """One piece of work about one subject."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True, default=lambda: new_id(Prefix.JOB))
    kind: Mapped[str]
    # Which workers it is for: a payment's work goes to those of its provider, and no other provider's waits for it.
    queue: Mapped[str]
    subject: Mapped[str]
    # Equal while open means the same work: staging it twice leaves one row.
    dedupe_key: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    state: Mapped[JobState] = mapped_column(closed_set(JobState, "state"), server_default=JobState.READY)
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    # Starts so far, whatever became of them.
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    # Starts that ended in a crash or a bug: after a few the job is buried, because it may be the killer.
    crashes: Mapped[int] = mapped_column("strikes", server_default=text("0"))
    leased_until: Mapped[datetime | None]
    # Changes at every dispatch and every start, so that a message delivered twice starts once.
    lease_token: Mapped[UUID | None]
    started_at: Mapped[datetime | None]
    # Staged again while running: the run may have looked before the new reason arose, so it runs once more.
    rerun: Mapped[bool] = mapped_column("wanted_again", server_default=text("false"))
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_jobs_open", "dedupe_key", unique=True, postgresql_where=text("state = 'ready'")),
        Index("ix_jobs_due", "due_at", postgresql_where=text("state = 'ready'")),
        Index("ix_jobs_unleased", "queue", "kind", "due_at", postgresql_where=text(_UNLEASED)),
        Index("ix_jobs_leased", "queue", postgresql_where=text("leased_until IS NOT NULL")),
        Index("ix_jobs_subject", "subject"),
        Index("ix_jobs_finished_at", "finished_at", postgresql_where=text("state = 'done'")),
        Index("ix_jobs_dead", "finished_at", postgresql_where=text("state = 'dead'")),
    )


class Tick(Base):
    """One period of one kind of clock work: two beats insert it once."""

    __tablename__ = "ticks"

    kind: Mapped[str] = mapped_column(primary_key=True)
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("ix_ticks_created_at", "created_at"),)


class Watermark(Base):
    """How far something that goes on in pieces has come: what was forgotten, what was checked."""

    __tablename__ = "watermarks"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    # Where a pass over a whole table has come to; '' where none is under way.
    position: Mapped[str] = mapped_column(server_default=text("''"))
