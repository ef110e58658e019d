"""`job`: work that is due, done or given up."""

from typing import Annotated, Any

import typer
from sqlalchemy import select

from payproc import jobs
from payproc.cli.terminal.edge import Id, Json, Limit, application, find, line, transaction
from payproc.cli.terminal.rendering import show_item, show_list
from payproc.database.models import Job, JobState
from payproc.errors import InvalidRequest
from payproc.flows.doubt import doubt_unsent
from payproc.operations import actions

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("id", "kind", "subject", "state", "due_at", "attempts", "last_error")


@app.command("list")
def list_jobs(
    *,
    state: Annotated[JobState | None, typer.Option()] = None,
    kind: Annotated[jobs.Kind | None, typer.Option()] = None,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(Job.state == state)
    if kind is not None:
        query = query.where(Job.kind == kind)
    with transaction() as session:
        found = list(session.scalars(query))
    show_list("jobs", [_row(job) for job in found[:limit]], columns=_COLUMNS, more=len(found) > limit, json=json)


@app.command()
def requeue(
    job_id: Annotated[str | None, typer.Argument()] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that are dead, once their cause is mended.")] = False,
    kind: Annotated[jobs.Kind | None, typer.Option(help="With --all: only those of one kind.")] = None,
    json: Json = False,
) -> None:
    """Make a dead job due now, with a clean slate; or, with --all, every one."""
    if every is bool(job_id) or (kind is not None and not every):
        raise InvalidRequest("Name one job, or say --all, perhaps with --kind.")
    with transaction() as session:
        if job_id:
            requeued = [find(session, Job, job_id, noun="job")]
            actions.requeue_job(session, requeued[0])
        else:
            requeued = actions.requeue_dead_jobs(session, kind=kind)
    if every:
        show_list("jobs", [_row(job) for job in requeued], columns=_COLUMNS, more=False, json=json)
    else:
        show_item(_row(requeued[0]), json=json)


@app.command()
def bury(job_id: Id, *, reason: Annotated[str, typer.Option(callback=line)], json: Json = False) -> None:
    """Set a job aside. A payment that was waiting for it opens a review."""
    with transaction() as session:
        job = find(session, Job, job_id, noun="job")
        actions.bury_job(session, job, reason=reason)
    show_item(_row(job), json=json)


@app.command()
def doubt(*, json: Json = False) -> None:
    """After a restore, before any worker runs: have what is still to be sent asked about first.

    Wallet charges and refunds that may have been sent in the time that was forgotten (docs/runbooks/restore.md).
    """
    with application() as core, core.database.transaction() as session:
        doubted = doubt_unsent(core, session)
    show_item({"wallet_charges": doubted.pushes, "refunds": doubted.refunds}, json=json)


def _row(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "subject": job.subject,
        "state": job.state,
        "due_at": job.due_at,
        "attempts": job.attempts,
        "strikes": job.crashes,
        "leased_until": job.leased_until,
        "last_error": job.last_error,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }
