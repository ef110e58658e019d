"""Reviews: what a person must decide."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Boolean, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.engine import transaction_time
from payproc.database.models import Payment, ReconciliationFinding, Refund, Review, ReviewKind
from payproc.errors import Conflict, NotFound
from payproc.outgoing.webhooks import outbox as events
from payproc.outgoing.webhooks.payload import of_review

# Whether a statement has made the row that it returns, and not changed one.
_IS_NEW = literal_column("reviews.xmax = 0", Boolean).label("is_new")


def open_review(
    session: Session, kind: ReviewKind, subject: str, *, detail: str, payment_id: str | None = None
) -> None:
    """Ask a person about `subject`, once: the same review is not opened twice."""
    opened = session.scalar(
        insert(Review)
        .values(kind=kind, subject=subject, payment_id=payment_id, detail=detail)
        .on_conflict_do_nothing(index_elements=[Review.kind, Review.subject], index_where=Review.resolved_at.is_(None))
        .returning(Review.id)
    )
    if opened is not None:
        _tell_opened(session, opened, kind, subject, payment_id=payment_id)


def _tell_opened(session: Session, review_id: str, kind: ReviewKind, subject: str, *, payment_id: str | None) -> None:
    payment = session.get(Payment, payment_id) if payment_id else None
    data = of_review(review_id, kind=kind, subject=subject, payment_id=payment_id)
    events.tell_review(session, data, shop_id=payment.shop_id if payment else None)


def ask_about_dead_job(session: Session, job_id: str, subject: str, *, detail: str) -> None:
    """Ask a person about a job that was given up; where it was about a payment or one of its refunds, beside that."""
    refund = session.get(Refund, subject)
    payment_id = refund.payment_id if refund else subject
    known = session.get(Payment, payment_id) is not None
    open_review(session, ReviewKind.JOB_DEAD, job_id, payment_id=payment_id if known else None, detail=detail)


def open_mismatch(
    session: Session, kind: ReviewKind, payment_id: str, *, detail: str, paid: Mapping[str, Any] | None
) -> None:
    """Ask a person about a payment that was paid otherwise than asked for, or elsewhere, and keep what was `paid`.

    Of several words the first that says how much is kept: a person sees its sentence.
    """
    asked = insert(Review).values(kind=kind, subject=payment_id, payment_id=payment_id, detail=detail, paid=paid)
    written = session.execute(
        asked.on_conflict_do_update(
            index_elements=[Review.kind, Review.subject],
            index_where=Review.resolved_at.is_(None),
            set_={"paid": asked.excluded.paid, "detail": asked.excluded.detail},
            where=Review.paid.is_(None) & asked.excluded.paid.is_not(None),
        ).returning(Review.id, _IS_NEW)
    ).one_or_none()
    if written is not None and written.is_new:
        _tell_opened(session, written.id, kind, payment_id, payment_id=payment_id)


# Reviews whose decision ends the payment: until then nobody else need ask the provider. PAID_ELSEWHERE is none of them:
# a stranger can bring it about, and our own session is still there to be asked about.
_OWNING = (ReviewKind.UNSETTLED, ReviewKind.PAID_MISMATCH)


def awaits_operator(session: Session, payment_id: str) -> bool:
    """Whether a person will end this payment, so that it need not be polled."""
    owning = select(Review.id).where(
        Review.payment_id == payment_id, Review.resolved_at.is_(None), Review.kind.in_(_OWNING)
    )
    return session.scalar(owning.limit(1)) is not None


def has_open_mismatch(session: Session, payment_id: str) -> bool:
    """Whether somebody was told that this payment was paid otherwise than asked for, and has not decided yet."""
    asked = select(Review.id).where(
        Review.payment_id == payment_id, Review.resolved_at.is_(None), Review.kind == ReviewKind.PAID_MISMATCH
    )
    return session.scalar(asked.limit(1)) is not None


def is_open(session: Session, kind: ReviewKind, subject: str) -> bool:
    """Whether somebody was asked this about `subject` and has not answered yet."""
    asked = select(Review.id).where(Review.kind == kind, Review.subject == subject, Review.resolved_at.is_(None))
    return session.scalar(asked.limit(1)) is not None


def paid_otherwise(session: Session, review: Review) -> Mapping[str, Any] | None:
    """Return what was paid of a review's payment, where it was otherwise than asked for and nobody has decided yet."""
    if review.paid is not None:
        return review.paid
    asked = select(Review.paid).where(
        Review.payment_id == review.payment_id, Review.resolved_at.is_(None), Review.kind == ReviewKind.PAID_MISMATCH
    )
    return session.scalar(asked.limit(1))


def close_if_open(session: Session, kind: ReviewKind, subject: str, *, resolution: str) -> None:
    """Close a review that has settled itself."""
    session.execute(
        update(Review)
        .where(Review.kind == kind, Review.subject == subject, Review.resolved_at.is_(None))
        .values(resolution=resolution, resolved_at=func.now())
        .execution_options(synchronize_session=False)
    )


def resolve(session: Session, review_id: str, *, resolution: str) -> Review:
    """Close a review with the person's decision.

    Raises NotFound, or Conflict when it was answered before.
    """
    review = session.get(Review, review_id, with_for_update=True)
    if review is None:
        raise NotFound(f"There is no review {review_id}.", subject=review_id)
    if review.resolved_at is not None:
        raise Conflict(f"Review {review_id} was resolved already.", code="review_resolved", subject=review_id)
    review.resolution = resolution
    review.resolved_at = transaction_time(session)
    return review


def close_finding(session: Session, finding: ReconciliationFinding, *, resolution: str) -> None:
    """Close a difference that reconciliation has found, and the question that it raised."""
    finding.closed_at = transaction_time(session)
    close_if_open(session, ReviewKind.FINDING, finding.id, resolution=resolution)


def accept_finding(session: Session, finding: ReconciliationFinding, *, resolution: str) -> None:
    """Close a difference as a person's decision: a run that meets the same one leaves it closed."""
    close_finding(session, finding, resolution=resolution)
    finding.accepted_at = finding.closed_at
