"""Celery's tasks: one for each kind of work, made from the table of kinds, and the clock's tick.

A worker is `celery -A tasks.tasks worker`. Who sends, ticks or looks on needs names alone, and loads `tasks.app`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from payproc.jobs import Kind
from payproc.operations import clock
from tasks import runner
from tasks.app import app as _app
from tasks.process import application
from tasks.time_limit import TimeLimitReached

# Under this name `celery -A tasks.tasks` finds it.
app = _app


@app.task(name="clock.tick")
def tick(kind: str) -> bool:
    """Stage this period's clock work, once however often it is asked for."""
    with application().database.transaction() as session:
        return clock.tick(session, Kind(kind), now=datetime.now(UTC))


def run(jobs: Sequence[Mapping[str, str]]) -> int:
    """Run a message's jobs, `{"job", "ring", "subject", "until"}` each; return how many were claimed.

    "ring" is the token, and "until" the end of what is good under it: one statement leased them all. A relay of an
    earlier release does not say it.
    """
    until = jobs[0].get("until")
    try:
        return runner.run(
            application(),
            [(job["job"], UUID(job["ring"])) for job in jobs],
            until=None if until is None else datetime.fromisoformat(until),
            kind=_kind_of_message(),
        )
    except TimeLimitReached:
        # Between two jobs, or before the first: their leases run out.
        return 0


def _kind_of_message() -> Kind | None:
    task = app.current_task
    return None if task is None else Kind(task.name)


for _kind in Kind:
    _limits = _kind.policy.limits
    app.task(run, name=_kind.value, soft_time_limit=_limits.soft, time_limit=_limits.hard)
