"""Composing a mail: the message a mail server is handed, text and HTML."""

from email.message import EmailMessage
from email.utils import format_datetime
from typing import assert_never

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from sqlalchemy.orm import Session

from payproc.database.models import Email, EmailKind, Payment, User
from payproc.domain.phrases import Kind, Part, Value, as_markup, as_text, one_line
from payproc.mail import headers
from payproc.mail.customers import customer_message
from payproc.mail.message import Message
from payproc.mail.operators import digest_message, dispute_message, finding_message
from payproc.settings import Settings

# A Nastaliq has Latin letters as an afterthought, and would make a line of digits as tall as its own.
_LATIN = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;line-height:1.3"


def _markup(part: Part) -> Markup:
    return as_markup(part, _marked)


def _marked(value: Value) -> Markup:
    plain = one_line(value.text)
    if value.kind is not Kind.WORDS:
        return Markup('<bdi dir="ltr" style="{}">{}</bdi>').format(_LATIN, plain.replace(" ", "\N{NO-BREAK SPACE}"))
    if plain.isascii():
        return Markup('<bdi dir="auto" style="{}">{}</bdi>').format(_LATIN, plain)
    return Markup('<bdi dir="auto">{}</bdi>').format(plain)


# What the standard library adds for the two halves, and the language of both.
_OF_THE_BODY = ("MIME-Version", "Content-Type", "Content-Language")

_templates = Environment(
    loader=PackageLoader("payproc.mail"),
    # By file name: the text half must not turn `&` into `&amp;`, the HTML half must.
    autoescape=select_autoescape(enabled_extensions=("html",), default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    # What is deployed does not change under a process: not a look at two files for each mail.
    auto_reload=False,
)
_templates.filters |= {"text": as_text, "markup": _markup}


def compose(session: Session, email: Email, *, settings: Settings) -> EmailMessage:
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
        case _:
            assert_never(email.kind)


def _mail(message: Message, email: Email, *, name: str, settings: Settings) -> EmailMessage:
    subject = as_text(message.subject, message.language.direction)
    written = {
        "Subject": headers.text("Subject", subject),
        "From": headers.mailbox(settings.merchant_name or "", settings.mail_from),
        "To": headers.mailbox(name, email.recipient),
        "Date": format_datetime(email.created_at),
        "Message-ID": f"<{email.id}@{settings.mail_from.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
    }
    mail = headers.with_headers(written)
    # Seven bits: not every server on the way takes eight, and none is asked.
    mail.set_content(_written("message.txt", message, subject=subject), cte="quoted-printable")
    page = _written("message.html", message, subject=subject)
    mail.add_alternative(page, subtype="html", cte="quoted-printable")
    # No line of a quoted-printable text holds this (RFC 2045 §6.7): nobody need look whether one does.
    mail.set_boundary(f"=_{email.id}")
    # Last: whatever begins with Content- would have moved into the first part.
    mail["Content-Language"] = message.language.locale.value
    headers.check(mail, names=(*written, *_OF_THE_BODY), recipient=email.recipient)
    return mail


def _written(template: str, message: Message, *, subject: str) -> str:
    return _templates.get_template(template).render(message=message, subject=subject)
