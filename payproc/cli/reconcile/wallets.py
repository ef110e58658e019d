"""`reconcile wallets`: ask a wallet about its payments, or hold a statement from its portal against ours."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.cli.terminal.edge import REFUSED, Json, application
from payproc.cli.terminal.progress import watched
from payproc.cli.terminal.rendering import harmless, show_document, show_table, show_text
from payproc.database.models import Loop, ReconciliationFinding, ReconciliationRun, RunState
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import Conflict, InvalidRequest
from payproc.reconcile import runs
from payproc.reconcile.objects import inquiries
from payproc.reconcile.schedule import asked_methods
from payproc.reconcile.statements import importer
from payproc.reconcile.statements.files import StatementInvalid

_LONGEST_LIST = 200
_COLUMNS = ("kind", "ours", "theirs", "detail", "repair")


def reconcile_wallets(
    *,
    statement: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file from the wallet's portal (docs/statements.md).")
    ] = None,
    method: Annotated[
        str | None, typer.Option(metavar="METHOD", help="jazz_cash or easy_paisa; every wallet unless said.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Ask the wallets about late payments and a sample of the ended ones, or import a statement."""
    with application() as core:
        methods = _methods(core, method)
        if statement is None:
            found = [_ask(core, each, dry_run=dry_run) for each in methods]
        elif len(methods) == 1:
            found = [_import(core, methods[0], statement, dry_run=dry_run)]
        else:
            raise InvalidRequest("Say with --method whose statement it is.", field="method")
        shown = [_shown(core, run) for run in found]
    if json:
        show_document({"runs": shown})
        return
    for document in shown:
        _print(document)


def _methods(core: Application, method: str | None) -> list[PaymentMethod]:
    wallets_here = asked_methods(core)
    if method is None:
        return wallets_here
    if method not in wallets_here:
        raise InvalidRequest(f"{method} is no wallet that is set up here.", code="method_unknown", field="method")
    return [PaymentMethod(method)]


def _ask(core: Application, method: PaymentMethod, *, dry_run: bool) -> ReconciliationRun:
    now = datetime.now(UTC)
    window = inquiries.window(now)
    run = runs.begin(core, Loop.WALLETS, method, period=runs.by_hand(now), window=window, dry_run=dry_run)
    with watched(f"asking {method}") as moved:
        return runs.resume(core, run.id, inquiries.STEPS, progress=moved)


def _import(core: Application, method: PaymentMethod, path: Path, *, dry_run: bool) -> ReconciliationRun:
    with watched(f"importing {path.name}") as moved:
        try:
            run = importer.import_statement(
                core, method, path, dry_run=dry_run, progress=lambda run, read: moved(run, of=read.lines)
            )
        except StatementInvalid as invalid:
            for line in invalid.bad_lines:
                typer.echo(harmless(str(line)), err=True)
            typer.echo(f"error: {len(invalid.bad_lines)} bad lines, nothing was imported", err=True)
            raise typer.Exit(REFUSED) from None
    if run.state is not RunState.DONE:
        raise Conflict(f"The import {run.id} is {run.state}: begin again.")
    return run


def _shown(core: Application, run: ReconciliationRun) -> dict[str, Any]:
    with core.database.transaction() as session:
        rows = list(run.sample) if run.dry_run else _findings(session, run)
    return {
        "run": run.id,
        "method": run.provider,
        "state": run.state,
        "dry_run": run.dry_run,
        "begin": run.window_begin,
        "end": run.window_end,
        "counts": run.counts,
        "findings": rows,
    }


def _findings(session: Session, run: ReconciliationRun) -> list[dict[str, Any]]:
    query = (
        select(ReconciliationFinding)
        .where(ReconciliationFinding.run_id == run.id)
        .order_by(ReconciliationFinding.kind, ReconciliationFinding.id)
        .limit(_LONGEST_LIST)
    )
    return [
        {name: getattr(finding, name) for name in _COLUMNS[:-1]}
        | {"repair": "none" if finding.repaired_at is None else "made"}
        for finding in session.scalars(query)
    ]


def _print(document: dict[str, Any]) -> None:
    counted = [
        f"{number} {name}"
        for group in ("compared", "lines", "found", "repaired", "closed")
        for name, number in document["counts"].get(group, {}).items()
    ]
    dry = ", nothing was changed" if document["dry_run"] else ""
    show_text(f"{document['method']}, run {document['run']}{dry}: {', '.join(counted) or 'nothing to compare'}.")
    if not document["findings"]:
        show_text("No new differences.")
        return
    show_table(_COLUMNS, ([row[column] for column in _COLUMNS] for row in document["findings"]))
