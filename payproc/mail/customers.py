"""Letters to customers: what became of their money, in their language."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from payproc.database.models import Email, Order, Payment, Refund, User
from payproc.domain.money import Money
from payproc.mail.languages import LANGUAGES
from payproc.mail.languages.vocabulary import Vocabulary
from payproc.mail.message import Letter, Row
from payproc.mail.phrases import Phrase, Value, alone, code, words


def customer_letter(session: Session, email: Email, *, user: User, payment: Payment) -> Letter:
    """Return a receipt, or word of a failure or a refund, in the language its reader has now."""
    language = LANGUAGES[user.locale]
    said = language.letters[email.kind]
    refund = session.get_one(Refund, email.about) if email.about else None
    parts = {"amount": code(_amount(refund or payment)), "reference": code(payment.reference)}
    return Letter(
        locale=language.locale,
        direction=language.direction,
        subject=Phrase(sentence=said.subject, parts=parts),
        heading=said.heading,
        figure=alone(parts["amount"]),
        lines=(
            Phrase(sentence=language.greeting, parts={"name": words(user.full_name)}),
            *(Phrase(sentence=line, parts=parts) for line in said.lines),
        ),
        rows=(
            Row(label=said.amount, value=alone(parts["amount"])),
            *_rows(session, payment, refund, language=language),
            Row(label=said.moment, value=moment(language, email.created_at)),
        ),
        warning=None if payment.live_mode else Phrase(sentence=language.test),
        closing=Phrase(sentence=language.keep),
    )


def _amount(told: Payment | Refund) -> Money:
    return told.money


def _rows(session: Session, payment: Payment, refund: Refund | None, *, language: Vocabulary) -> list[Row]:
    order = session.get(Order, payment.order_id) if payment.order_id else None
    told: list[tuple[str, Value | None]] = [
        (language.description, words(payment.description)),
        (language.order, words(order.reference) if order else None),
        (language.reference, code(payment.reference)),
        (language.refund, code(refund.id) if refund else None),
    ]
    return [Row(label=label, value=alone(value)) for label, value in told if value is not None]


def moment(language: Vocabulary, at: datetime) -> Phrase:
    """Write a time as the clocks of a language's readers show it; the words beside it say whose they are."""
    there = at.astimezone(ZoneInfo(language.zone))
    return Phrase(
        sentence=language.moment,
        parts={
            "day": code(there.day),
            "month": words(language.months[there.month - 1]),
            "year": code(there.year),
            "clock": code(f"{there:%H:%M}"),
            "half_day_clock": code(f"{there.hour % 12 or 12}:{there:%M}"),
            "part": words(language.day_parts[there.hour]),
        },
    )
