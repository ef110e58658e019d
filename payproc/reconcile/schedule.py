"""Runs that the clock starts: each period once, in slices far shorter than a job's lease."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Loop, ReconciliationRun, RunState
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import Conflict, ProviderError
from payproc.providers.listing import Listing, Window
from payproc.reconcile import events, runs
from payproc.reconcile.balance import settlement
from payproc.reconcile.objects import inquiries
from payproc.reconcile.objects import steps as objects
from payproc.reconcile.runs import Steps

# A slice ends after the page that passes this; the longest page (25 s) and it stay below the soft limit of 50 s.
_SLICE = timedelta(seconds=15)
# Another run of the same loop is going on: this period's waits for it.
_WAIT_FOR_OTHER = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a clock's tick runs: over which window, given now and where the last run of that loop ended (UTC).

    `methods` says over whose payments.
    """

    loop: Loop
    steps: Steps
    window: Callable[[datetime, datetime | None], Window]
    methods: Callable[[Application], list[PaymentMethod]]


def listing_methods(app: Application) -> list[PaymentMethod]:
    """Return the payment methods whose provider can list what it has."""
    return [method for method, provider in app.providers.items() if isinstance(provider, Listing)]


def asked_methods(app: Application) -> list[PaymentMethod]:
    """Return the payment methods whose provider lists nothing, and must be asked about each payment."""
    return [method for method, provider in app.providers.items() if not isinstance(provider, Listing)]


PLANS: dict[jobs.Kind, Plan] = {
    jobs.Kind.RECONCILE_EVENTS: Plan(
        loop=Loop.EVENTS, steps=events.STEPS, window=events.window, methods=listing_methods
    ),
    jobs.Kind.RECONCILE_OBJECTS: Plan(
        loop=Loop.OBJECTS,
        steps=objects.STEPS,
        window=lambda now, _: objects.window(now, length=objects.NARROW),
        methods=listing_methods,
    ),
    jobs.Kind.RECONCILE_ALL_OBJECTS: Plan(
        loop=Loop.OBJECTS,
        steps=objects.STEPS,
        window=lambda now, _: objects.window(now, length=objects.WIDE),
        methods=listing_methods,
    ),
    jobs.Kind.RECONCILE_MONEY: Plan(
        loop=Loop.MONEY, steps=settlement.STEPS, window=settlement.window, methods=listing_methods
    ),
    jobs.Kind.RECONCILE_WALLETS: Plan(
        loop=Loop.WALLETS, steps=inquiries.STEPS, window=lambda now, _: inquiries.window(now), methods=asked_methods
    ),
}


def run_period(app: Application, job: jobs.Claimed) -> None:
    """Run a `reconcile.*` job: go on with its period's run over each provider, until done or the slice is over.

    Raises ProviderUnavailable or RequestRefused; the run stands where it was.
    """
    run_slice(app, job, longest=_SLICE)


def run_slice(app: Application, job: jobs.Claimed, *, longest: timedelta) -> None:
    """Do the same, for as long as `longest` and the page that passes it; it raises the same."""
    plan = PLANS[job.kind]
    started = time.monotonic()

    def enough() -> bool:
        return time.monotonic() - started > longest.total_seconds()

    try:
        done = _all_done(app, plan, job, enough=enough)
    except Conflict as other:
        with app.database.transaction() as session:
            jobs.retry_later(session, job, error=other.message, after=_WAIT_FOR_OTHER)
        return
    with app.database.transaction() as session:
        if done:
            jobs.finish(session, job)
        else:
            jobs.resume_later(session, job)


def _all_done(app: Application, plan: Plan, job: jobs.Claimed, *, enough: Callable[[], bool]) -> bool:
    troubles: list[ProviderError] = []
    unfinished = [run for run in _begun(app, plan, job) if run.state is RunState.RUNNING]
    for place, run in enumerate(unfinished):
        # The first is resumed for a page at least, whatever the hour: a slice without progress would repeat for ever.
        if place and enough():
            return False
        try:
            if runs.resume(app, run.id, plan.steps, enough=enough).state is RunState.RUNNING:
                return False
        except ProviderError as trouble:
            # A gateway that rests must not keep the others waiting.
            troubles.append(trouble)
    if troubles:
        raise troubles[0]
    return True


def _begun(app: Application, plan: Plan, job: jobs.Claimed) -> Iterator[ReconciliationRun]:
    # A narrow and a wide look of one hour are two periods of one loop.
    period = f"{job.kind}:{job.subject}"
    for method in plan.methods(app):
        with app.database.transaction() as session:
            last_end = runs.last_end(session, plan.loop, method)
        window = plan.window(datetime.now(UTC), last_end)
        yield runs.begin(app, plan.loop, method, period=period, window=window)
