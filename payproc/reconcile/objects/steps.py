"""The sweep over payments, refunds and disputes, both ways."""

from datetime import datetime, timedelta

from payproc.providers.listing import Window
from payproc.reconcile.objects import disputes, payments, refunds
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


STEPS: Steps = (*payments.SWEEP.steps(), *refunds.SWEEP.steps(), *disputes.SWEEP.steps())
