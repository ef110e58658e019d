"""The sweep over payments, refunds and disputes, both ways."""

from dataclasses import replace
from datetime import datetime, timedelta

from payproc.database.models import Payment
from payproc.providers.listing import RemotePayment, Window
from payproc.reconcile.objects import disputes, payments, refunds
from payproc.reconcile.objects.lost import lost_payment
from payproc.reconcile.objects.sweep import Sweep
from payproc.reconcile.runs import Steps

# What is younger may still be on its way to us by a webhook: nothing is late yet.
_SETTLING = timedelta(minutes=10)
# Sessions live a day, and a delayed payment may take days: what the hourly look misses, the nightly one has.
NARROW = timedelta(hours=26)
# A refund may fail thirty days after it succeeded (Stripe's "Refund and cancel payments", November 2026), and is
# heard of later: half as long again.
WIDE = timedelta(days=45)


def window(now: datetime, *, length: timedelta) -> Window:
    """Say which creation times to compare (UTC)."""
    return Window(begin=now - length, end=now - _SETTLING)


def _steps(payments_sweep: Sweep[Payment, RemotePayment]) -> Steps:
    return (*payments_sweep.steps(), *refunds.SWEEP.steps(), *disputes.SWEEP.steps())


STEPS: Steps = _steps(payments.SWEEP)
# After a restore: payments that were forgotten are written down again.
REMAKING: Steps = _steps(replace(payments.SWEEP, lost=lost_payment))
