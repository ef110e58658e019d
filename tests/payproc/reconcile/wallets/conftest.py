import pytest

from payproc.reconcile.objects.inquiries import Sampling
from tests.payproc.reconcile.wallets.audit import DIALECTS, WalletAudit
from tests.support.wallet_world import WalletWorld


@pytest.fixture
def sampling() -> Sampling:
    """Which payments that ended are asked about; a test says otherwise by a parameter of this name."""
    return Sampling()


@pytest.fixture
def audit(wallet_world: WalletWorld, sampling: Sampling) -> WalletAudit:
    return WalletAudit(world=wallet_world.speaking(**DIALECTS), sampling=sampling)
