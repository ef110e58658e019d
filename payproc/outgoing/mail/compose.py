"""Composing a mail: the message a mail server is handed, text and HTML."""

from email.utils import format_datetime
from typing import assert_never

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from sqlalchemy.orm import Session

from payproc.application import Letter
from payproc.database.models import Email, EmailKind, Payment, User
from payproc.domain.phrases import Kind, Part, Value, as_markup, as_text, one_line
from payproc.outgoing.mail import headers
from payproc.outgoing.mail.customers import customer_message
from payproc.outgoing.mail.letter import letter
from payproc.outgoing.mail.message import Message
from payproc.outgoing.mail.operators import (
    digest_message,
    dispute_message,
    endpoint_disabled_message,
    finding_message,
)
from payproc.settings import Settings

# A Nastaliq has Latin letters as an afterthought, and would make a line of digits as tall as its own.
_LATIN = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;line-height:1.3"
_LEFT_TO_RIGHT = Markup('<bdi dir="ltr" style="{}">').format(_LATIN)
_LATIN_WORDS = Markup('<bdi dir="auto" style="{}">').format(_LATIN)
_WORDS, _END = Markup('<bdi dir="auto">'), Markup("</bdi>")


def _markup(part: Part) -> Markup:
    return as_markup(part, _marked)


def _marked(value: Value) -> Markup:
    plain = one_line(value.text)
    if value.kind is not Kind.WORDS:
        return _LEFT_TO_RIGHT + plain.replace(" ", "\N{NO-BREAK SPACE}") + _END
    return (_LATIN_WORDS if plain.isascii() else _WORDS) + plain + _END


_templates = Environment(
    loader=PackageLoader("payproc.outgoing.mail"),
    # By file name: the text half must not turn `&` into `&amp;`, the HTML half must.
    autoescape=select_autoescape(enabled_extensions=("html",), default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_templates.filters |= {"text": as_text, "markup": _markup}
# Once for a process, which what is deployed does not change under.
_TEXT, _HTML = (_templates.get_template(f"message.{ending}") for ending in ("txt", "html"))


def compose(session: Session, email: Email, *, settings: Settings) -> Letter:
    """Compose a mail from what stands now; composed again it has the same Message-ID.

    Raises MailRefused where its recipient is none, or where it would not arrive as it was written.
    """
    match email.kind:
        case EmailKind.RECEIPT | EmailKind.FAILURE | EmailKind.REFUND | EmailKind.REFUND_FAILED:
            payment = session.get_one(Payment, email.payment_id)
            user = session.get_one(User, payment.user_id)
            message = customer_message(session, email, user=user, payment=payment, settings=settings)
            return _mail(message, email, name=user.full_name, settings=settings)
        case EmailKind.DISPUTE:
            message = dispute_message(session, email, settings=settings)
            return _mail(message, email, name="", settings=settings)
        case EmailKind.DIGEST:
            return _mail(digest_message(session, email), email, name="", settings=settings)
        case EmailKind.FINDING:
            return _mail(finding_message(session, email), email, name="", settings=settings)
        case EmailKind.WEBHOOK_DISABLED:
            return _mail(endpoint_disabled_message(session, email), email, name="", settings=settings)
        case _:
            assert_never(email.kind)


def _mail(message: Message, email: Email, *, name: str, settings: Settings) -> Letter:
    subject = as_text(message.subject, message.language.direction)
    written = {
        "Subject": headers.text("Subject", subject),
        "From": headers.mailbox(settings.merchant_name or "", settings.mail_from),
        "To": headers.mailbox(name, email.recipient),
        "Date": format_datetime(email.created_at),
        "Message-ID": f"<{email.id}@{settings.mail_from.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
    }
    return letter(
        written,
        plain=_TEXT.render(message=message, subject=subject),
        html=_HTML.render(message=message, subject=subject),
        key=email.id,
        sender=settings.mail_from,
        recipient=email.recipient,
        language=message.language.locale.value,
    )
