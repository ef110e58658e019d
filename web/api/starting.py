"""Start a payment over HTTP, by whichever method."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import OPEN, PaymentStatus
from payproc.flows import checkout
from payproc.flows.checkout import PaymentRequest
from payproc.records.idempotency import Answer
from web.api.schemas.headers import StartHeader
from web.api.schemas.payments import AcceptedAnswer
from web.auth import application, current_user
from web.idempotent import Undertaking, location_of, take
from web.json import text_of

# Says how a payment that was taken is answered, after a wait of so many seconds or none.
Describe = Callable[[Payment, int], Answer]


def start(wanted: PaymentRequest, method: PaymentMethod, *, header: StartHeader, describe: Describe) -> Answer:
    """Take a payment, or find the one that the same request made before, and say how it is answered.

    Raises InvalidRequest, Conflict, NotFound or IdempotencyKeyReused.
    """

    def begin(session: Session) -> str:
        return checkout.take_payment(application(), session, wanted, user=current_user(), method=method).id

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
