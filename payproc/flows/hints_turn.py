"""When a hint may have a provider asked, and until when."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.models import Payment
from payproc.domain.states import OPEN, PaymentStatus
from payproc.records import payments

# In the payload of an inquiry's job: a hint wants it, so anybody may.
HINTED = "hinted"
# However many hints come, the gateway is asked about one payment no more often than this.
HINTS_EVERY = timedelta(seconds=10)
# A wallet may still take the money of a payment it called failed, and tell so late: a hint has it asked this long.
_HINTS_AFTER_END = timedelta(days=7)
# Settled for good, or by us: nobody need ask.
PAID = frozenset({PaymentStatus.COMPLETED, PaymentStatus.REFUNDED})


def hints_turn(session: Session, payment: Payment) -> timedelta | None:
    """Say how long a hint waits until the provider may be asked; None where it is not asked any more.

    A payment that was paid has nothing to learn from a hint, and one that ended long ago has had its time.
    """
    if payment.status in PAID:
        return None
    now = session.scalars(select(func.now())).one()
    if payment.status not in OPEN and now - payments.ended_at(session, payment) > _HINTS_AFTER_END:
        return None
    asked = payment.polled_at
    return timedelta(0) if asked is None else max(timedelta(0), asked + HINTS_EVERY - now)
