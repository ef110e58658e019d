"""Start a payment over HTTP, by whichever method."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from payproc import checkouts
from payproc.checkouts import PaymentRequest
from payproc.idempotency import Answer
from payproc.models import Payment
from payproc.providers.names import PaymentMethod
from payproc.states import OPEN, PaymentStatus
from web.auth import application, current_user
from web.json import text_of
from web.schemas import AcceptedAnswer, StartHeader
from web.taking import Undertaking, location_of, take

# Says how a payment that was taken is answered, after a wait of so many seconds or none.
Describe = Callable[[Payment, int], Answer]


def start(wanted: PaymentRequest, method: PaymentMethod, *, header: StartHeader, describe: Describe) -> Answer:
    """Take a payment, or find the one that the same request made before, and say how it is answered.

    Raises InvalidRequest, Conflict, NotFound or IdempotencyKeyReused.
    """

    def begin(session: Session) -> str:
        return checkouts.take_payment(application(), session, wanted, user=current_user(), method=method).id

    undertaking = Undertaking(
        begin=begin,
        is_settled=_has_begun,
        describe=lambda payment_id, wait: describe(_read(payment_id), wait),
        promise=_promise,
    )
    return take(undertaking, header=header)


def _has_begun(session: Session, payment_id: str) -> bool:
    payment = session.get_one(Payment, payment_id)
    return payment.next_action is not None or payment.status not in OPEN


def _read(payment_id: str) -> Payment:
    with application().database.transaction() as session:
        return session.get_one(Payment, payment_id)


def _promise(payment_id: str) -> Answer:
    accepted = AcceptedAnswer(payment_id=payment_id, status=PaymentStatus.PENDING)
    return Answer(status=202, location=location_of(payment_id), body=text_of(accepted))
