"""What the clock starts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from payproc.jobs import Kind
from payproc.operations import clock
from tasks.app import app, application, run

Jobs = Sequence[Mapping[str, str]]


@app.task(name="clock.tick")
def tick(kind: str) -> bool:
    """Stage this period's clock work, once however often it is rung."""
    with application().database.transaction() as session:
        return clock.tick(session, Kind(kind), now=datetime.now(UTC))


@app.task(name="clock.prune")
def prune(jobs: Jobs) -> int:
    """Forget what nobody will ask for again."""
    return run(jobs)


@app.task(name="clock.check_invariants")
def check_invariants(jobs: Jobs) -> int:
    """Check that the promises hold."""
    return run(jobs)


@app.task(name="clock.digest")
def digest(jobs: Jobs) -> int:
    """Tell the operators what waits for them."""
    return run(jobs)
