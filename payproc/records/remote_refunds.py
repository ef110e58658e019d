"""Refunds that a provider shows: ours as they stand there, and those that somebody made elsewhere."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import transaction_time
from payproc.database.models import Payment, Refund, ReviewKind
from payproc.domain.ids import Prefix, is_id
from payproc.domain.provenance import Provenance
from payproc.domain.settlement import RemoteRefund
from payproc.domain.states import REFUND_OPEN, RefundFact, RefundStatus
from payproc.records import payments, refunded, refunds
from payproc.records.reviews import open_review

# Its next event comes sooner, as a rule.
_ASKED_AFTER = timedelta(hours=1)


def record_remote(session: Session, payment: Payment, remote: RemoteRefund, *, provenance: Provenance) -> Refund | None:
    """Apply how a refund stands that a provider shows; write it down first where it was made elsewhere.

    Returns None, with a review, where it contradicts what we have: another amount than ours, or another currency than
    the payment's, of which nobody can say how much of the payment it is.
    """
    assert remote.money is not None  # who reads the wire keeps what cannot be read away from here
    payment = payments.locked(session, payment.id)
    refund = _known_refund(session, payment, remote)
    if remote.money.currency != payment.money.currency:
        problem = f"it gives back {remote.money} of a payment in {payment.currency.upper()}"
        _report_refund_mismatch(session, payment, refund.id if refund else remote.provider_id, problem)
        return None
    # One that waits for an operator here, and was sent all the same, is asked about by nobody either.
    nobody_asks = refund is None or refund.status is RefundStatus.REQUESTED
    if refund is None:
        refund = refunds.add_made_elsewhere(
            session,
            payment,
            remote.money,
            reason=remote.reason,
            provider_id=remote.provider_id,
            provenance=provenance,
            refund_id=_forgotten_id(session, remote),
        )
    elif (ours := refund.money) != remote.money:
        problem = f"{remote.provider_id} gives back {remote.money}, and we asked for {ours}"
        _report_refund_mismatch(session, payment, refund.id, problem)
        return None
    refunds.apply_outcome(session, refund.id, remote.outcome, provenance=provenance)
    _check_refund_excess(session, payment)
    if nobody_asks and refund.status in REFUND_OPEN:
        _have_it_asked_about(session, payment, refund)
    return refund


def _have_it_asked_about(session: Session, payment: Payment, refund: Refund) -> None:
    # One of ours is asked about by whoever sent it. Of this one an event may be all that ever comes, or not.
    due_at = transaction_time(session) + _ASKED_AFTER
    kind, method = jobs.Kind.INQUIRE_REFUND, payment.payment_method
    jobs.stage(session, kind, refund.id, method=method, due_at=due_at, payload={"asked": 0})


def record_reversal(session: Session, payment: Payment, *, provenance: Provenance) -> None:
    """Record that a provider says the whole of a completed payment went back.

    Our refunds on their way are what it means; the rest somebody else gave back, and a person should know.
    """
    payment = payments.locked(session, payment.id)
    for refund in refunds.refunds_of(session, payment):
        if refund.status in (RefundStatus.PENDING, RefundStatus.MANUAL):
            refunds.apply_fact(session, refund.id, RefundFact.SUCCEEDED, provenance=provenance)
    left = payment.money - refunded.amount(session, payment)
    if left.amount_minor <= 0:
        return
    refund = refunds.add_made_elsewhere(
        session, payment, left, reason="reversed by the provider", provenance=provenance
    )
    refunds.apply_fact(session, refund.id, RefundFact.SUCCEEDED, provenance=provenance)
    open_review(
        session,
        ReviewKind.REVERSED,
        payment.id,
        payment_id=payment.id,
        detail=f"{payment.id} was completed, and the provider says that the money went back: hold what was sold.",
    )
    # A refund that waits for an operator still holds its money: there is none left for it.
    _check_refund_excess(session, payment)


def _known_refund(session: Session, payment: Payment, remote: RemoteRefund) -> Refund | None:
    found = session.scalar(select(Refund).where(Refund.provider_refund_id == remote.provider_id))
    if found is not None or remote.refund_id is None:
        return found
    # Its event may beat the answer that carries its id. Ours was committed before the call.
    ours = session.get(Refund, remote.refund_id)
    unnamed = ours is not None and ours.payment_id == payment.id and ours.provider_refund_id is None
    return ours if unnamed else None


def _forgotten_id(session: Session, remote: RemoteRefund) -> str | None:
    ours = remote.refund_id
    return ours if is_id(ours, Prefix.REFUND) and session.get(Refund, ours) is None else None


def _check_refund_excess(session: Session, payment: Payment) -> None:
    if not refunded.exceeds(session, payment):
        return
    # About the payment, for it takes two: `refunds` closes it once one of them came to nothing.
    open_review(
        session,
        ReviewKind.REFUND_MISMATCH,
        payment.id,
        payment_id=payment.id,
        detail=(
            f"{payment.id}: {refunded.reserved(session, payment)} of {payment.money} has been given back or is on its "
            "way. Look its refunds up in the provider's dashboard."
        ),
    )


def _report_refund_mismatch(session: Session, payment: Payment, refund_id: str, problem: str) -> None:
    open_review(
        session,
        ReviewKind.REFUND_MISMATCH,
        refund_id,
        payment_id=payment.id,
        detail=f"{payment.id}, refund {refund_id}: {problem}. Look both up in the provider's dashboard.",
    )
