"""The job that sends a staged mail, or withdraws it where it no longer holds."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Email
from payproc.mail import relevance
from payproc.mail.compose import compose


def send_mail(app: Application, job: jobs.Claimed) -> None:
    """Run a `mail.send` job.

    A crash between the server's "250" and our commit sends the mail again with the same Message-ID, by which mail
    systems know it for the same one: SMTP offers no better. Raises MailUnavailable or MailRefused.
    """
    with app.database.transaction() as session:
        email = session.get_one(Email, job.subject)
        if email.sent_at is not None or email.withdrawn_at is not None:
            jobs.finish(session, job)
            return
        if not relevance.still_holds(session, email):
            jobs.finish(session, job)
            email.withdrawn_at = _now(session)
            return
        message = compose(session, email, settings=app.settings)
    app.post(message)
    with app.database.transaction() as session:
        # First, for a run that lost its lease must not write: the one after it may have withdrawn the mail.
        jobs.finish(session, job)
        session.get_one(Email, job.subject).sent_at = _now(session)


def _now(session: Session) -> datetime:
    moment: datetime = session.scalars(select(func.now())).one()
    return moment
