"""What an operator decides: to ask again, to requeue, to bury, to settle a question.

Each leaves a payment with work or with a person, never with neither. Locks are taken payment first.
"""

from contextlib import suppress
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.models import (
    FindingKind,
    Job,
    JobState,
    Payment,
    ReconciliationFinding,
    Refund,
    Review,
    ReviewKind,
)
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import OPEN, REFUND_OPEN, Fact, PaymentStatus, RefundFact, RefundStatus
from payproc.errors import Conflict, NotFound
from payproc.flows import poll
from payproc.flows.inbox import apply
from payproc.records import outcomes, payments, refunds, reviews


class OperatorAction(StrEnum):
    """What a person may decide about a payment, or about a refund."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    NOT_REFUNDED = "not_refunded"
    APPROVED = "approved"
    REJECTED = "rejected"


_OF_PAYMENTS = {
    OperatorAction.COMPLETED: (Fact.PAID, PaymentStatus.COMPLETED),
    OperatorAction.CANCELLED: (Fact.CANCELLED, PaymentStatus.CANCELLED),
}
_OF_REFUNDS = {
    OperatorAction.REFUNDED: (RefundFact.SUCCEEDED, RefundStatus.SUCCEEDED),
    OperatorAction.NOT_REFUNDED: (RefundFact.FAILED, RefundStatus.FAILED),
}
_ABOUT_REFUNDS = frozenset({ReviewKind.REFUND_MANUAL, ReviewKind.REFUND_UNSETTLED})


def ask_again(session: Session, payment: Payment) -> jobs.Kind:
    """Have the provider asked now; return what was staged. A payment that was never started is then started instead.

    Raises Conflict when the payment has ended.
    """
    if payment.status not in OPEN:
        said = f"Payment {payment.id} is {payment.status}; only an open payment is asked about."
        raise Conflict(said, code="payment_ended", subject=payment.id)
    poll.stage_now(session, payment)
    return jobs.Kind.INQUIRE_PAYMENT


def requeue_job(session: Session, job: Job) -> None:
    """Bring a dead job back, due now and with a clean slate; a notice that died with it lives again.

    Raises Conflict when it is not dead, or the same work is open already.
    """
    if job.state is not JobState.DEAD:
        raise Conflict(f"Job {job.id} is {job.state}; only a dead job is requeued.", code="job_not_dead")
    open_twin = select(Job.id).where(Job.dedupe_key == job.dedupe_key, Job.state == JobState.READY)
    twin = session.scalar(open_twin)
    if twin is not None:
        raise Conflict(f"The same work is open already as {twin}.", code="job_open", subject=twin)
    jobs.requeue(session, job)
    session.flush()
    reviews.close_if_open(session, ReviewKind.JOB_DEAD, job.id, resolution="requeued")
    if job.kind == jobs.Kind.APPLY_NOTICE:
        apply.replay_notice(session, job.subject)


def requeue_dead_jobs(session: Session, *, kind: jobs.Kind | None) -> list[Job]:
    """Bring every dead job back, or every one of a kind, oldest first; those whose work was staged anew stay dead."""
    dead = select(Job).where(Job.state == JobState.DEAD).order_by(Job.created_at, Job.id)
    if kind is not None:
        dead = dead.where(Job.kind == kind)
    requeued = []
    for job in session.scalars(dead.with_for_update()).all():
        with suppress(Conflict):
            requeue_job(session, job)
            requeued.append(job)
    return requeued


def bury_job(session: Session, job: Job, *, reason: str) -> None:
    """Set an open job aside; a payment or refund that waits for it opens a review. Raises Conflict for no open job."""
    if job.state is not JobState.READY:
        raise Conflict(f"Job {job.id} is {job.state}; only an open job is buried.", code="job_not_open")
    jobs.bury_by_hand(session, job, error=reason)
    session.flush()
    if job.kind == jobs.Kind.APPLY_NOTICE:
        apply.bury_notice(session, job.subject, error=reason)
    if _is_open(session, job.subject):
        detail = f"{job.kind} of {job.subject} was buried by hand: {reason}."
        reviews.ask_about_dead_job(session, job.id, job.subject, detail=detail)


def _is_open(session: Session, subject: str) -> bool:
    """Whether this is a payment or a refund that somebody must still bring to its end."""
    payment, refund = session.get(Payment, subject), session.get(Refund, subject)
    return (payment is not None and payment.status in OPEN) or (refund is not None and refund.status in REFUND_OPEN)


def resolve_review(
    session: Session, review_id: str, *, resolution: str, decision: OperatorAction | None
) -> tuple[Review, Payment | None]:
    """Close a review with the person's decision, and carry out what they decided about its payment or refund.

    Without a decision a payment that is still open goes back to being asked about, and a refund whose work was given up
    is taken up again; any other question about a refund needs one. Raises NotFound, or Conflict when the question was
    answered before, or the decision comes too late or is about something else.
    """
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound(f"There is no review {review_id}.", subject=review_id)
    payment = payments.locked(session, review.payment_id) if review.payment_id else None
    review = reviews.resolve(session, review_id, resolution=resolution)
    if review.kind is ReviewKind.FINDING:
        _accept_finding(session, review)
    if review.kind in _ABOUT_REFUNDS:
        _settle_refund(session, review, decision)
    elif review.kind is ReviewKind.REFUND_APPROVAL:
        _decide_request(session, review, decision)
    elif decision is not None:
        _decide(session, review, decision)
    elif review.kind is ReviewKind.JOB_DEAD and (given_up := _work_of_a_refund(session, review)):
        requeue_job(session, given_up)
    elif payment is not None and payment.status in OPEN:
        ask_again(session, payment)
    return review, payment


def _work_of_a_refund(session: Session, review: Review) -> Job | None:
    """Return the dead job that a review is about, where a refund still waits for it and for nothing else."""
    job = session.get(Job, review.subject, with_for_update=True)
    if job is None or job.state is not JobState.DEAD or session.get(Refund, job.subject) is None:
        return None
    twin = select(Job.id).where(Job.subject == job.subject, Job.state == JobState.READY)
    return job if _is_open(session, job.subject) and session.scalar(twin) is None else None


def _accept_finding(session: Session, review: Review) -> None:
    # Left open, it would be a difference without a question; closed and not accepted, tonight's run would ask again.
    finding = session.get(ReconciliationFinding, review.subject, with_for_update=True)
    if finding is not None and finding.closed_at is None:
        reviews.accept_finding(session, finding, resolution=review.resolution or "")


def _settle_refund(session: Session, review: Review, decision: OperatorAction | None) -> None:
    if decision not in _OF_REFUNDS:
        raise _unfit(review, "a refund: decide refunded or not_refunded")
    fact, wanted = _OF_REFUNDS[decision]
    refund = refunds.apply_fact(
        session, review.subject, fact, provenance=_provenance(review), message=review.resolution
    )
    if refund.status is not wanted:
        said = f"Refund {refund.id} is {refund.status} already; nothing was changed."
        raise Conflict(said, code="decision_too_late", subject=refund.id)


def _decide_request(session: Session, review: Review, decision: OperatorAction | None) -> None:
    asked, provenance = review.subject, _provenance(review)
    match decision:
        case OperatorAction.APPROVED:
            refunds.approve(session, asked, provenance=provenance)
        case OperatorAction.REJECTED:
            why, fact = review.resolution, RefundFact.CANCELLED
            refunds.apply_fact(session, asked, fact, provenance=provenance, code="rejected", message=why)
        case _:
            raise _unfit(review, "a refund that was asked for: decide approved or rejected")


def _decide(session: Session, review: Review, decision: OperatorAction) -> None:
    if review.payment_id is None:
        raise Conflict(f"Review {review.id} is about no payment: there is nothing to decide.", code="review_no_payment")
    if decision not in _OF_PAYMENTS:
        raise _unfit(review, "no refund")
    fact, wanted = _OF_PAYMENTS[decision]
    payment = _applied(session, review, review.payment_id, fact)
    if payment.status is not wanted:
        said = f"Payment {payment.id} is {payment.status} and cannot become {wanted}; nothing was changed."
        raise Conflict(said, code="decision_too_late", subject=payment.id)


def _applied(session: Session, review: Review, payment_id: str, fact: Fact) -> Payment:
    provenance, detail = _provenance(review), review.resolution or ""
    paid = reviews.paid_otherwise(session, review) if fact is Fact.PAID else None
    if paid is not None:
        return outcomes.accept_paid(session, payment_id, paid, provenance=provenance, detail=detail)
    if fact is Fact.PAID:
        _check_amount(session, review)
    return payments.apply_fact(session, payment_id, fact, provenance=provenance, detail=detail)


def _check_amount(session: Session, review: Review) -> None:
    # A list or a statement tells the other amount in a sentence alone: accepted, what was asked for would be sold.
    finding = session.get(ReconciliationFinding, review.subject) if review.kind is ReviewKind.FINDING else None
    if finding is not None and finding.kind in (FindingKind.AMOUNT_MISMATCH, FindingKind.CURRENCY_MISMATCH):
        said = f"{finding.detail} Resolve it without --as: the provider is asked, and then what was paid is accepted."
        raise Conflict(said, code="paid_unknown", subject=review.id)


def _provenance(review: Review) -> Provenance:
    return Provenance(source=Source.OPERATOR, evidence=review.id)


def _unfit(review: Review, about: str) -> Conflict:
    return Conflict(f"Review {review.id} is about {about}.", code="decision_unfit", subject=review.id)
