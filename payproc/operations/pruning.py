"""How long the rows of each table are kept, and forgetting them, a few at a time.

What is about money stays; what only helped to do the work has a life, which is a setting.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Interval,
    Select,
    and_,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from payproc import jobs
from payproc.application import Application
from payproc.database import models
from payproc.database.models import (
    Base,
    Email,
    Job,
    Loop,
    Notice,
    ReconciliationFinding,
    ReconciliationRun,
    Review,
    RunState,
    SeenKey,
    Watermark,
)

# So few that PostgreSQL fetches each by its key. For a thousand it would rather read a table of up to 70 MB from end to
# end, with all of them locked: 70 to 110 ms for 150,000 mails or jobs, where 250 take 1 ms (docs/performance.md).
AT_ONCE = 250
# Far below the soft limit of such a job; what is left then is its next turn's.
_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Life:
    """How long rows are kept: for the time of `setting`, from `since` on, once they are `over`."""

    table: type[Base]
    setting: str
    since: InstrumentedAttribute[Any]
    over: ColumnElement[bool]


def _is(state: str) -> ColumnElement[bool]:
    # Spelt out for the partial indexes, as in `jobs.queue`.
    return Job.state == literal_column(f"'{state}'")


_OPEN_REVIEW = exists().where(Review.subject == Job.id, Review.resolved_at.is_(None))
_UNSENT = exists().where(Email.id == Job.subject, Email.sent_at.is_(None), Email.withdrawn_at.is_(None))
_BEING_SENT = exists().where(Job.subject == Email.id, jobs.READY)
_FOUND_SOMETHING = exists().where(ReconciliationFinding.run_id == ReconciliationRun.id)
# The newest of each that came to its end says where the next begins.
_Newer = aliased(ReconciliationRun)
_HAS_NEWER = exists().where(
    _Newer.loop == ReconciliationRun.loop,
    _Newer.provider == ReconciliationRun.provider,
    _Newer.state == RunState.DONE,
    _Newer.dry_run.is_(False),
    _Newer.finished_at > ReconciliationRun.finished_at,
)

# In this order: who forgets a mail asks whether a job sends it, and who forgets a run whether a finding names it.
LIVES: Sequence[Life] = (
    Life(table=Email, setting="mails_life", since=Email.created_at,
         over=or_(Email.sent_at.is_not(None), Email.withdrawn_at.is_not(None), ~_BEING_SENT)),
    Life(table=Job, setting="done_jobs_life", since=Job.finished_at, over=_is("done")),
    Life(table=Job, setting="dead_jobs_life", since=Job.finished_at,
         over=and_(_is("dead"), ~_OPEN_REVIEW, ~_UNSENT)),
    Life(table=models.Tick, setting="ticks_life", since=models.Tick.created_at, over=true()),
    Life(table=models.IdempotencyKey, setting="idempotency_key_life", since=models.IdempotencyKey.created_at,
         over=true()),
    # While it may still ring somebody it counts.
    Life(table=models.PushShare, setting="push_shares_life", since=models.PushShare.created_at, over=true()),
    Life(table=Notice, setting="notices_life", since=Notice.settled_at, over=Notice.settled_at.is_not(None)),
    Life(table=SeenKey, setting="abandoned_run_life", since=ReconciliationRun.touched_at,
         over=and_(SeenKey.run_id == ReconciliationRun.id, ReconciliationRun.state != RunState.RUNNING)),
    # What a person has accepted is not asked about again.
    Life(table=ReconciliationFinding, setting="runs_life", since=ReconciliationFinding.closed_at,
         over=and_(ReconciliationFinding.closed_at.is_not(None), ReconciliationFinding.accepted_at.is_(None))),
    # A statement's run is how its file is known when it is imported again.
    Life(table=ReconciliationRun, setting="runs_life", since=ReconciliationRun.finished_at,
         over=and_(ReconciliationRun.loop != Loop.STATEMENT, ReconciliationRun.state != RunState.RUNNING,
                   ~_FOUND_SOMETHING, _HAS_NEWER)),
)  # fmt: skip

# What has no life, and why.
STAYS: Mapping[type[Base], str] = {
    models.Payment: "what was asked for and what became of it",
    models.PaymentEvent: "how each payment came to its status; only added to",
    models.Order: "what was sold",
    models.Refund: "what was given back",
    models.RefundEvent: "how each refund came to its status; only added to",
    models.Dispute: "what was disputed",
    models.DisputeEvent: "how each dispute came to its status; only added to",
    models.Journal: "the books; only added to",
    models.LedgerEntry: "the books; only added to",
    models.LedgerDraft: "who wanted the books corrected, and who agreed",
    models.SettlementLine: "the provider's own books, which the ledger answers",
    models.SettlementMatch: "which journal answers which line; only added to",
    models.ProviderCall: "the words and the key of each charge and refund: what a dispute of any age asks for",
    models.Review: "what people decided about money, and why",
    models.User: "whose payments these are",
    models.ApiKey: "who acted with which key; as many as were issued",
    models.Circuit: "a row for each operation of a provider",
    Watermark: "a row for each name",
}


def prune(app: Application, job: jobs.Claimed) -> None:
    """Run a `clock.prune` job: forget what nobody will ask for again, and what is left of it in the next turn."""
    done = forget(app)
    with app.database.transaction() as session:
        if done:
            jobs.finish(session, job)
        else:
            jobs.resume_later(session, job)


def forget(app: Application, *, at_once: int = AT_ONCE, seconds: float = _SECONDS) -> bool:
    """Forget what is over, `at_once` rows in a transaction, for so many `seconds`; return whether that was all."""
    last = time.monotonic() + seconds
    _abandon_runs(app)
    for life in LIVES:
        while _forget_some(app, life, at_once=at_once):
            if time.monotonic() > last:
                return False
    return True


def _abandon_runs(app: Application) -> None:
    # Of a provider that was taken away there is no next run to clear the way for.
    forgotten = ReconciliationRun.touched_at < func.now() - literal(app.settings.abandoned_run_life, Interval)
    with app.database.transaction() as session:
        session.execute(
            update(ReconciliationRun)
            .where(ReconciliationRun.state == RunState.RUNNING, forgotten)
            .values(state=RunState.ABANDONED, finished_at=func.now())
            .execution_options(synchronize_session=False)
        )


def _forget_some(app: Application, life: Life, *, at_once: int) -> bool:
    """Forget the oldest of what is over; return whether there may be more."""
    keys = life.table.__table__.primary_key
    with app.database.transaction() as session:
        now: datetime = session.scalars(select(func.now())).one()
        before = now - getattr(app.settings, life.setting)
        # Found once, before anything is deleted. As a subquery PostgreSQL may ask it anew for each row of the table,
        # and what is gone by then it passes over: then all goes at once, whatever the limit.
        oldest = _oldest(life, before=before, limit=at_once).cte("oldest").prefix_with("MATERIALIZED")
        gone = delete(life.table).where(*(key == oldest.c[key.name] for key in keys))
        removed = session.execute(gone.execution_options(synchronize_session=False))
        assert isinstance(removed, CursorResult)
        if removed.rowcount:
            _note_forgotten(session, life.setting, before)
        return removed.rowcount == at_once


def _oldest(life: Life, *, before: datetime, limit: int) -> Select[Any]:
    return (
        select(*life.table.__table__.primary_key)
        .where(life.over, life.since < before)
        .order_by(life.since)
        .limit(limit)
        # What somebody holds is looked at again in an hour.
        .with_for_update(of=life.table, skip_locked=True)
    )


def _note_forgotten(session: Session, name: str, before: datetime) -> None:
    # The invariants ask: what is older may be gone by right.
    row = insert(Watermark).values(name=name, at=before)
    latest = {"at": func.greatest(Watermark.at, row.excluded.at)}
    session.execute(row.on_conflict_do_update(index_elements=[Watermark.name], set_=latest))
