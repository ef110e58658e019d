"""Letters to operators, in English: what somebody has to do, and by when."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy.orm import Session

from payproc.database.models import Dispute, Email, Locale, Payment, Review, ReviewKind
from payproc.domain.states import DisputeStatus
from payproc.mail.digest import Questions, questions
from payproc.mail.message import Letter, Row, Section
from payproc.mail.phrases import Phrase, alone, code, words
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


def dispute_letter(session: Session, email: Email, *, settings: Settings) -> Letter:
    """Return word of one change of a dispute, beside what stands by the time it is sent."""
    dispute_id, _, told = email.about.partition(":")
    dispute, payment = session.get_one(Dispute, dispute_id), session.get_one(Payment, email.payment_id)
    amount = code(dispute.money)
    return Letter(
        locale=Locale.ENGLISH,
        direction="ltr",
        subject=Phrase(
            sentence="Dispute {told}: {amount}, {reference}",
            parts={"told": code(_spelt(told)), "amount": amount, "reference": code(payment.reference)},
        ),
        heading="Dispute",
        figure=alone(amount),
        lines=(Phrase(sentence=f"We were told: {DISPUTES[DisputeStatus(told)]}."),),
        rows=_dispute_rows(dispute, payment, settings=settings),
        warning=None if payment.live_mode else Phrase(sentence="This is a dispute of a test payment."),
    )


def _dispute_rows(dispute: Dispute, payment: Payment, *, settings: Settings) -> tuple[Row, ...]:
    due = dispute.evidence_due_at
    paid = payment.money
    return (
        Row(label="Stands now", value=Phrase(sentence=f"{_spelt(dispute.status)}: {DISPUTES[dispute.status]}")),
        Row(label="Reason", value=alone(words(_spelt(dispute.reason or "none given")))),
        Row(label="Evidence until", value=alone(code(_utc(due) if due else "no deadline told"))),
        Row(label="Dispute", value=alone(code(dispute.provider_dispute_id))),
        Row(label="Payment", value=alone(code(payment.id))),
        Row(label="Paid", value=alone(code(paid))),
        Row(label="Link", value=alone(code(f"{settings.public_base_url}/api/v1/payments/{payment.id}"))),
    )


def digest_letter(session: Session, email: Email) -> Letter:
    """Return what has come to wait for a person since the last digest."""
    told = questions(session, email.about)
    return Letter(
        locale=Locale.ENGLISH,
        direction="ltr",
        subject=Phrase(
            sentence="Waiting for you: {new} new, {all} in all",
            parts={"new": code(told.new), "all": code(told.in_all)},
        ),
        heading="Questions for a person",
        figure=Phrase(sentence="{new} new", parts={"new": code(told.new)}),
        lines=(
            Phrase(sentence="{all} open in all. Those opened since the last mail:", parts={"all": code(told.in_all)}),
        ),
        sections=tuple(_sections(told.listed)),
        closing=_rest(told),
    )


def _sections(listed: Sequence[Review]) -> list[Section]:
    # Both sorts keep what comes first first: the kind with the oldest question, and within it the oldest.
    kinds = list(dict.fromkeys(review.kind for review in listed))
    by_kind = groupby(sorted(listed, key=lambda review: kinds.index(review.kind)), key=lambda review: review.kind)
    return [_section(kind, list(reviews)) for kind, reviews in by_kind]


def _section(kind: ReviewKind, reviews: Sequence[Review]) -> Section:
    return Section(heading=f"{_spelt(kind).capitalize()} ({len(reviews)})", items=tuple(map(_item, reviews)))


def _item(review: Review) -> Phrase:
    return Phrase(
        sentence="{at}, {id}: {detail}",
        parts={
            "at": code(_utc(review.opened_at)),
            "id": code(review.id),
            "detail": words(_shortened(review.detail)),
        },
    )


def _shortened(detail: str) -> str:
    return detail if len(detail) <= _LONGEST_DETAIL else f"{detail[:_LONGEST_DETAIL]}…"


def _rest(told: Questions) -> Phrase:
    more = told.new - len(told.listed)
    rest = f"{more} more are not listed. " if more else ""
    return Phrase(sentence=f"{rest}All of them: python -m payproc review list")


def _spelt(word: str) -> str:
    return word.replace("_", " ")


def _utc(at: datetime) -> str:
    return f"{at:%d %B %Y, %H:%M} UTC"
