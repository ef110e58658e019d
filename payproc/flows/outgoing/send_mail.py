"""The jobs that send staged mail, or withdraw it where it no longer holds."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Row, String, any_, bindparam, exists, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application, Letter
from payproc.database.deferring import deferring
from payproc.database.engine import PASSING_TROUBLE, transaction_time
from payproc.database.models import Email, Payment, ReviewKind, User
from payproc.outgoing.mail import relevance
from payproc.outgoing.mail.compose import compose
from payproc.outgoing.mail.smtp import ConnectionLost, MailRefused, MailTrouble, MailUnavailable
from payproc.records.reviews import close_if_open, open_review

# One server, one review, however many mails wait for it.
_SERVER = "mail server"
# A server that is only started again is back by then.
_SOON_BACK = timedelta(minutes=15)
_LATELY = timedelta(hours=1)
# What the server has taken and we have not noted goes out again if we die meanwhile, with the same Message-ID, by which
# most of its readers show it once. To note each by itself costs as much as to send it. So a crash may repeat ten, or as
# many as go in half a second where the server is slow.
_MOST_UNNOTED = 10
_UNNOTED_SECONDS = 0.5
# Well within the time of a message: the last one that is begun may still take the server's four time-outs.
_LONGEST_SECONDS = 8

Failures = dict[str, Exception]


@dataclass(frozen=True, kw_only=True)
class _Composed:
    """A mail that is ready to go, and its job."""

    job: jobs.Claimed
    letter: Letter


def send_mail(app: Application, job: jobs.Claimed) -> None:
    """Run a `mail.send` job.

    A crash between the server's "250" and our commit sends the mail again with the same Message-ID, by which mail
    systems know it for the same one: SMTP offers no better. Raises MailTrouble, MailUnavailable or MailRefused.
    """
    for trouble in send_mails(app, [job]).values():
        raise trouble


def send_mails(app: Application, claimed: Sequence[jobs.Claimed]) -> Mapping[str, Exception]:
    """Run `mail.send` jobs on one connection to the mail server.

    Returns what kept those that did not go, by their jobs' ids: the server's word, a lost lease, or NotReached. What it
    raises came before anything was sent.
    """
    failed: Failures = {}
    composed = _compose_all(app, claimed, failed)
    if composed:
        _send_all(app, composed, failed)
        _ask_once(app, claimed, failed)
    return failed


def _compose_all(app: Application, claimed: Sequence[jobs.Claimed], failed: Failures) -> list[_Composed]:
    composed: list[_Composed] = []
    with app.database.transaction() as session, deferring(session):
        emails = {email.id: email for email in _wanted(session, claimed)}
        # Held for as long as they are looked up: a session forgets what nobody holds.
        beside = _payments_and_customers(session, emails.values())
        for job in claimed:
            email = emails[job.subject]
            if email.sent_at is not None or email.withdrawn_at is not None:
                jobs.finish(session, job)
            elif not _still_holds(session, email):
                jobs.finish(session, job)
                email.withdrawn_at = transaction_time(session)
            else:
                try:
                    letter = compose(session, email, settings=app.settings)
                except MailRefused as refused:
                    failed[job.id] = refused
                else:
                    composed.append(_Composed(job=job, letter=letter))
        del beside
    return composed


def _still_holds(session: Session, email: Email) -> bool:
    if relevance.still_holds(session, email):
        return True
    # Staged anew it is locked: who finds it not withdrawn yet leaves it, and what it tells must be read after that.
    session.refresh(email, with_for_update=True)
    if email.payment_id:
        session.refresh(session.get_one(Payment, email.payment_id))
    return relevance.still_holds(session, email)


# Put together once: each time it took longer than to ask.
_IDS = any_(bindparam("ids", type_=ARRAY(String)))
_WANTED = select(Email).where(Email.id == _IDS)
_BESIDE = select(Payment, User).join(User, User.id == Payment.user_id).where(Payment.id == _IDS)


def _wanted(session: Session, claimed: Sequence[jobs.Claimed]) -> Sequence[Email]:
    return session.scalars(_WANTED, {"ids": [job.subject for job in claimed]}).all()


def _payments_and_customers(session: Session, emails: Iterable[Email]) -> Sequence[Row[Payment, User]]:
    wanted = [email.payment_id for email in emails if email.payment_id]
    return session.execute(_BESIDE, {"ids": wanted}).all() if wanted else ()


def _send_all(app: Application, composed: Sequence[_Composed], failed: Failures) -> None:
    unnoted: list[jobs.Claimed] = []
    note_by = 0.0
    try:
        for job in _hand_over(app, composed, failed):
            if not unnoted:
                note_by = time.monotonic() + _UNNOTED_SECONDS
            unnoted.append(job)
            if len(unnoted) == _MOST_UNNOTED or time.monotonic() > note_by:
                _note_sent(app, unnoted, failed)
                unnoted = []
    finally:
        # Also where the time of the message is over: what has gone has gone.
        _note_sent(app, unnoted, failed)


def _hand_over(app: Application, composed: Sequence[_Composed], failed: Failures) -> Iterator[jobs.Claimed]:
    """Hand mails over on one connection; find the jobs of those that the server has taken, each at once."""
    waiting = deque(composed)
    last = time.monotonic() + _LONGEST_SECONDS
    try:
        with app.mailer.connection() as server:
            while waiting and time.monotonic() < last:
                job = waiting[0].job
                try:
                    jobs.check_held(job)
                    server.post(waiting[0].letter)
                except ConnectionLost:
                    raise
                except (MailRefused, MailUnavailable, jobs.LeaseLost) as trouble:
                    # Of this mail. The server may take the others, and says so at once if not.
                    failed[job.id] = trouble
                else:
                    yield job
                waiting.popleft()
    except ConnectionLost as lost:
        # Each of them would wait for the same server, as long as a socket waits.
        failed.update((each.job.id, lost) for each in waiting)
    else:
        late = jobs.NotReached("The mail server took its time with those before.")
        failed.update((each.job.id, late) for each in waiting)


def _note_sent(app: Application, sent: Sequence[jobs.Claimed], failed: Failures) -> None:
    if not sent:
        return
    try:
        with app.database.transaction() as session:
            # First, for a run that lost its lease must not write: the one after it may have withdrawn the mail.
            jobs.finish_all(session, sent)
            session.execute(_NOTE_SENT, {"ids": [job.subject for job in sent]})
            if any(job.attempts > 1 for job in sent):
                # Only what has waited can have waited for the server: the rest is spared a statement.
                close_if_open(session, ReviewKind.MAIL_TROUBLE, _SERVER, resolution="Mail goes again.")
    except jobs.LeaseLost as lost:
        if len(sent) == 1:
            failed[sent[0].id] = lost
            return
        # One is another run's by now. That the others went is noted all the same, or they would go again.
        for job in sent:
            _note_sent(app, [job], failed)
    except PASSING_TROUBLE as trouble:
        # They go again, later, as after a crash.
        failed.update((job.id, trouble) for job in sent)


_NOTE_SENT = text("UPDATE emails SET sent_at = now() WHERE id = ANY (CAST(:ids AS text[]))")


def _ask_once(app: Application, claimed: Sequence[jobs.Claimed], failed: Failures) -> None:
    """Put the server before a person, once for all the mail that waits for it.

    A mail that met the trouble alone, for as long as patience lasts, is refused.
    """
    troubled = [(job, trouble) for job in claimed if isinstance(trouble := failed.get(job.id), MailTrouble)]
    if not troubled:
        return
    with app.database.transaction() as session:
        for job, trouble in troubled:
            if refused := _ask_about(session, job, trouble):
                failed[job.id] = refused


def _ask_about(session: Session, job: jobs.Claimed, trouble: MailTrouble) -> MailRefused | None:
    patience = job.kind.policy.patience
    assert patience is not None
    waited = transaction_time(session) - job.staged_at
    if waited > patience and _others_went(session):
        return MailRefused(f"Other mail goes, and for {patience.days} days this did not: {trouble.message}")
    if trouble.refused or waited > _SOON_BACK:
        detail = f"{trouble.message} Every mail waits, and goes by itself once it is mended."
        open_review(session, ReviewKind.MAIL_TROUBLE, _SERVER, detail=detail)
    return None


def _others_went(session: Session) -> bool:
    lately = Email.sent_at > func.now() - _LATELY
    return session.scalars(select(exists().where(lately))).one()
