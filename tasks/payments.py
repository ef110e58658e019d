"""What is done about payments at their provider."""

from collections.abc import Mapping, Sequence

from tasks.app import app, run

Jobs = Sequence[Mapping[str, str]]


@app.task(name="payment.start")
def start(jobs: Jobs) -> int:
    """Carry new payments to their provider."""
    return run(jobs)


# A wallet may hold the call until the customer has typed the MPIN: PUSH_TIMEOUT, 105 s at most, and a connection
# before it. The lease of such a job is that much longer than others', 190 s as it comes.
@app.task(name="payment.push", soft_time_limit=125, time_limit=135)
def push(jobs: Jobs) -> int:
    """Send new payments to their customers' wallets, each once."""
    return run(jobs)


@app.task(name="payment.inquire")
def inquire(jobs: Jobs) -> int:
    """Ask the provider how open payments stand."""
    return run(jobs)


@app.task(name="payment.cancel")
def cancel(jobs: Jobs) -> int:
    """Call open payments off."""
    return run(jobs)
