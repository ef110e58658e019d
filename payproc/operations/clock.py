"""Clock work: each period once, however many clocks tick."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from psycopg.errors import QueryCanceled
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import ReviewKind, Tick, Watermark
from payproc.operations import doctor
from payproc.outgoing.mail import outbox
from payproc.outgoing.mail.digest import open_reviews
from payproc.records.reviews import open_review

log = structlog.get_logger()

# Seven tables, four questions about everything: together they stay below the soft limit of such a job. At five thousand
# rows a second a million payments are gone through in a day.
_SECONDS_A_TABLE = 2.5
_LONGEST_QUESTION = "4s"
# What a watermark says how far it has come.
_CHANGED, _ALL = "checked changes of", "checked all"


def tick(session: Session, kind: jobs.Kind, *, now: datetime) -> bool:
    """Stage this period's clock work unless it was staged before; `now` is UTC. Return whether it was staged here.

    While work of its kind is open, of whatever period, nothing is staged, and a later tick of the period tries again:
    after an outage one look is due, not one for each period that nobody took.
    """
    assert kind.policy.clock is not None, f"{kind} has no period"
    if jobs.is_open(session, kind):
        return False
    period = kind.policy.clock.period.total_seconds()
    start = datetime.fromtimestamp(now.timestamp() // period * period, UTC)
    first = session.scalar(
        insert(Tick).values(kind=kind, period_start=start).on_conflict_do_nothing().returning(Tick.kind)
    )
    if first is None:
        return False
    jobs.stage(session, kind, start.isoformat())
    return True


def check_invariants(app: Application, job: jobs.Claimed) -> None:
    """Run a `clock.check_invariants` job: a broken promise opens a review."""
    check_some(app)
    with app.database.transaction() as session:
        jobs.finish(session, job)


def check_some(app: Application, *, at_once: int = 2000, seconds: float = _SECONDS_A_TABLE) -> None:
    """Check what changed since the last time, and the next piece of everything else: tables of any size take as long.

    Of each table what follows where the last time stopped is gone through for so many `seconds` at most, and what
    changed for less than half of that; after its end it begins again. What a small shop has is all checked each time.
    """
    check_everything(app)
    for over in doctor.TABLES:
        for ahead, share in ((_CHANGED, 0.4), (_ALL, 1)):
            last = time.monotonic() + share * seconds
            while _check_piece(app, over, ahead, at_once=at_once) and time.monotonic() < last:
                pass


def check_everything(app: Application) -> list[str]:
    """Check what is asked of everything at once; return the names of what takes too long for the clock."""
    unanswered = []
    for name in doctor.names_over_everything():
        try:
            with app.database.transaction() as session:
                session.execute(text(f"SET LOCAL statement_timeout = '{_LONGEST_QUESTION}'"))
                _ask_people(session, doctor.asked_of_everything(session, name))
        except OperationalError as trouble:
            if not isinstance(trouble.orig, QueryCanceled):
                raise
            # A sum over books of hundreds of millions of entries: it is the operator's to take, with `doctor`.
            log.warning("an invariant takes too long to be checked by the clock", invariant=name)
            unanswered.append(name)
    return unanswered


def _check_piece(app: Application, over: doctor.Over, ahead: str, *, at_once: int) -> bool:
    """Check the next rows of a table and move its watermark; return whether there are more."""
    name = f"{ahead} {over}"
    with app.database.transaction() as session:
        mark = session.get(Watermark, name)
        if ahead == _ALL:
            piece = doctor.next_rows(session, over, after=mark.position if mark else "", limit=at_once)
        elif mark is None:
            # What was before the first time is the other's to go through.
            piece = doctor.Piece(ids=(), place=doctor.last_change(session, over), is_last=True)
        else:
            piece = doctor.next_changed(session, over, after=mark.position, limit=at_once)
        _ask_people(session, doctor.asked_of(session, over, piece.ids))
        # All of it from the start again; what changes is asked about from where it was left.
        place = "" if ahead == _ALL and piece.is_last else piece.place
        session.merge(Watermark(name=name, at=datetime.now(UTC), position=place))
        return not piece.is_last


def _ask_people(session: Session, found: Iterable[doctor.Broken]) -> None:
    for broken in found:
        open_review(session, ReviewKind.INVARIANT_BROKEN, f"{broken.name}:{broken.subject}", detail=broken.sentence)


def digest(app: Application, job: jobs.Claimed) -> None:
    """Run a `clock.digest` job: stage one mail to the operators where something new waits for a person.

    Without OPERATOR_MAIL nobody is told; what waits stands in `review list` all the same.
    """
    with app.database.transaction() as session:
        operators, period = app.settings.operator_mail, job.subject
        if operators and open_reviews(session, period).new:
            outbox.stage_digest(session, period, operator_mail=operators)
        jobs.finish(session, job)
