"""Messages to operators, in English: what somebody has to do, and by when."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from payproc.database.models import Dispute, Email, Payment, ReconciliationFinding, Review, ReviewKind, WebhookEndpoint
from payproc.domain.languages import ENGLISH
from payproc.domain.phrases import Phrase, amount, code, phrase, words
from payproc.domain.states import DisputeStatus
from payproc.outgoing.mail.digest import OpenReviews, open_reviews
from payproc.outgoing.mail.message import Message, Row, Section
from payproc.settings import Settings

DISPUTES: Mapping[DisputeStatus, str] = {
    DisputeStatus.INQUIRY: "the bank asks about the payment; no money has moved, and an answer may end it",
    DisputeStatus.INQUIRY_UNDER_REVIEW: "the bank reads our answer to its question; no money has moved",
    DisputeStatus.INQUIRY_CLOSED: "the bank's question is closed; no money has moved",
    DisputeStatus.UNKNOWN: "the provider said something we do not know: look it up there",
    DisputeStatus.NEEDS_RESPONSE: "evidence is asked for",
    DisputeStatus.UNDER_REVIEW: "the evidence is with the bank",
    DisputeStatus.PREVENTED: "ended before it began",
    DisputeStatus.WON: "won: the money is ours again",
    DisputeStatus.LOST: "lost: the money has gone back to the customer",
    DisputeStatus.APPEAL_NEEDS_RESPONSE: "the other side appeals, and evidence is asked for",
    DisputeStatus.APPEAL_UNDER_REVIEW: "the appeal is with the bank",
}
# What one question may take of a mail; the whole of it is in `review list`.
_LONGEST_DETAIL = 300


def dispute_message(session: Session, email: Email, *, settings: Settings) -> Message:
    """Return word of one change of a dispute, beside what stands by the time it is sent."""
    dispute_id, _, told = email.about.partition(":")
    dispute, payment = session.get_one(Dispute, dispute_id), session.get_one(Payment, email.payment_id)
    disputed = amount(dispute.money)
    return Message(
        language=ENGLISH,
        subject=phrase(
            "Dispute {told}: {amount}, {reference}",
            told=code(_spelt(told)),
            amount=disputed,
            reference=code(payment.reference),
        ),
        heading="Dispute",
        figure=disputed,
        lines=(phrase(f"We were told: {DISPUTES[DisputeStatus(told)]}."),),
        rows=_dispute_rows(dispute, payment, settings=settings),
        warning=None if payment.live_mode else phrase("This is a dispute of a test payment."),
    )


def _dispute_rows(dispute: Dispute, payment: Payment, *, settings: Settings) -> tuple[Row, ...]:
    due = dispute.evidence_due_at
    return (
        Row(label="Stands now", value=phrase(f"{_spelt(dispute.status)}: {DISPUTES[dispute.status]}")),
        Row(label="Reason", value=words(_spelt(dispute.reason or "none given"))),
        Row(label="Evidence until", value=code(_utc(due) if due else "no deadline told")),
        Row(label="Dispute", value=code(dispute.provider_dispute_id)),
        Row(label="Payment", value=code(payment.id)),
        Row(label="Paid", value=amount(payment.money)),
        Row(label="Link", value=code(f"{settings.public_base_url}/api/v1/payments/{payment.id}")),
    )


def finding_message(session: Session, email: Email) -> Message:
    """Return word of a difference that cannot wait."""
    finding = session.get_one(ReconciliationFinding, email.about)
    kind, provider = code(_spelt(finding.kind)), code(finding.provider)
    return Message(
        language=ENGLISH,
        subject=phrase("Critical difference: {kind}, {provider}", kind=kind, provider=provider),
        heading="Critical difference",
        figure=kind,
        lines=(phrase("{detail}", detail=words(_shortened(finding.detail))),),
        rows=(
            Row(label="Ours", value=code(finding.ours or "none")),
            Row(label="Theirs", value=code(finding.theirs or "none")),
            Row(label="Found", value=code(_utc(finding.opened_at))),
            Row(label="Finding", value=code(finding.id)),
        ),
        closing=phrase("All that is open: python -m payproc reconcile show --findings"),
    )


def endpoint_disabled_message(session: Session, email: Email) -> Message:
    """Return word that a webhook's endpoint is called no more."""
    endpoint = session.get_one(WebhookEndpoint, email.about.partition(":")[0])
    return Message(
        language=ENGLISH,
        subject=phrase("Webhook endpoint disabled: {id}", id=code(endpoint.id)),
        heading="Webhook endpoint disabled",
        figure=code(endpoint.id),
        lines=(
            phrase("Nothing is delivered to it any more: {reason}.", reason=words(endpoint.disabled_reason or "")),
            phrase("What waited for it has ended as failed. Once it is mended, enable it and replay what it missed."),
        ),
        rows=(
            Row(label="Address", value=code(endpoint.url)),
            Row(label="Failing since", value=code(_utc(endpoint.failing_since) if endpoint.failing_since else "now")),
        ),
    )


def digest_message(session: Session, email: Email) -> Message:
    """Return what has come to wait for a person since the last digest."""
    told = open_reviews(session, email.about)
    new, in_all = code(told.new), code(told.in_all)
    return Message(
        language=ENGLISH,
        subject=phrase("Waiting for you: {new} new, {all} in all", new=new, all=in_all),
        heading="Questions for a person",
        figure=phrase("{new} new", new=new),
        lines=(phrase("{all} open in all. Those opened since the last mail:", all=in_all),),
        sections=tuple(_sections(told.listed)),
        closing=_rest(told),
    )


def _sections(listed: Sequence[Review]) -> list[Section]:
    # What comes first stays first: the kind with the oldest question, and within it the oldest.
    kinds = dict.fromkeys(review.kind for review in listed)
    return [_section(kind, [review for review in listed if review.kind is kind]) for kind in kinds]


def _section(kind: ReviewKind, reviews: Sequence[Review]) -> Section:
    return Section(heading=f"{_spelt(kind).capitalize()} ({len(reviews)})", items=tuple(map(_item, reviews)))


def _item(review: Review) -> Phrase:
    at, detail = code(_utc(review.opened_at)), words(_shortened(review.detail))
    return phrase("{at}, {id}: {detail}", at=at, id=code(review.id), detail=detail)


def _shortened(detail: str) -> str:
    return detail if len(detail) <= _LONGEST_DETAIL else f"{detail[:_LONGEST_DETAIL]}…"


def _rest(told: OpenReviews) -> Phrase:
    more = told.new - len(told.listed)
    rest = f"{more} more are not listed. " if more else ""
    return phrase(f"{rest}All of them: python -m payproc review list")


def _spelt(word: str) -> str:
    return word.replace("_", " ")


def _utc(at: datetime) -> str:
    return f"{at:%d %B %Y, %H:%M} UTC"
