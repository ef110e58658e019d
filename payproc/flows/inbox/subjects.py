"""Which payment a notice is about: by the provider's ids, by our reference, by our id."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from payproc.database.held import Name, find_by, find_by_our_reference, find_by_reference
from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.references import References
from payproc.providers.notices import DisputeNotice, FraudWarning, Notice, RefundNotice

AboutPayment = Notice | RefundNotice | DisputeNotice | FraudWarning


def ids_of(notice: AboutPayment) -> tuple[References, str | None]:
    """Return the provider's ids of the payment that a notice is about, and ours."""
    match notice:
        case Notice():
            return notice.references, notice.payment_id
        case RefundNotice():
            return notice.refund.references, notice.refund.payment_id
        case DisputeNotice():
            return notice.dispute.references, notice.dispute.payment_id
        case FraudWarning():
            return notice.references, None


def names_in(notice: AboutPayment) -> Iterator[Name]:
    """Name every payment that applying a notice may look for: its own, and whose its ids are else."""
    references, payment_id = ids_of(notice)
    yield from references.items()
    yield Payment.id.key, payment_id or ""
    if isinstance(notice, Notice):
        yield from notice.outcome.references.items()
        yield Payment.reference.key, notice.reference or ""


def payment_of(session: Session, notice: AboutPayment, *, method: PaymentMethod) -> Payment | None:
    """Find the payment that a provider's notice is about. One provider's word never moves another's payment."""
    references, payment_id = ids_of(notice)
    found = find_by_reference(session, references)
    if found is None and isinstance(notice, Notice):
        found = find_by_our_reference(session, notice.reference, method=method)
    if found is None and payment_id:
        # A notice may beat the answer that carries the provider's id. Ours was committed before the call.
        found = find_by(session, Payment.id.key, payment_id)
    return found if found is not None and found.payment_method == method else None
