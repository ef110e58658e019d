from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from sqlalchemy import text

from payproc.database.models import EmailKind, ReviewKind
from payproc.jobs import Kind
from payproc.operations import clock
from payproc.outgoing.mail.digest import LISTED
from tests.support.mailbox import Mailbox, part

HOUR = timedelta(hours=1)
# Past every review that a test opens, by more than the longest transaction.
NOON = datetime(2100, 1, 1, 12, tzinfo=UTC)


def tick(mailbox: Mailbox, at: datetime) -> bool:
    with mailbox.app.database.transaction() as session:
        return clock.tick(session, Kind.DIGEST, now=at)


def opened_at(mailbox: Mailbox, subject: str, at: datetime) -> None:
    mailbox.ask(subject, detail=f"about {subject}")
    with mailbox.app.database.transaction() as session:
        session.execute(
            text("UPDATE reviews SET opened_at = :at WHERE subject = :subject"), {"at": at, "subject": subject}
        )


def read(posted: list[EmailMessage]) -> list[str]:
    return [part(message, "plain") for message in posted]


def test_two_clocks_send_one_digest(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    mailbox.ask("a")
    assert [tick(mailbox, NOON), tick(mailbox, NOON + timedelta(minutes=59))] == [True, False]
    mailbox.work()
    assert [message["To"] for message in posted] == ["operators@shop.pk"]
    assert posted[0]["Subject"] == "Waiting for you: 1 new, 1 in all"


def test_nothing_is_sent_when_nothing_is_new(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    tick(mailbox, NOON)
    mailbox.work()
    mailbox.ask("a")
    tick(mailbox, NOON + HOUR)
    mailbox.work()
    tick(mailbox, NOON + 2 * HOUR)
    mailbox.work()
    assert len(posted) == 1
    assert len(mailbox.emails(EmailKind.DIGEST)) == 1


def test_each_question_is_told_by_one_digest(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    opened_at(mailbox, "early", NOON - HOUR)
    tick(mailbox, NOON)
    mailbox.work()
    # So young that its transaction might not have been seen at noon: the next one tells it.
    opened_at(mailbox, "at the stroke", NOON - timedelta(seconds=30))
    opened_at(mailbox, "late", NOON + timedelta(minutes=5))
    tick(mailbox, NOON + 3 * HOUR)
    mailbox.work()

    first, second = read(posted)
    assert "about early" in first
    assert "about early" not in second
    assert "about at the stroke" in second
    assert "about late" in second
    assert posted[1]["Subject"] == "Waiting for you: 2 new, 3 in all"


def test_what_was_answered_meanwhile_is_not_told(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    opened_at(mailbox, "answered", NOON - HOUR)
    opened_at(mailbox, "open", NOON - HOUR)
    with mailbox.app.database.transaction() as session:
        session.execute(text("UPDATE reviews SET resolved_at = now(), resolution = 'x' WHERE subject = 'answered'"))
    tick(mailbox, NOON)
    mailbox.work()
    [body] = read(posted)
    assert "about open" in body
    assert "answered" not in body


def test_questions_are_grouped_by_kind_and_the_oldest_is_first(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    opened_at(mailbox, "two", NOON - 2 * HOUR)
    opened_at(mailbox, "three", NOON - HOUR)
    mailbox.ask("one", kind=ReviewKind.UNSETTLED, detail="about one")
    with mailbox.app.database.transaction() as session:
        session.execute(text("UPDATE reviews SET opened_at = :at WHERE subject = 'one'"), {"at": NOON - 3 * HOUR})
    tick(mailbox, NOON)
    mailbox.work()
    [body] = read(posted)
    places = [body.index(word) for word in ("Unsettled (1)", "about one", "Finding (2)", "about two", "about three")]
    assert places == sorted(places)


def test_a_flood_of_questions_is_counted_and_not_listed(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    for number in range(LISTED + 7):
        opened_at(mailbox, f"<{number}>", NOON - 2 * HOUR + timedelta(seconds=number))
    tick(mailbox, NOON)
    mailbox.work()
    [body] = read(posted)
    assert body.count("about <") == LISTED
    assert "about <0>" in body
    assert "7 more are not listed." in body


def test_a_long_detail_is_cut(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    mailbox.ask("a", detail="x" * 5000)
    tick(mailbox, NOON)
    mailbox.work()
    [body] = read(posted)
    assert "x" * 300 + "…" in body
    assert "x" * 301 not in body
