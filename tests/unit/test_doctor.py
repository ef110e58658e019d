import pytest

from payproc.application import Application
from payproc.doctor import broken_invariants, invariants


@pytest.mark.usefixtures("customer")
def test_every_invariant_holds_before_the_first_payment(app: Application) -> None:
    with app.database.transaction() as session:
        assert broken_invariants(session) == []
    assert len(invariants()) == 8
