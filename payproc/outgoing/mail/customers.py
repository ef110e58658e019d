"""Messages to customers: what became of their money, in their language."""

from sqlalchemy.orm import Session

from payproc.database.models import Email, EmailKind, Order, Payment, Refund, User
from payproc.domain.phrases import Phrase, Value, amount, code, phrase, words
from payproc.outgoing.mail.headers import display_name
from payproc.outgoing.mail.languages import LANGUAGES
from payproc.outgoing.mail.languages.vocabulary import Vocabulary
from payproc.outgoing.mail.message import Message, Row
from payproc.settings import Settings


def customer_message(session: Session, email: Email, *, user: User, payment: Payment, settings: Settings) -> Message:
    """Return a receipt, or word of a failure or a refund, in the language its reader has now."""
    spoken = LANGUAGES[user.locale]
    said, method = spoken.messages[email.kind], spoken.method_of(payment.payment_method)
    refund = session.get_one(Refund, email.about) if email.about else None
    parts = {
        "amount": amount((refund or payment).money),
        "reference": code(payment.reference),
        "method": words(method.label),
    }
    lines = (*said.lines, *(method.returns if email.kind is EmailKind.REFUND else ()))
    return Message(
        language=spoken.language,
        subject=phrase(said.subject, **parts),
        heading=said.heading,
        figure=parts["amount"],
        lines=(
            phrase(spoken.greeting, name=words(display_name(user.full_name))),
            *(phrase(line, **parts) for line in lines),
        ),
        rows=(
            Row(label=said.amount, value=parts["amount"]),
            Row(label=said.moment, value=_moment(spoken, email, settings)),
            *_rows(session, payment, refund, spoken=spoken),
            *_merchant(spoken, settings),
        ),
        warning=None if payment.live_mode else phrase(spoken.test),
        closing=phrase(spoken.keep),
    )


def _moment(spoken: Vocabulary, email: Email, settings: Settings) -> Phrase:
    return spoken.language.moment(spoken.moment, email.created_at, zone=settings.merchant_time_zone)


def _rows(session: Session, payment: Payment, refund: Refund | None, *, spoken: Vocabulary) -> list[Row]:
    order = session.get(Order, payment.order_id) if payment.order_id else None
    return _told(
        (spoken.description, words(payment.description)),
        (spoken.order, words(order.reference) if order else None),
        (spoken.method, words(spoken.method_of(payment.payment_method).label)),
        (spoken.reference, code(payment.reference)),
        (spoken.receipt, code(payment.provider_receipt) if payment.provider_receipt else None),
        (spoken.refund, code(refund.id) if refund else None),
    )


def _merchant(spoken: Vocabulary, settings: Settings) -> list[Row]:
    name, contact = settings.merchant_name, settings.merchant_contact
    return _told(
        (spoken.merchant, words(name) if name else None),
        (spoken.contact, words(contact) if contact else None),
    )


def _told(*rows: tuple[str, Value | None]) -> list[Row]:
    return [Row(label=label, value=value) for label, value in rows if value is not None]
