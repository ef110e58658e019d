"""What is done to hold our rows against what providers have."""

from collections.abc import Mapping, Sequence

from tasks.app import app, run

Jobs = Sequence[Mapping[str, str]]


@app.task(name="reconcile.events")
def events(jobs: Jobs) -> int:
    """Fetch notices that never arrived."""
    return run(jobs)


@app.task(name="reconcile.objects")
def objects(jobs: Jobs) -> int:
    """Compare the last day's payments, refunds and disputes."""
    return run(jobs)


@app.task(name="reconcile.all_objects")
def all_objects(jobs: Jobs) -> int:
    """Compare those of the last weeks: a refund may fail for a month."""
    return run(jobs)


@app.task(name="reconcile.money")
def money(jobs: Jobs) -> int:
    """Bring the lines of the balance into the ledger, and add up payouts."""
    return run(jobs)


@app.task(name="reconcile.wallets")
def wallets(jobs: Jobs) -> int:
    """Ask the wallets, which list nothing, about late payments and a sample of the ended ones."""
    return run(jobs)
