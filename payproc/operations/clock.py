"""Clock work: each period once, however many clocks tick."""

from datetime import UTC, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import ReviewKind, Tick
from payproc.mail import outbox
from payproc.mail.digest import open_reviews
from payproc.operations import doctor
from payproc.records.reviews import open_review


def tick(session: Session, kind: jobs.Kind, *, now: datetime) -> bool:
    """Stage this period's clock work unless it was staged before; `now` is UTC. Return whether it was staged here."""
    assert kind.policy.clock is not None, f"{kind} has no period"
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
    with app.database.transaction() as session:
        for broken in doctor.broken_invariants(session):
            open_review(session, ReviewKind.INVARIANT_BROKEN, f"{broken.name}:{broken.subject}", detail=broken.sentence)
        jobs.finish(session, job)


def digest(app: Application, job: jobs.Claimed) -> None:
    """Run a `clock.digest` job: stage one mail to the operators where something new waits for a person.

    Without OPERATOR_MAIL nobody is told; what waits stands in `review list` all the same.
    """
    with app.database.transaction() as session:
        operators, period = app.settings.operator_mail, job.subject
        if operators and open_reviews(session, period).new:
            outbox.stage_digest(session, period, operator_mail=operators)
        jobs.finish(session, job)
