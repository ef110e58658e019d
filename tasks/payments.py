"""What is done about payments at their provider."""

from collections.abc import Mapping, Sequence

from tasks.app import app, run

Jobs = Sequence[Mapping[str, str]]


@app.task(name="payment.start")
def start(jobs: Jobs) -> int:
    """Carry new payments to their provider."""
    return run(jobs)


@app.task(name="payment.inquire")
def inquire(jobs: Jobs) -> int:
    """Ask the provider how open payments stand."""
    return run(jobs)


@app.task(name="payment.cancel")
def cancel(jobs: Jobs) -> int:
    """Call open payments off."""
    return run(jobs)
