"""How long the rows of each table are kept, and forgetting them, a few at a time.

What is about money stays; what only helped to do the work has a life, which is a setting.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Interval,
    Select,
    Table,
    and_,
    any_,
    bindparam,
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
from sqlalchemy.orm import InstrumentedAttribute, aliased

from payproc import jobs
from payproc.application import Application
from payproc.database import models
from payproc.database.models import (
    Base,
    Email,
    Event,
    Job,
    Loop,
    Notice,
    ReconciliationFinding,
    ReconciliationRun,
    Review,
    RunState,
    SeenKey,
    Watermark,
    WebhookDelivery,
)

# The most rows of a batch, and how many the first has. One row more is some 10 µs more of a lock.
AT_ONCE, _AT_FIRST, _LEAST = 250, 50, 10
# Nobody shall wait 50 ms for a row that goes: a batch that took half of it makes the next one half as large.
_HELD_TOO_LONG = timedelta(milliseconds=25)
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

# Spelt out for the partial index, as above. What an endpoint has yet to be told stays however long that takes.
_BEING_DELIVERED = exists().where(
    WebhookDelivery.event_id == Event.id, WebhookDelivery.state == literal_column("'pending'")
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
    # With its deliveries and their tries, by cascade.
    Life(table=Event, setting="events_life", since=Event.at, over=~_BEING_DELIVERED),
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

# What goes with a row of another table, by cascade.
GOES_WITH: Mapping[type[Base], type[Base]] = {
    WebhookDelivery: Event,
    models.WebhookAttempt: WebhookDelivery,
}

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
    models.WebhookEndpoint: "where shops are told; as many as they made",
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


def forget(
    app: Application, *, lives: Sequence[Life] = LIVES, at_once: int = AT_ONCE, seconds: float = _SECONDS
) -> bool:
    """Forget what is over, `at_once` rows in a batch at most, for so many `seconds`; return whether that was all."""
    last = time.monotonic() + seconds
    _abandon_runs(app)
    size = min(_AT_FIRST, at_once)
    for life in lives:
        after = _BEFORE_ALL
        while True:
            batch = _forget_some(app, life, after=after, limit=size)
            if batch.removed < size:
                break
            if time.monotonic() > last:
                return False
            after, size = batch.newest, next_size(size, held=batch.held, most=at_once)
    return True


def next_size(size: int, *, held: timedelta, most: int = AT_ONCE) -> int:
    """Return how many rows follow a batch of `size` that was `held` so long: half as many, or an eighth more."""
    if held > _HELD_TOO_LONG:
        return max(size // 2, min(_LEAST, size))
    return min(size + max(size // 8, 1), most)


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


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """What has just been forgotten: how many rows, the time of the newest, and how long they were locked at most."""

    removed: int
    newest: datetime
    held: timedelta


def _forget_some(app: Application, life: Life, *, after: datetime, limit: int) -> _Batch:
    """Forget the oldest of what is over, from `after` on."""
    statement = _forgetting(life, getattr(app.settings, life.setting), after=after, limit=limit)
    # A transaction of its own, so its rows are locked for as long as the server takes to find and delete them, and for
    # no answer of ours. It may be lost in between: what is gone then is gone by right.
    with app.database.autocommit() as session:
        session.connection()
        began = time.monotonic()
        removed, newest, _ = session.execute(statement).one()
        held = timedelta(seconds=time.monotonic() - began)
    return _Batch(removed=removed, newest=newest or after, held=held)


def _forgetting(life: Life, kept_for: timedelta, *, after: datetime, limit: int) -> Select[Any]:
    """Return the statement that forgets the oldest; it counts them, and says how far it has come."""
    table = life.table.__table__
    assert isinstance(table, Table)
    before = func.now() - literal(kept_for, Interval)
    oldest = _oldest(life, after=after, before=before, limit=limit).cte("oldest").prefix_with("MATERIALIZED")
    # By where they lie, as an array: a row that is locked stays there. Joined to the table, as any other key would be,
    # PostgreSQL may find it quicker to read the table from end to end with all of them locked, or ask anew for each row
    # of it, and then all goes at once, whatever the limit.
    places = func.array(select(oldest.c.place).scalar_subquery())
    gone = delete(table).where(_place_in(table) == any_(places)).returning(literal_column("1").label("row")).cte("gone")
    counted = select(func.count()).select_from(gone).scalar_subquery()
    newest = select(func.max(oldest.c.since)).scalar_subquery()
    # Locks last until the commit is on the disk, unless it may get there later. After a crash what is gone may be back,
    # and its watermark with it: it goes again.
    unhurried = func.set_config("synchronous_commit", "off", true())
    return select(counted, newest, unhurried).add_cte(_noted(life.setting, before, gone))


def _oldest(life: Life, *, after: datetime, before: ColumnElement[Any], limit: int) -> Select[Any]:
    return (
        select(_place_in(life.table.__table__).label("place"), life.since.label("since"))
        # What was forgotten just now still has its place in the index, and is not looked at again.
        .where(life.over, life.since >= after, life.since < before)
        .order_by(life.since)
        # Spelt out: of an unknown limit PostgreSQL expects a tenth of the table, and would rather sort all of it.
        .limit(bindparam("limit", limit, Integer, literal_execute=True))
        # What somebody holds is looked at again in an hour.
        .with_for_update(of=life.table, skip_locked=True)
    )


def _place_in(table: FromClause) -> ColumnElement[Any]:
    return literal_column(f"{table}.ctid")


def _noted(name: str, before: ColumnElement[Any], gone: CTE) -> CTE:
    # The invariants ask: what is older may be gone by right.
    marked = select(literal(name), before).where(exists(select(gone)))
    row = insert(Watermark).from_select([Watermark.name, Watermark.at], marked)
    latest = {"at": func.greatest(Watermark.at, row.excluded.at)}
    return (
        row.on_conflict_do_update(index_elements=[Watermark.name], set_=latest).returning(Watermark.name).cte("noted")
    )
