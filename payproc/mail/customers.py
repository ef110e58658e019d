"""Messages to customers: what became of their money, in their language."""

from sqlalchemy.orm import Session

from payproc.database.models import Email, Order, Payment, Refund, User
from payproc.domain.phrases import Value, amount, code, phrase, words
from payproc.mail.languages import LANGUAGES
from payproc.mail.languages.vocabulary import Vocabulary
from payproc.mail.message import Message, Row


def customer_message(session: Session, email: Email, *, user: User, payment: Payment) -> Message:
    """Return a receipt, or word of a failure or a refund, in the language its reader has now."""
    spoken = LANGUAGES[user.locale]
    said = spoken.messages[email.kind]
    refund = session.get_one(Refund, email.about) if email.about else None
    moment = spoken.language.moment(spoken.moment, email.created_at, zone=spoken.zone)
    parts = {"amount": amount((refund or payment).money), "reference": code(payment.reference)}
    return Message(
        language=spoken.language,
        subject=phrase(said.subject, **parts),
        heading=said.heading,
        figure=parts["amount"],
        lines=(
            phrase(spoken.greeting, name=words(user.full_name)),
            *(phrase(line, **parts) for line in said.lines),
        ),
        rows=(
            Row(label=said.amount, value=parts["amount"]),
            *_rows(session, payment, refund, spoken=spoken),
            Row(label=said.moment, value=moment),
        ),
        warning=None if payment.live_mode else phrase(spoken.test),
        closing=phrase(spoken.keep),
    )


def _rows(session: Session, payment: Payment, refund: Refund | None, *, spoken: Vocabulary) -> list[Row]:
    order = session.get(Order, payment.order_id) if payment.order_id else None
    told: list[tuple[str, Value | None]] = [
        (spoken.description, words(payment.description)),
        (spoken.order, words(order.reference) if order else None),
        (spoken.reference, code(payment.reference)),
        (spoken.refund, code(refund.id) if refund else None),
    ]
    return [Row(label=label, value=value) for label, value in told if value is not None]
