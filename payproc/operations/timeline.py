"""Why a payment is in its state, in order: for the staff everything that is on record, for its customer their share.

An entry says for itself what the customer is told of it. Most say nothing: what we sent under which key, who of the
staff decided what and why, and what went wrong in between is no business of theirs.
"""

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
from payproc.outgoing.mail.languages.vocabulary import TOLD_TO_CUSTOMERS
from payproc.records.disputes import disputes_of
from payproc.records.refunds import refunds_of


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened, or is due (`at` in UTC; in the future for what is planned)."""

    at: datetime
    what: str
    sentence: str
    # What the payment's customer is told instead; None is nothing.
    for_customer: str | None = None
    evidence: str | None = None
    # Of what moved a payment, a refund or a dispute, or was known or too late to move it: who said so.
    from_status: str | None = None
    to_status: str | None = None
    source: str | None = None


def timeline(session: Session, payment: Payment) -> list[Entry]:
    """Return everything that is known about the payment, oldest first: for the merchant's staff."""
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


def customers_timeline(session: Session, payment: Payment) -> list[Entry]:
    """Return what a payment's customer may know of it, oldest first.

    What moved it, its refunds and disputes, the mails to them, and what comes next; never whose decision something was,
    why it was made, or what proves it.
    """
    return [
        replace(entry, sentence=entry.for_customer, for_customer=None, evidence=None)
        for entry in timeline(session, payment)
        if entry.for_customer is not None
    ]


def _events(session: Session, payment: Payment) -> list[Entry]:
    events = select(PaymentEvent).where(PaymentEvent.payment_id == payment.id)
    return [
        _told(f"payment.{event.fact}", _event_sentence(event), event, for_customer=_bare_event_sentence(event))
        for event in session.scalars(events.order_by(PaymentEvent.number))
    ]


def _told(
    what: str, sentence: str, event: PaymentEvent | RefundEvent | DisputeEvent, *, for_customer: str | None = None
) -> Entry:
    return Entry(
        at=event.at,
        what=what,
        sentence=sentence,
        for_customer=for_customer,
        evidence=event.evidence,
        from_status=event.from_status,
        to_status=event.to_status,
        source=event.source,
    )


def _event_sentence(event: PaymentEvent) -> str:
    return _bare_event_sentence(event) if event.fact is Fact.CREATED else _effect_sentence(event.fact, event)


def _bare_event_sentence(event: PaymentEvent) -> str:
    return f"created as {event.to_status}" if event.fact is Fact.CREATED else _bare_sentence(event.fact, event)


def _effect_sentence(fact: str, event: PaymentEvent | RefundEvent | DisputeEvent) -> str:
    said = _bare_sentence(fact, event)
    return f"{said} ({event.detail})" if event.detail else said


def _bare_sentence(fact: str, event: PaymentEvent | RefundEvent | DisputeEvent) -> str:
    told = f"{fact.replace('_', ' ')}, told by {event.source}"
    before, now = event.from_status, event.to_status
    match event.effect:
        case Effect.MOVED if before is None:
            return told
        case Effect.MOVED:
            return f"{told}: {before} became {now}"
        case Effect.SAME:
            return f"{told}: stays {now}"
        case Effect.LATE:
            return f"{told}, too late to change {now}"


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
    at, what, sentence = email.created_at, "mail.owed", f"{told} not sent yet"
    if email.withdrawn_at:
        at, what, sentence = email.withdrawn_at, "mail.withdrawn", f"{told} not sent: it was no longer true"
    elif email.sent_at:
        at, what, sentence = email.sent_at, "mail.sent", f"{told} sent"
    shown = sentence if email.kind in TOLD_TO_CUSTOMERS else None
    return Entry(at=at, what=what, sentence=sentence, for_customer=shown, evidence=email.id)


def _refunds(session: Session, payment: Payment) -> Iterator[Entry]:
    for refund in refunds_of(session, payment):
        events = select(RefundEvent).where(RefundEvent.refund_id == refund.id)
        for event in session.scalars(events.order_by(RefundEvent.number)):
            named = f"refund of {refund.money}"
            shown = f"{named} {_bare_refund_sentence(payment, refund, event)}"
            sentence = f"{named} {_refund_sentence(refund, event)}"
            entry = _told(f"refund.{event.fact}", sentence, event, for_customer=shown)
            yield replace(entry, evidence=refund.id) if event.fact is RefundFact.ASKED else entry


def _refund_sentence(refund: Refund, event: RefundEvent) -> str:
    if event.fact is RefundFact.ASKED:
        by = f"asked for by {refund.requested_by}" if refund.requested_by else "made in the provider's dashboard"
        return f"{by} ({refund.reason})" if refund.reason else by
    return _effect_sentence(event.fact, event)


def _bare_refund_sentence(payment: Payment, refund: Refund, event: RefundEvent) -> str:
    if event.fact is not RefundFact.ASKED:
        return _bare_sentence(event.fact, event)
    if refund.requested_by != payment.user_id:
        return "made by the shop"
    return f"asked for by the customer ({refund.reason})" if refund.reason else "asked for by the customer"


def _disputes(session: Session, payment: Payment) -> Iterator[Entry]:
    for dispute in disputes_of(session, payment):
        named = f"dispute {dispute.provider_dispute_id} of {dispute.money}"
        events = select(DisputeEvent).where(DisputeEvent.dispute_id == dispute.id)
        for event in session.scalars(events.order_by(DisputeEvent.number)):
            sentence, shown = _effect_sentence(event.told, event), _bare_sentence(event.told, event)
            yield _told(f"dispute.{event.told}", f"{named}: {sentence}", event, for_customer=f"{named}: {shown}")


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
            for_customer=_PLANS.get(job.kind) if job.state is JobState.READY else None,
            evidence=job.id,
        )
        for job in rows
    ]


def _job_sentence(job: Job) -> str:
    plan = _PLANS.get(job.kind, job.kind)
    state = plan if job.state is JobState.READY else f"given up: {plan}"
    return f"{state} (start {job.attempts}; last error: {job.last_error})" if job.last_error else state
