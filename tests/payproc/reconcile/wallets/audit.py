"""Both wallets' simulators beside our rows, and runs that compare them."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlalchemy import select

from payproc.database.models import FindingKind, Loop, Payment, ReconciliationFinding, ReconciliationRun
from payproc.domain.payment_methods import PaymentMethod
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.listing import Window
from payproc.reconcile import runs
from payproc.reconcile.objects import inquiries as wallets_loop
from payproc.reconcile.objects.inquiries import Sampling
from sandbox.wallets.transactions import Transaction
from tests.support.waiting import wait_until
from tests.support.wallet_world import WalletWorld

DIALECTS = {"jazz_cash_dialect": "mwallet-2.0", "easy_paisa_dialect": "rest-v4"}
# Of payments that ended, let the sample be all.
EVERY_ONE = Sampling(below="g")
_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class WalletAudit:
    """Runs of reconciliation over a wallet's payments of the last days."""

    world: WalletWorld
    sampling: Sampling

    def run(self, method: PaymentMethod = JAZZ_CASH, *, dry_run: bool = False) -> ReconciliationRun:
        """Ask about everything there is, to the end."""
        now = datetime.now(UTC)
        window = Window(begin=now - timedelta(days=50), end=now + timedelta(seconds=2))
        period = f"a test's {next(_numbers)}"
        begun = runs.begin(self.world.app, Loop.WALLETS, method, period=period, window=window, dry_run=dry_run)
        return runs.resume(self.world.app, begun.id, wallets_loop.steps(self.sampling))

    def paid(self, method: PaymentMethod = JAZZ_CASH, amount_minor: int = 125050) -> Payment:
        payment = self.world.begin(method, amount_minor=amount_minor)
        self.world.becomes(payment, "completed")
        self._hear_everything()
        return self.world.payment(payment.id)

    def _hear_everything(self) -> None:
        """Let the wallet's notices arrive: one that is still on its way would change rows behind a test's back."""

        def has_arrived() -> bool:
            told = requests.get(f"{self.world.wallet_url}/notices", timeout=5).json()
            return all(notice["state"] not in ("pending", "sending") for notice in told)

        wait_until(has_arrived, what="every notice of the wallet")
        self.world.drain()

    def alter(self, payment: Payment, **changes: Any) -> None:
        """Change what the wallet knows of a payment, which tells nobody."""

        def edit(found: Transaction) -> None:
            for name, value in changes.items():
                setattr(found, name, value)

        ledger = self.world.gateway.wallets.ledger
        [known] = ledger.find(payment.reference)
        ledger.change(known.gateway, payment.reference, edit)

    def overdue(self, payment: Payment) -> None:
        """Let the payment's end be two days ago."""
        self.world.age("payments", payment.id, created_at="2 days")
        if payment.expires_at is not None:
            self.world.age("payments", payment.id, expires_at="2 days")

    def findings(self, *, is_open: bool | None = None) -> list[ReconciliationFinding]:
        query = select(ReconciliationFinding).order_by(ReconciliationFinding.kind, ReconciliationFinding.id)
        with self.world.app.database.transaction() as session:
            found = list(session.scalars(query))
        return [each for each in found if is_open is None or (each.closed_at is None) is is_open]

    def kinds(self, *, is_open: bool | None = None) -> list[FindingKind]:
        return [finding.kind for finding in self.findings(is_open=is_open)]

    def inquiries(self) -> list[str]:
        """The references that the wallets were asked about, in the order of asking."""
        calls = requests.get(f"{self.world.wallet_url}/calls", timeout=5).json()
        return [call["reference"] for call in calls if "inquir" in call["operation"]]
