"""A month of reconciliation seeded as rows: some days quiet, a few bad ones, and what is still open."""

from datetime import timedelta

from payproc.database.models import FindingKind, Loop
from tests.support.seeding import Seeded

_MENDED = (FindingKind.MISSED_EVENT, FindingKind.STUCK, FindingKind.REFUND_MISSING_LOCAL)
_LOOKED_AT = (FindingKind.MISSING_LOCAL, FindingKind.FEE_MISSING, FindingKind.AMOUNT_MISMATCH)
HOSTILE = '<script>alert(1)</script> said "=1+1" & more, in one unbroken-word-' + "x" * 120


def seed_month(seeded: Seeded) -> None:
    """Seed thirty days of findings and the last runs."""
    run_id = seeded.run(started_at=seeded.now - timedelta(days=40))
    for ago in range(30):
        noon = seeded.now - timedelta(days=ago, minutes=5)
        for number in range((ago * 7) % 4):
            ended = noon + timedelta(seconds=1)
            seeded.finding(_MENDED[number % 3], opened_at=noon, closed_at=ended, repaired_at=ended, run_id=run_id)
        for number in range((ago * 5) % 3):
            closed = noon + timedelta(days=3)
            is_over = closed < seeded.now and ago % 4 != 0
            seeded.finding(_LOOKED_AT[number], opened_at=noon, closed_at=closed if is_over else None, run_id=run_id)
        if ago in (6, 19):
            seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=noon, closed_at=None if ago == 6 else noon, run_id=run_id)
    seeded.finding(FindingKind.UNREADABLE, opened_at=seeded.now - timedelta(hours=2), detail=HOSTILE, run_id=run_id)
    for loop, age, took in (
        (Loop.EVENTS, timedelta(minutes=3), timedelta(seconds=1.4)),
        (Loop.OBJECTS, timedelta(minutes=42), timedelta(seconds=95)),
        (Loop.MONEY, timedelta(hours=9), timedelta(minutes=7)),
    ):
        ended = seeded.now - age
        counts = {"compared": {"payments": 812}, "found": {"missing_local": 1}, "repaired": {"missed_event": 2}}
        seeded.run(loop=loop, started_at=ended - took, finished_at=ended, calls=37, counts=counts)
