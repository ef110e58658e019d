import pytest

from payproc.reconcile.objects import inquiries as wallets_loop
from tests.reconcile.wallets.audit import DIALECTS, WalletAudit
from tests.support.wallet_world import WalletWorld


@pytest.fixture
def audit(wallet_world: WalletWorld) -> WalletAudit:
    return WalletAudit(world=wallet_world.speaking(**DIALECTS))


@pytest.fixture
def every_one_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of payments that ended, let the sample be all."""
    monkeypatch.setattr(wallets_loop, "_SAMPLED_BELOW", "g")
