"""What a provider said about a payment, whoever asked: the door that also knows money that went back."""

from sqlalchemy.orm import Session

from payproc import payments, refunds
from payproc.models import Payment
from payproc.payments import Told
from payproc.providers.base import Outcome, Verdict


def apply_outcome(session: Session, payment_id: str, outcome: Outcome, *, told: Told) -> Payment:
    """Apply an outcome to its payment. One that we hold for paid and that was reversed is a refund made elsewhere."""
    payment = payments.locked(session, payment_id)
    if outcome.verdict is Verdict.REVERSED and payment.completed_at is not None:
        refunds.record_reversal(session, payment, told=told)
        return payment
    return payments.apply_outcome(session, payment_id, outcome, told=told)
