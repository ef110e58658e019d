"""Receipts: one per completed payment, owed from the moment it completes, sent when a mail server takes it."""

from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.models import Email, EmailKind, Order, Payment, User
from payproc.money import Money
from payproc.settings import Settings

_templates = Environment(
    loader=PackageLoader("payproc"),
    # By file name: the text half must not turn `&` into `&amp;`, the HTML half must.
    autoescape=select_autoescape(enabled_extensions=("html",), default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def stage_receipt(session: Session, payment: Payment) -> None:
    """Owe the customer a receipt. A payment that completes twice (refund undone) owes no second one."""
    user = session.get_one(User, payment.user_id)
    email_id = session.scalar(
        insert(Email)
        .values(payment_id=payment.id, kind=EmailKind.RECEIPT, recipient=user.email)
        .on_conflict_do_nothing(index_elements=[Email.payment_id, Email.kind])
        .returning(Email.id)
    )
    if email_id is not None:
        jobs.stage(session, jobs.Kind.SEND_MAIL, email_id)


def send_receipt(app: Application, job: jobs.Begun) -> None:
    """Run a `mail.send` job.

    A crash between the server's "250" and our commit sends the mail again with the same Message-ID, by which mail
    systems know it for the same one: SMTP offers no better. Raises MailUnavailable or MailRefused.
    """
    with app.database.transaction() as session:
        email = session.get_one(Email, job.subject)
        if email.sent_at is not None:
            jobs.finish(session, job)
            return
        message = receipt_message(session, email, settings=app.settings)
    app.post(message)
    with app.database.transaction() as session:
        email = session.get_one(Email, job.subject, with_for_update=True)
        email.sent_at = session.scalars(select(func.now())).one()
        jobs.finish(session, job)


def receipt_message(session: Session, email: Email, *, settings: Settings) -> EmailMessage:
    """Compose the receipt, text and HTML."""
    payment = session.get_one(Payment, email.payment_id)
    user = session.get_one(User, payment.user_id)
    order = session.get(Order, payment.order_id) if payment.order_id else None
    assert payment.completed_at is not None
    facts = {
        "name": user.full_name,
        "amount": str(Money.of(payment.amount_minor, payment.currency)),
        "description": payment.description,
        "reference": payment.reference,
        "payment_id": payment.id,
        "order": order.reference if order else None,
        "paid_at": payment.completed_at.strftime("%d %B %Y, %H:%M UTC"),
        "live_mode": payment.live_mode,
    }
    message = EmailMessage()
    message["Subject"] = f"Receipt: {facts['amount']}, {payment.reference}"
    message["From"] = settings.mail_from
    message["To"] = formataddr((_one_line(user.full_name), email.recipient))
    message["Date"] = format_datetime(payment.completed_at)
    message["Message-ID"] = f"<{email.id}@{settings.mail_from.rpartition('@')[2].rstrip('>') or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates.get_template("receipt.txt").render(facts))
    message.add_alternative(_templates.get_template("receipt.html").render(facts), subtype="html")
    return message


def _one_line(text: str) -> str:
    # A line break in a header would start a header of the sender's choosing.
    return " ".join(text.split())
