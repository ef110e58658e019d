"""Our rows beside Stripe's simulator, and runs that compare them."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text

from payproc.database.models import FindingKind, Loop, Payment, ReconciliationFinding, ReconciliationRun
from payproc.domain.money import Money
from payproc.providers.listing import Window
from payproc.providers.stripe import STRIPE
from payproc.reconcile import events, runs
from payproc.reconcile.balance import settlement
from payproc.reconcile.objects import steps
from payproc.reconcile.runs import Steps
from tests.support.world import World

STEPS: dict[Loop, Steps] = {Loop.EVENTS: events.STEPS, Loop.OBJECTS: steps.STEPS, Loop.MONEY: settlement.STEPS}


_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Runs of reconciliation over everything of the last days."""

    world: World

    def run(self, loop: Loop, *, dry_run: bool = False, remake: bool = False) -> ReconciliationRun:
        """Compare everything there is, to the end."""
        now = datetime.now(UTC)
        # Up to the second after now: nothing waits for its webhook here.
        window = Window(begin=now - timedelta(days=50), end=now + timedelta(seconds=2))
        period = f"a test's {next(_numbers)}"
        begun = runs.begin(self.world.app, loop, STRIPE, period=period, window=window, dry_run=dry_run)
        return runs.resume(self.world.app, begun.id, steps.REMAKING if remake else STEPS[loop])

    def findings(self, *, is_open: bool | None = None) -> list[ReconciliationFinding]:
        query = select(ReconciliationFinding).order_by(ReconciliationFinding.kind, ReconciliationFinding.id)
        with self.world.app.database.transaction() as session:
            found = list(session.scalars(query))
        return [each for each in found if is_open is None or (each.closed_at is None) is is_open]

    def kinds(self, *, is_open: bool | None = None) -> list[FindingKind]:
        return [finding.kind for finding in self.findings(is_open=is_open)]

    def paid(self, amount_minor: int = 10000, currency: str = "usd") -> Payment:
        return self.world.paid(money=Money.of(amount_minor, currency))

    def patch(self, name: str | None, **changes: Any) -> None:
        """Change an object at Stripe, which tells nobody."""
        self.world.at_stripe(f"objects/{name}", **changes)

    def forget_ours(self, payment: Payment) -> None:
        """Lose a payment and all that hangs on it, as no code of ours could."""
        tables = ("ledger_entries", "journals", "emails", "events", "payment_events", "notices", "jobs", "payments")
        with self.world.app.database.transaction() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for table in tables:
                where = {
                    "ledger_entries": "journal_id IN (SELECT id FROM journals WHERE payment_id = :id)",
                    "jobs": "subject = :id",
                    "payments": "id = :id",
                }.get(table, "payment_id = :id")
                session.execute(text(f"DELETE FROM {table} WHERE {where}"), {"id": payment.id})  # noqa: S608 (ours)
