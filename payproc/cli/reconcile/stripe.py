"""`reconcile`: hold our rows against what a provider has, and read what was found."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from payproc import jobs
from payproc.application import Application
from payproc.cli.terminal.edge import Id, Json, Limit, application, find, line, moment, transaction, written
from payproc.cli.terminal.progress import counted, differences, watched
from payproc.cli.terminal.rendering import show_document, show_item, show_list, show_table, show_text
from payproc.database.models import FindingKind, Loop, ReconciliationFinding, ReconciliationRun, RunState
from payproc.errors import Conflict, InvalidRequest, ProviderError, ProviderUnavailable
from payproc.providers.listing import Window
from payproc.providers.stripe import STRIPE
from payproc.reconcile import report, runs
from payproc.reconcile.classification import severity_of
from payproc.reconcile.objects import steps as objects
from payproc.reconcile.report import Wanted
from payproc.reconcile.schedule import PLANS
from payproc.records.reviews import accept_finding

DIFFERENCES, INTERRUPTED = 4, 130

_RUN_TIMES = ("window_begin", "window_end", "started_at", "finished_at")
_RUN = ("id", "loop", "provider", "period", "state", "dry_run", *_RUN_TIMES)
_RUN_COLUMNS = ("id", "loop", "provider", "state", "dry_run", "started_at", "took", "calls", "found", "repaired")
_FINDING_TIMES = ("opened_at", "repaired_at", "closed_at")
_FINDING = ("kind", "provider", "loop", "ours", "theirs", "payment_id", "detail", "subject_at", "run_id")
_FINDING_COLUMNS = ("id", "severity", "kind", "ours", "theirs", "detail", "opened_at")

Remake = Annotated[
    bool, typer.Option("--remake", help="After a restore: write payments down again that are missing here.")
]

app = typer.Typer(no_args_is_help=True)


class Which(StrEnum):
    """What of Stripe's is compared."""

    EVENTS = Loop.EVENTS
    OBJECTS = Loop.OBJECTS
    MONEY = Loop.MONEY
    ALL = "all"


# The nightly look, over 45 days, is the clock's alone.
_KINDS = (jobs.Kind.RECONCILE_EVENTS, jobs.Kind.RECONCILE_OBJECTS, jobs.Kind.RECONCILE_MONEY)
_PLANS = {plan.loop: plan for plan in (PLANS[kind] for kind in _KINDS)}


@app.callback()
def about() -> None:
    """Hold our rows against what providers have, and read what was found."""


@app.command()
def stripe(
    *,
    which: Annotated[Which, typer.Option("--loop", help="What to compare.")] = Which.ALL,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From when on, such as 2026-01-31T00:00:00Z.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until when; a few minutes ago unless said.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")] = False,
    remake: Remake = False,
    json: Json = False,
) -> None:
    """Compare with Stripe here and now, and repair what may be repaired.

    Exits with 0 when no difference is open, with 4 when any stays open, and with 1 when it could not be done: what
    was begun is carried on by `reconcile resume`.
    """
    now = datetime.now(UTC)
    begin, end = _past(since, "--since", now), _past(until, "--until", now)
    with application() as core:
        loops = list(_PLANS) if which is Which.ALL else [Loop(which)]
        # Every window before the first run: a wrong time must not be found out after half of the work.
        windows = {loop: _window(core, loop, now, begin, end) for loop in loops}
        period = runs.by_hand(now)
        done = []
        for loop, window in windows.items():
            begun = runs.begin(core, loop, STRIPE, period=period, window=window, dry_run=dry_run)
            done.append(_resume(core, begun, remake=remake))
        _conclude(core, done, json=json)


@app.command()
def resume(
    run_id: Annotated[str, typer.Argument(metavar="RUN", callback=written)],
    *,
    remake: Remake = False,
    json: Json = False,
) -> None:
    """Carry a run over Stripe on from the page it had reached. Exits as `reconcile stripe` does.

    A run that nobody has touched for five minutes gives way to the next one of its loop.
    """
    with application() as core:
        with core.database.transaction() as session:
            run = report.run(session, run_id)
        if run.provider != STRIPE or run.loop not in _PLANS:
            raise Conflict(f"Run {run.id} is no run over Stripe: start it anew.", code="run_of_another")
        if run.state is not RunState.RUNNING:
            raise Conflict(f"Run {run.id} is {run.state}; only one that is running is carried on.", code="run_ended")
        _conclude(core, [_resume(core, run, remake=remake)], json=json)


@app.command()
def show(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]")] = None,
    *,
    open_findings: Annotated[bool, typer.Option("--findings", help="The open findings, instead of runs.")] = False,
    kind: Annotated[FindingKind | None, typer.Option(help="Only open findings of this kind.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every open finding, as CSV.")] = False,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """Show the newest runs, one run with its counts, or what is open (of one run: what it was the first to find)."""
    wanted = Wanted(is_open=True, kinds=frozenset({kind}) if kind else None, run_id=run_id)
    if as_csv and json:
        raise InvalidRequest("--csv and --json are two forms: leave one of them out.")
    with transaction() as session:
        run = report.run(session, run_id) if run_id is not None else None
        if as_csv:
            for line in report.as_csv(report.every_finding(session, wanted)):
                typer.echo(line, nl=False)
            return
        if open_findings or kind is not None:
            found = report.findings(session, wanted, limit=limit)
            rows, more = [_finding(each) for each in found.findings], found.next_cursor is not None
            show_list("findings", rows, columns=_FINDING_COLUMNS, more=more, json=json)
            return
        if run is not None:
            _show_run(run, json=json)
            return
        page = report.runs(session, limit=limit)
    more = page.next_cursor is not None
    show_list("runs", [_row(each) for each in page.runs], columns=_RUN_COLUMNS, more=more, json=json)


@app.command()
def resolve(
    finding_id: Id,
    *,
    resolution: Annotated[str, typer.Option(callback=line, help="Why, for those who ask later.")],
    json: Json = False,
) -> None:
    """Accept a difference as it is: its finding and its question are closed, and nothing is mended.

    A later run that meets it in the same words leaves it closed; one that meets it in others opens it again.
    """
    with transaction() as session:
        finding = find(session, ReconciliationFinding, finding_id, noun="finding")
        if finding.closed_at is not None:
            raise Conflict(f"Finding {finding.id} is closed already.", code="finding_closed", subject=finding.id)
        accept_finding(session, finding, resolution=resolution)
    show_item(_finding(finding) | {"resolution": resolution}, json=json)


def _past(text: str | None, option: str, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        given = moment(text, option).astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(f"{option} {text} is out of all time.") from None
    if given > now:
        raise InvalidRequest(f"{option} {text} is still to come.")
    return given


def _window(core: Application, loop: Loop, now: datetime, since: datetime | None, until: datetime | None) -> Window:
    """Return what the clock's next run would look at, with the times that were given instead."""
    with core.database.transaction() as session:
        last = runs.last_end(session, loop, STRIPE)
    usual = _PLANS[loop].window(now, last)
    begin, end = since or usual.begin, until or usual.end
    if begin >= end:
        between = " and ".join(each.isoformat(timespec="seconds") for each in (begin, end))
        raise InvalidRequest(f"Nothing lies between {between} for {loop}: give other times.")
    return Window(begin=begin, end=end)


def _resume(core: Application, run: ReconciliationRun, *, remake: bool) -> ReconciliationRun:
    steps = objects.REMAKING if remake and run.loop is Loop.OBJECTS else _PLANS[run.loop].steps
    with _standing(run, remake=remake), watched(f"{run.provider} {run.loop}") as moved:
        return runs.resume(core, run.id, steps, progress=moved)


@contextmanager
def _standing(run: ReconciliationRun, *, remake: bool) -> Iterator[None]:
    """Say how a run that stops before its end is carried on."""
    command = f"python -m payproc reconcile resume {shlex.quote(run.id)}{' --remake' if remake else ''}"
    try:
        yield
    except ProviderError as trouble:
        said = f"{trouble.message.rstrip('.')}. The run over {run.loop} stands where it was; carry it on: {command}"
        raise ProviderUnavailable(said, code=trouble.code) from trouble
    except KeyboardInterrupt:
        typer.echo(f"Interrupted. The run over {run.loop} stands after its last page; carry it on: {command}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _conclude(core: Application, done: Sequence[ReconciliationRun], *, json: bool) -> None:
    left = _left_open(core, done)
    if json:
        show_document({"runs": [_details(run) for run in done], "open": left})
    else:
        _show_outcome(done)
        show_text("Nothing is open." if left == 0 else f"{left} open: python -m payproc reconcile show --findings")
    if left:
        raise typer.Exit(DIFFERENCES)


def _left_open(core: Application, done: Sequence[ReconciliationRun]) -> int:
    """How many differences stay open; a dry run has mended none of those it met."""
    if all(run.dry_run for run in done):
        return sum(differences(run) for run in done)
    with core.database.transaction() as session:
        return report.count_open(session, provider=STRIPE, loops=[run.loop for run in done])


def _show_outcome(done: Sequence[ReconciliationRun]) -> None:
    rows = [(run.loop, kind, found, repaired) for run in done for kind, found, repaired in _by_kind(run)]
    if rows:
        # What is repaired was found before.
        mended = "would be repaired" if done[0].dry_run else "repaired"
        show_table(("loop", "kind", "found", mended), rows)
    for run in done:
        compared = counted(run, "compared")
        show_text(f"{run.loop}: {compared} compared in {_seconds(run)} with {run.calls} calls, run {run.id}.")


def _by_kind(run: ReconciliationRun) -> list[tuple[str, int, int]]:
    left, mended = run.counts.get("found", {}), run.counts.get("repaired", {})
    return [(kind, left.get(kind, 0) + mended.get(kind, 0), mended.get(kind, 0)) for kind in sorted({*left, *mended})]


def _show_run(run: ReconciliationRun, *, json: bool) -> None:
    if json:
        show_document(_details(run))
        return
    show_item({name: value for name, value in _details(run).items() if name not in ("counts", "sample")}, json=False)
    counts = ((group, name, number) for group, names in run.counts.items() for name, number in names.items())
    show_table(("what", "of", "number"), counts)
    if run.sample:
        columns = ("kind", "ours", "theirs", "repair", "detail")
        show_table(columns, ([row[column] for column in columns] for row in run.sample))


def _row(run: ReconciliationRun) -> dict[str, Any]:
    row = {name: getattr(run, name) for name in _RUN}
    found, repaired = differences(run), counted(run, "repaired")
    return row | {"took": _seconds(run), "calls": run.calls, "found": found, "repaired": repaired}


def _details(run: ReconciliationRun) -> dict[str, Any]:
    return _row(run) | {"counts": run.counts, "sample": run.sample}


def _seconds(run: ReconciliationRun) -> str | None:
    return None if run.finished_at is None else f"{(run.finished_at - run.started_at) / timedelta(seconds=1):.1f}s"


def _finding(finding: ReconciliationFinding) -> dict[str, Any]:
    row = {name: getattr(finding, name) for name in (*_FINDING, *_FINDING_TIMES)}
    return {"id": finding.id, "severity": severity_of(finding.kind)} | row
