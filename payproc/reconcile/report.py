"""What is told of reconciliation: runs, findings, how they drift from day to day, and where it stands."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TypeVar

from sqlalchemy import Interval, ScalarResult, Select, func, select, text, tuple_, type_coerce
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import InstrumentedAttribute, Session

from payproc.database.models import FindingKind, Loop, ReconciliationFinding, ReconciliationRun
from payproc.domain.csv import csv_line
from payproc.domain.pagination import cursor_of, read_cursor
from payproc.errors import NotFound
from payproc.reconcile.classification import Severity, severity_of

Row = TypeVar("Row", bound=ReconciliationRun | ReconciliationFinding)

REPAIRED_OVER = timedelta(days=30)
_AT_ONCE = 1000

_COLUMNS = (
    "id",
    "severity",
    "kind",
    "provider",
    "loop",
    "ours",
    "theirs",
    "payment_id",
    "detail",
    "subject_at",
    "opened_at",
    "repaired_at",
    "closed_at",
    "run_id",
)


@dataclass(frozen=True, kw_only=True)
class RunPage:
    """Runs, and where the next page begins; None on the last."""

    runs: list[ReconciliationRun]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which findings; None asks nothing."""

    is_open: bool | None = None
    kinds: frozenset[FindingKind] | None = None
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class FindingPage:
    """Findings, and where the next page begins; None on the last."""

    findings: list[ReconciliationFinding]
    next_cursor: str | None


def runs(session: Session, *, limit: int, cursor: str | None = None) -> RunPage:
    """Return up to `limit` runs, newest first. Raises InvalidRequest for a cursor that is not one of ours."""
    query = select(ReconciliationRun).order_by(ReconciliationRun.started_at.desc(), ReconciliationRun.id.desc())
    found, following = _page(session, query, ReconciliationRun.started_at, limit=limit, cursor=cursor)
    return RunPage(runs=found, next_cursor=following)


def run(session: Session, run_id: str) -> ReconciliationRun:
    """Return one run. Raises NotFound."""
    found = session.get(ReconciliationRun, run_id)
    if found is None:
        raise NotFound(f"There is no run {run_id}.", code="run_not_found", subject=run_id)
    return found


def findings(session: Session, wanted: Wanted, *, limit: int, cursor: str | None = None) -> FindingPage:
    """Return up to `limit` findings, newest first. Raises InvalidRequest for a cursor that is not one of ours."""
    found, following = _page(session, _wanted(wanted), ReconciliationFinding.opened_at, limit=limit, cursor=cursor)
    return FindingPage(findings=found, next_cursor=following)


def _page(
    session: Session, query: Select[Row], at: InstrumentedAttribute[datetime], *, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    if cursor is not None:
        query = query.where(tuple_(at, at.class_.id) < read_cursor(cursor))
    found = list(session.scalars(query.limit(limit + 1)))
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], cursor_of(getattr(last, at.key), last.id) if last else None


def every_finding(session: Session, wanted: Wanted) -> ScalarResult[ReconciliationFinding]:
    """Find them all, newest first.

    The query runs at once. A thousand rows are in memory at a time, and the session must stay open until the last;
    whoever may stop before it closes the result.
    """
    return session.scalars(_wanted(wanted), execution_options={"yield_per": _AT_ONCE})


def _wanted(wanted: Wanted) -> Select[ReconciliationFinding]:
    query = select(ReconciliationFinding).order_by(
        ReconciliationFinding.opened_at.desc(), ReconciliationFinding.id.desc()
    )
    if wanted.is_open is not None:
        is_open = ReconciliationFinding.closed_at.is_(None)
        query = query.where(is_open if wanted.is_open else ~is_open)
    if wanted.kinds is not None:
        query = query.where(ReconciliationFinding.kind.in_(wanted.kinds))
    if wanted.run_id is not None:
        query = query.where(ReconciliationFinding.run_id == wanted.run_id)
    return query


def as_csv(found: Iterable[ReconciliationFinding]) -> Iterator[str]:
    """Write one line a finding; times are UTC."""
    yield csv_line(_COLUMNS)
    for finding in found:
        shown = [severity_of(finding.kind) if name == "severity" else getattr(finding, name) for name in _COLUMNS]
        yield csv_line(_cell(value) for value in shown)


def _cell(value: str | datetime | None) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value or ""


@dataclass(frozen=True, kw_only=True)
class DriftOfKind:
    """What became of one kind on one day."""

    kind: FindingKind
    opened: int
    repaired: int
    open_at_end: int


@dataclass(frozen=True, kw_only=True)
class DriftDay:
    """One day (UTC) and the kinds of which there was any."""

    day: date
    kinds: tuple[DriftOfKind, ...]

    def opened(self, severity: Severity) -> int:
        """How many of a severity were opened."""
        return sum(each.opened for each in self.kinds if severity_of(each.kind) is severity)

    @property
    def repaired(self) -> int:
        """How many were repaired."""
        return sum(each.repaired for each in self.kinds)

    @property
    def open_at_end(self) -> int:
        """How many were open when it ended, or are now."""
        return sum(each.open_at_end for each in self.kinds)


# A finding is joined to each day on which it was open for any time; one repaired is closed at that moment. `recent` is
# looked through once a day: what was over before the first of them is left out of it.
_DRIFT = text("""
    WITH days AS (
        SELECT today - make_interval(days => number) AS day
        FROM (SELECT date_trunc('day', now(), 'UTC') AS today) AS clock, generate_series(0, :days - 1) AS number
    ),
    recent AS MATERIALIZED (
        SELECT kind, opened_at, repaired_at, closed_at
        FROM reconciliation_findings
        WHERE closed_at IS NULL OR closed_at >= (SELECT min(day) FROM days)
    )
    SELECT (day AT TIME ZONE 'UTC')::date, kind,
        count(*) FILTER (WHERE opened_at >= day) AS opened,
        count(*) FILTER (WHERE repaired_at < day + interval '1 day') AS repaired,
        count(*) FILTER (WHERE closed_at IS NULL OR closed_at >= day + interval '1 day') AS open_at_end
    FROM days LEFT JOIN recent
        ON opened_at < day + interval '1 day' AND (closed_at IS NULL OR closed_at >= day)
    GROUP BY day, kind
    ORDER BY day, kind
""")


def drift(session: Session, *, days: int) -> list[DriftDay]:
    """Count each day's findings by kind: opened, repaired, and open at its end. Oldest first, the last day is today."""
    rows = session.execute(_DRIFT, {"days": days}).all()
    return [
        DriftDay(
            day=day,
            kinds=tuple(
                DriftOfKind(kind=FindingKind(kind), opened=opened, repaired=repaired, open_at_end=open_at_end)
                for _, kind, opened, repaired, open_at_end in of_day
                if kind is not None
            ),
        )
        for day, of_day in groupby(rows, key=lambda row: row[0])
    ]


@dataclass(frozen=True, kw_only=True)
class LastRun:
    """The newest run that came to its end of a loop over a provider. `age` is since then."""

    loop: Loop
    provider: str
    age: timedelta
    took: timedelta
    calls: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Where reconciliation stands: what is open, what was repaired of late, and when each loop was last done."""

    open_by_kind: dict[FindingKind, int]
    repaired: int
    last_runs: list[LastRun]

    def open_of(self, severity: Severity) -> int:
        """How many of a severity are open."""
        return sum(count for kind, count in self.open_by_kind.items() if severity_of(kind) is severity)

    @property
    def open(self) -> int:
        """How many are open."""
        return sum(self.open_by_kind.values())


def summary(session: Session) -> Summary:
    """Say where reconciliation stands now."""
    repaired = select(func.count()).where(ReconciliationFinding.repaired_at >= func.now() - REPAIRED_OVER)
    return Summary(
        open_by_kind=open_by_kind(session),
        repaired=session.scalars(repaired).one(),
        last_runs=last_runs(session),
    )


def open_by_kind(session: Session) -> dict[FindingKind, int]:
    """Count the open findings; of every kind, of most of them none."""
    counted = (
        select(ReconciliationFinding.kind, func.count())
        .where(ReconciliationFinding.closed_at.is_(None))
        .group_by(ReconciliationFinding.kind)
    )
    counts = {kind: count for kind, count in session.execute(counted)}  # noqa: C416 (a row is no pair to mypy)
    return {kind: counts.get(kind, 0) for kind in FindingKind}


def count_open(session: Session, *, provider: str, loops: Collection[Loop]) -> int:
    """Count what these loops have found over a provider and is still open."""
    counted = select(func.count()).where(
        ReconciliationFinding.closed_at.is_(None),
        ReconciliationFinding.provider == provider,
        ReconciliationFinding.loop.in_(loops),
    )
    return session.scalars(counted).one()


# As its index says it: a parameter would not be proven to fit.
_DONE = text("reconciliation_runs.state = 'done' AND NOT reconciliation_runs.dry_run")


def last_runs(session: Session) -> list[LastRun]:
    """Return the newest finished run of each loop and provider; a dry run keeps no promise, and is none."""
    newest = (
        select(
            ReconciliationRun.loop,
            ReconciliationRun.provider,
            type_coerce(func.now() - ReconciliationRun.finished_at, Interval()),
            type_coerce(ReconciliationRun.finished_at - ReconciliationRun.started_at, Interval()),
            ReconciliationRun.calls,
        )
        .where(_DONE)
        .ext(distinct_on(ReconciliationRun.loop, ReconciliationRun.provider))
        .order_by(ReconciliationRun.loop, ReconciliationRun.provider, ReconciliationRun.finished_at.desc())
    )
    found = [
        LastRun(loop=loop, provider=provider, age=age, took=took, calls=calls)
        for loop, provider, age, took, calls in session.execute(newest)
    ]
    places = {loop: place for place, loop in enumerate(Loop)}
    return sorted(found, key=lambda each: (places[each.loop], each.provider))
