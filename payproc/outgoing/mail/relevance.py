"""Whether what a mail tells still holds when its turn comes."""

from typing import assert_never

from sqlalchemy.orm import Session

from payproc.database.models import (
    Email,
    EmailKind,
    EndpointState,
    Payment,
    ReconciliationFinding,
    Refund,
    WebhookEndpoint,
)
from payproc.domain.states import RefundStatus
from payproc.outgoing.mail.digest import open_reviews

_NOT_REFUNDED = frozenset({RefundStatus.FAILED, RefundStatus.CANCELLED})


def still_holds(session: Session, email: Email) -> bool:
    """Return whether a mail may go out.

    Of a payment it may come true again, where a sale is undone: then whoever stages it anew brings a withdrawn one
    back. Nothing else does.
    """
    match email.kind:
        case EmailKind.DISPUTE:
            # It says what was told and, beside it, what stands now.
            return True
        case EmailKind.RECEIPT:
            # It holds after a refund, too.
            return session.get_one(Payment, email.payment_id).completed_at is not None
        case EmailKind.FAILURE:
            return session.get_one(Payment, email.payment_id).completed_at is None
        case EmailKind.REFUND:
            return session.get_one(Refund, email.about).status is RefundStatus.SUCCEEDED
        case EmailKind.REFUND_FAILED:
            return session.get_one(Refund, email.about).status in _NOT_REFUNDED
        case EmailKind.DIGEST:
            return open_reviews(session, email.about).new > 0
        case EmailKind.FINDING:
            return session.get_one(ReconciliationFinding, email.about).closed_at is None
        case EmailKind.WEBHOOK_DISABLED:
            endpoint = session.get_one(WebhookEndpoint, email.about.partition(":")[0])
            return endpoint.state is EndpointState.DISABLED
        case _:
            assert_never(email.kind)
