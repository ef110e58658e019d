"""What is done to give money back."""

from collections.abc import Mapping, Sequence

from tasks.app import app, run

Jobs = Sequence[Mapping[str, str]]


@app.task(name="refund.send")
def send(jobs: Jobs) -> int:
    """Send refunds to their provider, each once."""
    return run(jobs)


@app.task(name="refund.inquire")
def inquire(jobs: Jobs) -> int:
    """Ask the provider how refunds in doubt stand."""
    return run(jobs)
