"""Why a payment is in its state: everything that is on record about it, in order."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CompoundSelect, literal, select, union_all
from sqlalchemy.orm import Session

from payproc.database.models import (
    Dispute,
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
    rows = session.scalars(
        select(PaymentEvent).where(PaymentEvent.payment_id == payment.id).order_by(PaymentEvent.number)
    )
    return [
        Entry(at=event.at, what=f"payment.{event.fact}", sentence=_event_sentence(event), evidence=event.evidence)
        for event in rows
    ]


def _event_sentence(event: PaymentEvent) -> str:
    if event.fact is Fact.CREATED:
        return f"created as {event.to_status}"
    told = f"{event.fact.replace('_', ' ')}, told by {event.source}"
    return _effect_sentence(told, event.effect, before=event.from_status, now=event.to_status, detail=event.detail)


def _effect_sentence(told: str, effect: Effect, *, before: str | None, now: str, detail: str | None) -> str:
    why = f" ({detail})" if detail else ""
    match effect:
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
    return [_email(email) for email in rows]


def _email(email: Email) -> Entry:
    told = f"{email.kind} ({email.about})" if email.about else email.kind.value
    if email.withdrawn_at:
        sentence = f"{told} not sent: it was no longer true"
        return Entry(at=email.withdrawn_at, what="mail.withdrawn", sentence=sentence, evidence=email.id)
    if email.sent_at:
        return Entry(at=email.sent_at, what="mail.sent", sentence=f"{told} sent", evidence=email.id)
    return Entry(at=email.created_at, what="mail.owed", sentence=f"{told} not sent yet", evidence=email.id)


def _refunds(session: Session, payment: Payment) -> list[Entry]:
    return [entry for refund in refunds_of(session, payment) for entry in _refund_events(session, refund)]


def _refund_events(session: Session, refund: Refund) -> list[Entry]:
    money = refund.money
    rows = session.scalars(select(RefundEvent).where(RefundEvent.refund_id == refund.id).order_by(RefundEvent.number))
    return [
        Entry(
            at=event.at,
            what=f"refund.{event.fact}",
            sentence=f"refund of {money} {_refund_sentence(refund, event)}",
            evidence=refund.id if event.fact is RefundFact.ASKED else event.evidence,
        )
        for event in rows
    ]


def _refund_sentence(refund: Refund, event: RefundEvent) -> str:
    if event.fact is RefundFact.ASKED:
        by = f"asked for by {refund.requested_by}" if refund.requested_by else "made in the provider's dashboard"
        return f"{by} ({refund.reason})" if refund.reason else by
    told = f"{event.fact.replace('_', ' ')}, told by {event.source}"
    return _effect_sentence(told, event.effect, before=event.from_status, now=event.to_status, detail=event.detail)


def _disputes(session: Session, payment: Payment) -> list[Entry]:
    return [entry for dispute in disputes_of(session, payment) for entry in _dispute_events(session, dispute)]


def _dispute_events(session: Session, dispute: Dispute) -> list[Entry]:
    money = dispute.money
    rows = session.scalars(
        select(DisputeEvent).where(DisputeEvent.dispute_id == dispute.id).order_by(DisputeEvent.number)
    )
    return [
        Entry(
            at=event.at,
            what=f"dispute.{event.told}",
            sentence=f"dispute {dispute.provider_dispute_id} of {money}: {_dispute_sentence(event)}",
            evidence=event.evidence,
        )
        for event in rows
    ]


def _dispute_sentence(event: DisputeEvent) -> str:
    told = f"{event.told.replace('_', ' ')}, told by {event.source}"
    return _effect_sentence(told, event.effect, before=event.from_status, now=event.to_status, detail=event.detail)


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
