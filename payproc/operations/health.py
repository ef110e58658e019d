"""How far behind the work is, in a few numbers that mean something to whoever is on call.

Whoever asks may be anybody: each number is read off a small index, counts no further than COUNTED_TO, and is asked for
once a second by each process.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Interval, ScalarSelect, Select, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from payproc.database.models import Job, Payment, Review, Tick
from payproc.jobs import READY

# What an alert asks is whether there are too many, and not how many there are: ten million would take a second.
COUNTED_TO = 10_000
# As the partial indexes say it; a parameter would not be proven to fit them (`jobs.queue` tells why).
_DEAD = text("jobs.state = 'dead'")
_OPEN = text("payments.status IN ('pending', 'processing')")

# One row, beside the clock's own, that is written anew: a probe leaves nothing behind.
_PROBE, _PROBE_PERIOD = "readyz", datetime.fromtimestamp(0, UTC)
# Whoever asks more often than this makes nobody wait for the row, and no more of its versions.
_PROVEN_FOR = timedelta(seconds=1)

Answer = TypeVar("Answer")


class OneAnswer(Generic[Answer]):
    """An answer that serves everybody for a second. One asks for it at a time, and nobody waits for another's asking.

    So strangers who ask at once hold up neither the database nor each other's threads.
    """

    def __init__(self, ask: Callable[[], Answer], *, life: float = 1.0, longest: float = 5.0) -> None:
        """`life` is how long (seconds) an answer is given again; `longest`, while the next one is being asked for."""
        self._ask, self._life, self._longest = ask, life, longest
        self._asking = threading.Lock()
        self._known: tuple[Answer, float] | None = None

    def get(self) -> Answer:
        """Return the answer. Raises what asking raises, or one of PASSING_TROUBLE while another asks for too long."""
        known = self._known
        if known is not None and time.monotonic() - known[1] < self._life:
            return known[0]
        if not self._asking.acquire(blocking=False):
            if known is not None and time.monotonic() - known[1] < self._longest:
                return known[0]
            raise PoolTimeout("somebody else is asking, and has no answer yet")
        # Should this fail, what was known before is no answer any more.
        found = None
        try:
            found = self._ask(), time.monotonic()
        finally:
            self._known = found
            self._asking.release()
        return found[0]


def prove_writable(session: Session) -> None:
    """Write, for only that proves that one can: a demoted primary and a full disk answer every question.

    Raises one of PASSING_TROUBLE, at the latest when the caller commits.
    """
    row = insert(Tick).values(kind=_PROBE, period_start=_PROBE_PERIOD)
    old = Tick.created_at < func.now() - literal(_PROVEN_FOR, Interval)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Tick.kind, Tick.period_start], set_={Tick.created_at: func.now()}, where=old
        )
    )


def payments_by_status(session: Session) -> dict[tuple[str, str], int]:
    """Count the payments that have not ended, by payment method and status."""
    some = select(Payment.payment_method, Payment.status).where(_OPEN).limit(COUNTED_TO).subquery()
    counted = select(some.c.payment_method, some.c.status, func.count())
    rows = session.execute(counted.group_by(some.c.payment_method, some.c.status))
    return {(method, status.value): count for method, status, count in rows}


def backlog(session: Session, *, counted_to: int = COUNTED_TO) -> dict[str, int]:
    """Count the work that is due, how long the oldest has waited (seconds), the given-up and the undecided."""
    due = READY & (Job.due_at <= func.now())
    waited = func.coalesce(func.extract("epoch", func.now() - func.min(Job.due_at)), 0)
    figures = (
        _counted(select(Job.due_at).where(due).limit(counted_to)),
        select(waited).where(due).scalar_subquery(),
        _counted(select(Job.id).where(_DEAD).limit(counted_to)),
        _counted(select(Review.id).where(Review.resolved_at.is_(None)).limit(counted_to)),
    )
    jobs_due, oldest, dead, undecided = session.execute(select(*figures)).one()
    return {"jobs_due": jobs_due, "oldest_due_seconds": int(oldest), "jobs_dead": dead, "reviews_open": undecided}


def _counted(rows: Select[Any]) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()
