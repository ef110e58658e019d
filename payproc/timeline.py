"""Why a payment is in its state: everything that is on record about it, in order."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CompoundSelect, literal, select, union_all
from sqlalchemy.orm import Session

from payproc.jobs import Kind
from payproc.models import Email, Job, JobState, Notice, Payment, PaymentEvent, ProviderCall, Refund, Review
from payproc.money import Money
from payproc.states import Effect, Fact


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened, or is due (`at` in UTC; in the future for what is planned)."""

    at: datetime
    what: str
    sentence: str
    evidence: str | None = None


def timeline(session: Session, payment: Payment) -> list[Entry]:
    """Return what is known about the payment, oldest first."""
    past = [
        *_events(session, payment),
        *_calls(session, payment),
        *_notices(session, payment),
        *_emails(session, payment),
        *_reviews(session, payment),
        *_refunds(session, payment),
    ]
    # What is due stands last: a job staged with the payment bears the start of its transaction, before its event.
    planned = _open_jobs(session, payment)
    return [entry for part in (past, planned) for entry in sorted(part, key=lambda entry: entry.at)]


def _events(session: Session, payment: Payment) -> list[Entry]:
    rows = session.scalars(
        select(PaymentEvent).where(PaymentEvent.payment_id == payment.id).order_by(PaymentEvent.number)
    )
    return [
        Entry(at=event.at, what=f"payment.{event.fact}", sentence=_event_sentence(event), evidence=event.evidence)
        for event in rows
    ]


def _event_sentence(event: PaymentEvent) -> str:
    told = f"{event.fact.replace('_', ' ')}, told by {event.source}"
    detail = f" ({event.detail})" if event.detail else ""
    match event.effect:
        case Effect.MOVED if event.fact is Fact.CREATED:
            return f"created as {event.to_status}"
        case Effect.MOVED:
            return f"{told}: {event.from_status} became {event.to_status}{detail}"
        case Effect.SAME:
            return f"{told}: stays {event.to_status}{detail}"
        case Effect.LATE:
            return f"{told}, too late to change {event.to_status}{detail}"


def _subjects(payment: Payment) -> CompoundSelect[str]:
    return union_all(select(literal(payment.id)), select(Refund.id).where(Refund.payment_id == payment.id))


def _calls(session: Session, payment: Payment) -> list[Entry]:
    rows = session.scalars(select(ProviderCall).where(ProviderCall.subject.in_(_subjects(payment))))
    entries: list[Entry] = []
    for call in rows:
        name = f"{call.provider} {call.operation}"
        entries.append(
            Entry(
                at=call.created_at,
                what="call.intended",
                sentence=f"{name} written down, to be sent under key {call.idempotency_key}",
                evidence=call.id,
            )
        )
        if call.answered_at:
            entries.append(
                Entry(
                    at=call.answered_at,
                    what=f"call.{call.state}",
                    sentence=f"{name} {call.state}: {call.answer}",
                    evidence=call.id,
                )
            )
    return entries


def _notices(session: Session, payment: Payment) -> list[Entry]:
    rows = session.scalars(select(Notice).where(Notice.payment_id == payment.id))
    return [
        Entry(
            at=notice.received_at,
            what="notice.received",
            sentence=f"{notice.provider} told {notice.kind} ({notice.key}), {notice.state}",
            evidence=notice.id,
        )
        for notice in rows
    ]


def _emails(session: Session, payment: Payment) -> list[Entry]:
    rows = session.scalars(select(Email).where(Email.payment_id == payment.id))
    return [
        Entry(at=email.sent_at, what="mail.sent", sentence=f"{email.kind} sent", evidence=email.id)
        if email.sent_at
        else Entry(at=email.created_at, what="mail.owed", sentence=f"{email.kind} not sent yet", evidence=email.id)
        for email in rows
    ]


def _refunds(session: Session, payment: Payment) -> list[Entry]:
    entries: list[Entry] = []
    for refund in session.scalars(select(Refund).where(Refund.payment_id == payment.id)):
        money = Money.of(refund.amount_minor, refund.currency)
        reason = f" ({refund.reason})" if refund.reason else ""
        entries.append(
            Entry(
                at=refund.created_at,
                what="refund.requested",
                sentence=f"refund of {money} asked for by {refund.requested_by}{reason}",
                evidence=refund.id,
            )
        )
        if refund.settled_at:
            why = f": {refund.failure_message or refund.failure_code}" if refund.failure_code else ""
            entries.append(
                Entry(
                    at=refund.settled_at,
                    what=f"refund.{refund.status}",
                    sentence=f"refund of {money} {refund.status}{why}",
                    evidence=refund.id,
                )
            )
    return entries


def _reviews(session: Session, payment: Payment) -> list[Entry]:
    entries: list[Entry] = []
    for review in session.scalars(select(Review).where(Review.payment_id == payment.id)):
        entries.append(Entry(at=review.opened_at, what="review.opened", sentence=review.detail, evidence=review.id))
        if review.resolved_at:
            answer = review.resolution or "resolved"
            entries.append(Entry(at=review.resolved_at, what="review.resolved", sentence=answer, evidence=review.id))
    return entries


_PLANS: dict[str, str] = {
    Kind.START_PAYMENT: "to be started at the provider",
    Kind.PUSH_PAYMENT: "to be sent to the customer's wallet",
    Kind.SEND_REFUND: "to be given back by the provider",
    Kind.INQUIRE_REFUND: "the provider will be asked about the refund",
    Kind.INQUIRE_PAYMENT: "the provider will be asked again",
    Kind.CANCEL_PAYMENT: "to be called off at the provider",
}


def _open_jobs(session: Session, payment: Payment) -> list[Entry]:
    rows = session.scalars(select(Job).where(Job.subject.in_(_subjects(payment)), Job.state != JobState.DONE))
    return [
        Entry(
            at=job.due_at,
            what="job.due" if job.state is JobState.READY else "job.dead",
            sentence=_job_sentence(job),
            evidence=job.id,
        )
        for job in rows
    ]


def _job_sentence(job: Job) -> str:
    plan = _PLANS.get(job.kind, job.kind)
    state = plan if job.state is JobState.READY else f"given up: {plan}"
    return f"{state} (start {job.attempts}; last error: {job.last_error})" if job.last_error else state
