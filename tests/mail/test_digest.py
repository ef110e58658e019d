from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from sqlalchemy import text

from payproc.database.models import EmailKind, ReviewKind
from payproc.jobs import Kind
from payproc.mail.digest import LISTED
from payproc.operations import clock
from tests.support.mailbox import PostRoom, parsed, part

HOUR = timedelta(hours=1)
# Past every review that a test opens, by more than the longest transaction.
NOON = datetime(2100, 1, 1, 12, tzinfo=UTC)


def tick(room: PostRoom, at: datetime) -> bool:
    with room.app.database.transaction() as session:
        return clock.tick(session, Kind.DIGEST, now=at)


def opened_at(room: PostRoom, subject: str, at: datetime) -> None:
    room.ask(subject, detail=f"about {subject}")
    with room.app.database.transaction() as session:
        session.execute(
            text("UPDATE reviews SET opened_at = :at WHERE subject = :subject"), {"at": at, "subject": subject}
        )


def read(posted: list[EmailMessage]) -> list[str]:
    return [part(parsed(message), "plain") for message in posted]


def test_two_clocks_send_one_digest(room: PostRoom, posted: list[EmailMessage]) -> None:
    room.ask("a")
    assert [tick(room, NOON), tick(room, NOON + timedelta(minutes=59))] == [True, False]
    room.work()
    assert [message["To"] for message in posted] == ["operators@shop.pk"]
    assert posted[0]["Subject"] == "Waiting for you: 1 new, 1 in all"


def test_nothing_is_sent_when_nothing_is_new(room: PostRoom, posted: list[EmailMessage]) -> None:
    tick(room, NOON)
    room.work()
    room.ask("a")
    tick(room, NOON + HOUR)
    room.work()
    tick(room, NOON + 2 * HOUR)
    room.work()
    assert len(posted) == 1
    assert len(room.emails(EmailKind.DIGEST)) == 1


def test_each_question_is_told_by_one_digest(room: PostRoom, posted: list[EmailMessage]) -> None:
    opened_at(room, "early", NOON - HOUR)
    tick(room, NOON)
    room.work()
    # So young that its transaction might not have been seen at noon: the next one tells it.
    opened_at(room, "at the stroke", NOON - timedelta(seconds=30))
    opened_at(room, "late", NOON + timedelta(minutes=5))
    tick(room, NOON + 3 * HOUR)
    room.work()

    first, second = read(posted)
    assert "about early" in first
    assert "about early" not in second
    assert "about at the stroke" in second
    assert "about late" in second
    assert posted[1]["Subject"] == "Waiting for you: 2 new, 3 in all"


def test_what_was_answered_meanwhile_is_not_told(room: PostRoom, posted: list[EmailMessage]) -> None:
    opened_at(room, "answered", NOON - HOUR)
    opened_at(room, "open", NOON - HOUR)
    with room.app.database.transaction() as session:
        session.execute(text("UPDATE reviews SET resolved_at = now(), resolution = 'x' WHERE subject = 'answered'"))
    tick(room, NOON)
    room.work()
    [body] = read(posted)
    assert "about open" in body
    assert "answered" not in body


def test_questions_are_grouped_by_kind_and_the_oldest_is_first(room: PostRoom, posted: list[EmailMessage]) -> None:
    opened_at(room, "two", NOON - 2 * HOUR)
    opened_at(room, "three", NOON - HOUR)
    room.ask("one", kind=ReviewKind.UNSETTLED, detail="about one")
    with room.app.database.transaction() as session:
        session.execute(text("UPDATE reviews SET opened_at = :at WHERE subject = 'one'"), {"at": NOON - 3 * HOUR})
    tick(room, NOON)
    room.work()
    [body] = read(posted)
    places = [body.index(word) for word in ("Unsettled (1)", "about one", "Finding (2)", "about two", "about three")]
    assert places == sorted(places)


def test_a_flood_of_questions_is_counted_and_not_listed(room: PostRoom, posted: list[EmailMessage]) -> None:
    for number in range(LISTED + 7):
        opened_at(room, f"<{number}>", NOON - 2 * HOUR + timedelta(seconds=number))
    tick(room, NOON)
    room.work()
    [body] = read(posted)
    assert body.count("about <") == LISTED
    assert "about <0>" in body
    assert "7 more are not listed." in body


def test_a_long_detail_is_cut(room: PostRoom, posted: list[EmailMessage]) -> None:
    room.ask("a", detail="x" * 5000)
    tick(room, NOON)
    room.work()
    [body] = read(posted)
    assert "x" * 300 + "…" in body
    assert "x" * 301 not in body
