"""Why a payment is in its state: everything that is on record about it, in order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import CompoundSelect, literal, select, union_all
from sqlalchemy.orm import Session

from payproc.database.models import (
    DisputeEvent,
    Email,
    Job,
    JobState,
    Notice,
    Payment,
    PaymentEvent,
    ProviderCall,
    Refund,
    RefundEvent,
    Review,
)
from payproc.domain.states import Effect, Fact, RefundFact
from payproc.jobs import Kind
from payproc.records.disputes import disputes_of
from payproc.records.refunds import refunds_of


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened, or is due (`at` in UTC; in the future for what is planned)."""

    at: datetime
    what: str
    sentence: str
    evidence: str | None = None
    # Of what moved a payment, a refund or a dispute, or was known or too late to move it: who said so.
    from_status: str | None = None
    to_status: str | None = None
    source: str | None = None


def timeline(session: Session, payment: Payment) -> list[Entry]:
    """Return what is known about the payment, oldest first."""
    past = [
        *_events(session, payment),
        *_calls(session, payment),
        *_notices(session, payment),
        *_emails(session, payment),
        *_reviews(session, payment),
        *_refunds(session, payment),
        *_disputes(session, payment),
    ]
    # What is due stands last: a job staged with the payment bears the start of its transaction, before its event.
    planned = _open_jobs(session, payment)
    return [entry for part in (past, planned) for entry in sorted(part, key=lambda entry: entry.at)]


def _events(session: Session, payment: Payment) -> list[Entry]:
    events = select(PaymentEvent).where(PaymentEvent.payment_id == payment.id)
    return [
        _told(f"payment.{event.fact}", _event_sentence(event), event)
        for event in session.scalars(events.order_by(PaymentEvent.number))
    ]


def _told(what: str, sentence: str, event: PaymentEvent | RefundEvent | DisputeEvent) -> Entry:
    return Entry(
        at=event.at,
        what=what,
        sentence=sentence,
        evidence=event.evidence,
        from_status=event.from_status,
        to_status=event.to_status,
        source=event.source,
    )


def _event_sentence(event: PaymentEvent) -> str:
    if event.fact is Fact.CREATED:
        return f"created as {event.to_status}"
    return _effect_sentence(event.fact, event)


def _effect_sentence(fact: str, event: PaymentEvent | RefundEvent | DisputeEvent) -> str:
    told = f"{fact.replace('_', ' ')}, told by {event.source}"
    before, now = event.from_status, event.to_status
    why = f" ({event.detail})" if event.detail else ""
    match event.effect:
        case Effect.MOVED if before is None:
            return f"{told}{why}"
        case Effect.MOVED:
            return f"{told}: {before} became {now}{why}"
        case Effect.SAME:
            return f"{told}: stays {now}{why}"
        case Effect.LATE:
            return f"{told}, too late to change {now}{why}"


def _subjects(payment: Payment) -> CompoundSelect[str]:
    return union_all(select(literal(payment.id)), select(Refund.id).where(Refund.payment_id == payment.id))


def _calls(session: Session, payment: Payment) -> Iterator[Entry]:
    for call in session.scalars(select(ProviderCall).where(ProviderCall.subject.in_(_subjects(payment)))):
        name = f"{call.provider} {call.operation}"
        sentence = f"{name} written down, to be sent under key {call.idempotency_key}"
        yield Entry(at=call.created_at, what="call.intended", sentence=sentence, evidence=call.id)
        if call.answered_at:
            answer = f"{name} {call.state}: {call.answer}"
            yield Entry(at=call.answered_at, what=f"call.{call.state}", sentence=answer, evidence=call.id)


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
    return [_email(email) for email in session.scalars(select(Email).where(Email.payment_id == payment.id))]


def _email(email: Email) -> Entry:
    told = f"{email.kind} ({email.about})" if email.about else email.kind.value
    if email.withdrawn_at:
        sentence = f"{told} not sent: it was no longer true"
        return Entry(at=email.withdrawn_at, what="mail.withdrawn", sentence=sentence, evidence=email.id)
    if email.sent_at:
        return Entry(at=email.sent_at, what="mail.sent", sentence=f"{told} sent", evidence=email.id)
    return Entry(at=email.created_at, what="mail.owed", sentence=f"{told} not sent yet", evidence=email.id)


def _refunds(session: Session, payment: Payment) -> Iterator[Entry]:
    for refund in refunds_of(session, payment):
        events = select(RefundEvent).where(RefundEvent.refund_id == refund.id)
        for event in session.scalars(events.order_by(RefundEvent.number)):
            sentence = f"refund of {refund.money} {_refund_sentence(refund, event)}"
            entry = _told(f"refund.{event.fact}", sentence, event)
            yield replace(entry, evidence=refund.id) if event.fact is RefundFact.ASKED else entry


def _refund_sentence(refund: Refund, event: RefundEvent) -> str:
    if event.fact is RefundFact.ASKED:
        by = f"asked for by {refund.requested_by}" if refund.requested_by else "made in the provider's dashboard"
        return f"{by} ({refund.reason})" if refund.reason else by
    return _effect_sentence(event.fact, event)


def _disputes(session: Session, payment: Payment) -> Iterator[Entry]:
    for dispute in disputes_of(session, payment):
        named = f"dispute {dispute.provider_dispute_id} of {dispute.money}"
        events = select(DisputeEvent).where(DisputeEvent.dispute_id == dispute.id)
        for event in session.scalars(events.order_by(DisputeEvent.number)):
            sentence = f"{named}: {_effect_sentence(event.told, event)}"
            yield _told(f"dispute.{event.told}", sentence, event)


def _reviews(session: Session, payment: Payment) -> Iterator[Entry]:
    for review in session.scalars(select(Review).where(Review.payment_id == payment.id)):
        yield Entry(at=review.opened_at, what="review.opened", sentence=review.detail, evidence=review.id)
        if review.resolved_at:
            answer = review.resolution or "resolved"
            yield Entry(at=review.resolved_at, what="review.resolved", sentence=answer, evidence=review.id)


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
