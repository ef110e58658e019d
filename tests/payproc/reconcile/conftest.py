import pytest

from tests.payproc.reconcile.audit import Audit
from tests.support.world import World


@pytest.fixture
def audit(world: World) -> Audit:
    return Audit(world=world)
