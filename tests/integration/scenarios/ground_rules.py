"""What must be true after every scenario, whatever happened in it."""

from collections import Counter

from sqlalchemy import text

from payproc.database.models import EmailKind, Payment
from payproc.domain.states import Effect, PaymentStatus
from payproc.operations.doctor import broken_invariants
from payproc.operations.timeline import timeline
from tests.support.world import World

_PAID = (PaymentStatus.COMPLETED, PaymentStatus.REFUNDED)
_SUM = text("SELECT coalesce(sum(amount_minor), 0) FROM ledger_entries")


def check_ground_rules(world: World, *, debited: set[str]) -> None:
    """Check them; `debited` are the payments whose money the provider says it has taken."""
    payments: list[Payment] = world.rows(Payment)
    asked = [review.payment_id for review in world.reviews() if review.resolved_at is None]
    taken = {payment.id for payment in payments if payment.status in _PAID}
    assert taken <= debited, "nothing is invented"
    unexplained = debited - taken - {*asked}
    assert len(unexplained) <= asked.count(None), "nothing is lost: a person was asked, at least"
    with world.app.database.transaction() as session:
        # The journal sums to zero; what is open has work or a review; and more of that kind.
        assert session.scalar(_SUM) == 0
        assert broken_invariants(session) == []
        for payment in payments:
            assert timeline(session, session.get_one(Payment, payment.id)), "its state is explained"
            moves = [event for event in world.events(payment.id) if event.effect is Effect.MOVED]
            assert moves[-1].to_status is payment.status
    receipts = Counter(email.payment_id for email in world.emails() if email.kind is EmailKind.RECEIPT)
    assert set(receipts) == taken
    assert set(receipts.values()) <= {1}


def debited_at_stripe(world: World) -> set[str]:
    """The payments whose sessions are paid at Stripe."""
    sessions = world.stripe().v1.checkout.sessions.list({"limit": 100}).data
    return {str(each.client_reference_id) for each in sessions if each.payment_status == "paid"}
