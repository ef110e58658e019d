"""The job that sends a staged mail, or withdraws it where it no longer holds."""

from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Email, ReviewKind
from payproc.mail import relevance
from payproc.mail.compose import compose
from payproc.mail.smtp import MailRefused, MailTrouble
from payproc.records.reviews import close_if_open, open_review

# One server, one review, however many mails wait for it.
_SERVER = "mail server"
# A server that is only started again is back by then.
_SOON_BACK = timedelta(minutes=15)
_LATELY = timedelta(hours=1)


def send_mail(app: Application, job: jobs.Claimed) -> None:
    """Run a `mail.send` job.

    A crash between the server's "250" and our commit sends the mail again with the same Message-ID, by which mail
    systems know it for the same one: SMTP offers no better. Raises MailTrouble, MailUnavailable or MailRefused.
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
    jobs.check_held(job)
    try:
        app.post(message)
    except MailTrouble as trouble:
        _ask_once(app, job, trouble)
        raise
    with app.database.transaction() as session:
        # First, for a run that lost its lease must not write: the one after it may have withdrawn the mail.
        jobs.finish(session, job)
        session.get_one(Email, job.subject).sent_at = _now(session)
        if job.attempts > 1:
            # Only what has waited can have waited for the server: the rest is spared a statement.
            close_if_open(session, ReviewKind.MAIL_TROUBLE, _SERVER, resolution="Mail goes again.")


def _ask_once(app: Application, job: jobs.Claimed, trouble: MailTrouble) -> None:
    """Put the server before a person, once for all the mail that waits for it.

    Raises MailRefused for a mail that met the trouble alone, for as long as patience lasts.
    """
    patience = job.kind.policy.patience
    assert patience is not None
    with app.database.transaction() as session:
        waited = _now(session) - job.staged_at
        if waited > patience and _others_went(session):
            raise MailRefused(f"Other mail goes, and for {patience.days} days this did not: {trouble.message}")
        if trouble.refused or waited > _SOON_BACK:
            detail = f"{trouble.message} Every mail waits, and goes by itself once it is mended."
            open_review(session, ReviewKind.MAIL_TROUBLE, _SERVER, detail=detail)


def _others_went(session: Session) -> bool:
    lately = Email.sent_at > func.now() - _LATELY
    return session.scalars(select(exists().where(lately))).one()


def _now(session: Session) -> datetime:
    moment: datetime = session.scalars(select(func.now())).one()
    return moment
