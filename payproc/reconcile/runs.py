"""Runs: one at a time, page by page, each page's effect and the place after it in one transaction.

A run that dies goes on from the page it had reached. Nothing is asked of a provider while a transaction is open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.models import Loop, Payment, ReconciliationRun, RunState, SeenKey
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import Conflict, OperationNotSupported
from payproc.providers.base import Provider
from payproc.providers.listing import Listing, Unreadable, Window
from payproc.reconcile import findings
from payproc.reconcile.rate_limit import RateLimit

# What the periods of runs begin with that a person started.
_BY_HAND = "by hand"
# Longer than the longest page can take. Whoever has not touched its run for so long is gone.
_ABANDONED_AFTER = timedelta(minutes=5)

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a step needs to ask a provider: no session."""

    app: Application
    method: PaymentMethod
    run_id: str
    window: Window
    rate_limit: RateLimit = field(default_factory=RateLimit)

    @property
    def provider(self) -> Provider:
        """The provider that is compared."""
        return self.app.provider(self.method)

    @property
    def listing(self) -> Listing:
        """The provider, as one that can list what it has. Raises OperationNotSupported."""
        provider = self.provider
        if not isinstance(provider, Listing):
            raise OperationNotSupported(f"{self.method} cannot list what it has.")
        return provider

    @property
    def is_ours(self) -> ColumnElement[bool]:
        """Which payments: another environment's are at another gateway, which would say that there are none."""
        of_environment = Payment.environment == self.app.settings.environment
        return (Payment.payment_method == self.method) & of_environment

    @property
    def is_of_gateway(self) -> ColumnElement[bool]:
        """Which payments are at the gateway that is asked: live ones, or those of its test."""
        return self.is_ours & Payment.live_mode.is_(self.provider.live_mode)


@dataclass(frozen=True, kw_only=True)
class Batch(Generic[Item]):
    """What a step has fetched, and where it goes on; None when there is no more."""

    items: Sequence[Item]
    cursor: str | None
    unreadable: tuple[Unreadable, ...] = ()
    # How many were compared, where an item may be only a part of what is.
    compared: int | None = None


@dataclass(frozen=True, kw_only=True)
class Step(Generic[Item]):
    """One list to go through: `fetch` asks, with no transaction open, and `settle` writes, with nobody asked."""

    name: str
    fetch: Callable[[Work, str | None], Batch[Item]]
    settle: Callable[[Session, Work, ReconciliationRun, Batch[Item]], None]


# Steps of different items stand in one list; each is handed only what it fetched itself.
Steps = Sequence[Step[Any]]


def begin(
    app: Application,
    loop: Loop,
    method: PaymentMethod,
    *,
    period: str,
    window: Window,
    dry_run: bool = False,
) -> ReconciliationRun:
    """Return the run of this period, made now unless it was made before.

    Raises Conflict while another run of this loop is going on.
    """
    with app.database.transaction() as session:
        mine = _of_period(session, loop, method, period)
        if mine is not None:
            return mine
        _clear_the_way(session, loop, method)
        session.execute(
            insert(ReconciliationRun)
            .values(
                loop=loop,
                provider=method,
                period=period,
                dry_run=dry_run,
                state=RunState.RUNNING,
                window_begin=window.begin,
                window_end=window.end,
            )
            .on_conflict_do_nothing()
        )
        mine = _of_period(session, loop, method, period)
    if mine is None:
        raise _under_way(loop, method)
    return mine


def _of_period(session: Session, loop: Loop, method: PaymentMethod, period: str) -> ReconciliationRun | None:
    query = select(ReconciliationRun).where(_is_of(loop, method), ReconciliationRun.period == period)
    return session.scalar(query)


def _is_of(loop: Loop, method: PaymentMethod) -> ColumnElement[bool]:
    return (ReconciliationRun.loop == loop) & (ReconciliationRun.provider == method)


def _clear_the_way(session: Session, loop: Loop, method: PaymentMethod) -> None:
    session.execute(
        update(ReconciliationRun)
        .where(
            _is_of(loop, method),
            ReconciliationRun.state == RunState.RUNNING,
            ReconciliationRun.touched_at < func.now() - _ABANDONED_AFTER,
        )
        .values(state=RunState.ABANDONED, finished_at=func.now())
        .execution_options(synchronize_session=False)
    )


def _under_way(loop: Loop, method: PaymentMethod) -> Conflict:
    return Conflict(
        f"A run of {loop} over {method} is going on; wait until it is done.", code="reconciliation_under_way"
    )


def by_hand(now: datetime) -> str:
    """Name the period of a run that a person starts."""
    return f"{_BY_HAND} at {now.isoformat()}"


def last_end(session: Session, loop: Loop, method: PaymentMethod) -> Any:  # noqa: ANN401 (a time, or None)
    """Return until when the newest finished run of a loop has looked (UTC).

    Those started by hand do not count: they begin where they were told to, and what lies before may be unseen.
    """
    return session.scalar(
        select(func.max(ReconciliationRun.window_end)).where(
            _is_of(loop, method),
            ReconciliationRun.state == RunState.DONE,
            ReconciliationRun.dry_run.is_(False),
            ~ReconciliationRun.period.startswith(_BY_HAND),
        )
    )


def resume(
    app: Application,
    run_id: str,
    steps: Steps,
    *,
    enough: Callable[[], bool] = lambda: False,
    progress: Callable[[ReconciliationRun], None] = lambda _: None,
) -> ReconciliationRun:
    """Go on with a run from where it stands, until it is done or `enough` says so after a page.

    Raises ProviderUnavailable or RequestRefused: the run stands where it was, and can be resumed. Raises Conflict
    where somebody else has moved it meanwhile.
    """
    work, run = _work_of(app, run_id)
    by_name = {step.name: step for step in steps}
    while run.state is RunState.RUNNING:
        place = run.position or {"step": steps[0].name, "cursor": None}
        step = by_name[place["step"]]
        asked_before = work.rate_limit.calls
        batch = step.fetch(work, place["cursor"])
        run = _settled(work, run, step, batch, steps=steps, calls=work.rate_limit.calls - asked_before)
        progress(run)
        if enough():
            break
    return run


def _work_of(app: Application, run_id: str) -> tuple[Work, ReconciliationRun]:
    with app.database.transaction() as session:
        run = session.get_one(ReconciliationRun, run_id)
    window = Window(begin=run.window_begin, end=run.window_end)
    return Work(app=app, method=PaymentMethod(run.provider), run_id=run.id, window=window), run


def _settled(
    work: Work, before: ReconciliationRun, step: Step[Any], batch: Batch[Any], *, steps: Steps, calls: int
) -> ReconciliationRun:
    with work.app.database.transaction() as session:
        run = session.get_one(ReconciliationRun, before.id, with_for_update=True)
        if run.state is not RunState.RUNNING or run.position != before.position:
            raise _under_way(run.loop, work.method)
        step.settle(session, work, run, batch)
        findings.count(run, "compared", step.name, by=len(batch.items) if batch.compared is None else batch.compared)
        run.calls += calls
        run.touched_at = session.scalars(select(func.now())).one()
        run.position = _after(step, batch, steps)
        if run.position is None:
            _finish(session, work, run)
        return run


def _after(step: Step[Any], batch: Batch[Any], steps: Steps) -> dict[str, Any] | None:
    if batch.cursor is not None:
        return {"step": step.name, "cursor": batch.cursor}
    names = [each.name for each in steps]
    following = names[names.index(step.name) + 1 :]
    return {"step": following[0], "cursor": None} if following else None


def _finish(session: Session, work: Work, run: ReconciliationRun) -> None:
    if not run.dry_run:
        findings.count(run, "closed", "gone", by=findings.close_what_is_gone(session, run))
        if operators := work.app.settings.operator_mail:
            findings.stage_mails(session, run, operator_mail=operators)
    session.execute(delete(SeenKey).where(SeenKey.run_id == run.id).execution_options(synchronize_session=False))
    run.state = RunState.DONE
    run.finished_at = run.touched_at
