"""The feed leaves nothing out, in whatever order transactions commit and however many read it at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.models import Event, User
from payproc.domain.ids import Prefix, new_id
from payproc.errors import InvalidRequest, NotFound
from payproc.outgoing import feed
from payproc.outgoing.feed import FeedPage, Whose
from payproc.outgoing.webhooks.event_types import EventType
from tests.support.waiting import wait_until
from tests.support.world import World

ALL = Whose()


def write(
    session: Session,
    *,
    shop: str | None = None,
    subject: str | None = None,
    sequence: int = 1,
    kind: str = "payment.completed",
) -> str:
    subject = subject or new_id(Prefix.PAYMENT)
    event = Event(
        type=kind, shop_id=shop, payment_id=subject, subject=subject, sequence=sequence, data='{"amount":19.90}'
    )
    session.add(event)
    session.flush()
    return event.id


def written(app: Application, **more: str | None) -> str:
    with app.database.transaction() as session:
        return write(session, **more)  # type: ignore[arg-type]  # its own words


def ids(page: FeedPage) -> list[str]:
    return [event.id for event in page.events]


def read(app: Application, whose: Whose = ALL, *, after: str | None = None, limit: int = 100) -> FeedPage:
    return feed.page(app.database, whose, after=after, limit=limit)


def read_two(app: Application, whose: Whose = ALL, *, after: str | None = None) -> FeedPage:
    """A page for which only two are placed, and looked at, at once."""
    return feed.page(app.database, whose, after=after, limit=100, at_once=2)


def test_what_was_written_first_and_commits_last_is_not_missed(app: Application) -> None:
    with app.database.transaction() as slow:
        early = write(slow)
        late = written(app)
        seen = read(app)
        assert ids(seen) == [late]
    assert ids(read(app, after=seen.next_after)) == [early]
    # And from then on everybody finds them in this order.
    assert ids(read(app)) == [late, early]


def test_a_reader_waits_for_one_who_gives_places_and_sees_what_it_placed_first(app: Application) -> None:
    first, second = sorted(written(app) for _ in range(2))
    with ThreadPoolExecutor() as others:
        with app.database.transaction() as placing:
            placing.execute(text(feed.LOCK))
            told = {"id": second}
            placing.execute(text("UPDATE events SET position = nextval('event_positions') WHERE id = :id"), told)
            reading = others.submit(read, app)
            wait_until(lambda: _who_waits_for_the_lock(app) == 1)
        assert ids(reading.result()) == [second, first]


_WHO_WAITS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _who_waits_for_the_lock(app: Application) -> int:
    found: int = app.database.single_statement(_WHO_WAITS, {})
    return found


def test_many_readers_find_every_event_once_and_in_one_order_while_it_is_written(app: Application, shop: User) -> None:
    writers, each = 4, 15
    at_once = threading.Barrier(writers)

    def write_some(number: int) -> list[str]:
        made = []
        for turn in range(each):
            with app.database.transaction() as session:
                made.append(write(session, shop=shop.id if (number + turn) % 2 else None))
                # Two hold theirs while others, that began later, commit.
                at_once.wait(timeout=20)
                if number % 2:
                    written(app)
        return made

    done = threading.Event()

    def read_on(whose: Whose) -> list[str]:
        found: list[str] = []
        after = None
        while True:
            is_last = done.is_set()
            page = read(app, whose, after=after, limit=7)
            found += ids(page)
            after = page.next_after
            if is_last and not page.is_more:
                return found

    with ThreadPoolExecutor(max_workers=writers + 3) as people:
        readers = [people.submit(read_on, whose) for whose in (ALL, ALL, Whose(shop_id=shop.id))]
        try:
            for writing in [people.submit(write_some, number) for number in range(writers)]:
                writing.result()
        finally:
            done.set()
        one, other, own = [reader.result() for reader in readers]
    with app.database.transaction() as session:
        everything = {event.id: event.shop_id for event in session.scalars(select(Event))}
    assert one == other
    assert sorted(one) == sorted(everything)
    assert own == [event for event in one if everything[event] == shop.id]


def test_an_event_of_a_payment_never_comes_before_an_earlier_one_of_it(app: Application) -> None:
    with app.database.transaction() as early:
        # The row's lock is waited for: who began first may come second.
        early.execute(text("SELECT now()"))
        with app.database.transaction() as session:
            first = write(session, subject="pay_1", sequence=1)
        second = write(early, subject="pay_1", sequence=2)
    assert ids(read(app)) == [first, second]


def test_pages_follow_each_other_to_the_end_and_go_on_from_there(app: Application) -> None:
    made = [written(app) for _ in range(5)]
    first = read(app, limit=2)
    second = read(app, after=first.next_after, limit=2)
    third = read(app, after=second.next_after, limit=2)
    assert ids(first) + ids(second) + ids(third) == made
    assert [page.is_more for page in (first, second, third)] == [True, True, False]
    nothing = read(app, after=third.next_after)
    assert (ids(nothing), nothing.next_after, nothing.is_more) == ([], made[-1], False)
    news = written(app)
    assert ids(read(app, after=nothing.next_after)) == [news]


def test_so_many_are_given_places_at_once_and_the_rest_at_the_next_look(app: Application) -> None:
    made = [written(app) for _ in range(5)]
    # Of the newest nothing can be said before what was written before it has its place.
    page = read_two(app, after=made[-1])
    assert (ids(page), page.next_after, page.is_more) == ([], made[-1], True)
    page = read_two(app)
    found = ids(page)
    while page.is_more:
        page = read_two(app, after=page.next_after)
        found += ids(page)
    assert found == made


def test_a_type_that_is_rare_is_looked_for_a_few_at_a_time(app: Application) -> None:
    made = [
        written(app, kind=kind) for kind in ("payment.created", "payment.created", "refund.pending", "payment.failed")
    ]
    types = feed.types_of("refund.*")
    first = feed.page(app.database, ALL, after=None, types=types, limit=10, at_once=2)
    assert (ids(first), first.next_after, first.is_more) == ([], made[1], True)
    second = feed.page(app.database, ALL, after=first.next_after, types=types, limit=10, at_once=2)
    assert (ids(second), second.next_after) == ([made[2]], made[3])


def test_a_payments_events_are_found_past_any_backlog(app: Application) -> None:
    for _ in range(3):
        written(app)
    mine = written(app, subject="pay_1")
    assert ids(read_two(app, Whose(payment_id="pay_1"))) == [mine]


def test_what_is_pruned_unknown_or_somebody_elses_is_no_place_to_go_on_from(app: Application, shop: User) -> None:
    theirs = written(app)
    for after in (theirs, "evt_of_nobody"):
        with pytest.raises(InvalidRequest) as caught:
            read(app, Whose(shop_id=shop.id), after=after)
        assert (caught.value.code, caught.value.field) == ("event_not_kept", "after")
    with pytest.raises(NotFound):
        feed.one(app.database, Whose(shop_id=shop.id), theirs)
    assert feed.one(app.database, ALL, theirs).id == theirs


def test_types_are_named_one_by_one_or_by_what_they_are_about() -> None:
    assert feed.types_of("order.paid") == [EventType.ORDER_PAID]
    assert set(feed.types_of("order.*")) == {EventType.ORDER_PAID, EventType.ORDER_EXPIRED}
    assert set(feed.types_of(None)) == set(EventType)
    for wrong in ("order", "order.", ".*", "*", "order.*.*", "orders.paid"):
        with pytest.raises(InvalidRequest):
            feed.types_of(wrong)


def test_every_change_of_a_real_payment_is_in_the_feed_in_sequence(world: World) -> None:
    payment = world.paid()
    page = read(world.app, Whose(payment_id=payment.id))
    assert [event.sequence for event in page.events] == [1, 2, 3][: len(page.events)]
    assert page.events[0].type == "payment.created"
    assert page.events[-1].type == "payment.completed"


def test_who_looks_on_gives_no_places_and_sees_each_event_once(app: Application) -> None:
    first, second = written(app), written(app, kind="refund.pending")
    known = {first}
    minutes = timedelta(minutes=2)
    found = feed.recent(app.database, ALL, types=feed.types_of(None), within=minutes, known=known)
    assert [event.id for event in found] == [second]
    assert feed.recent(app.database, ALL, types=["payment.failed"], within=minutes, known=known) == []
    assert app.database.single_statement("SELECT count(*) FROM events WHERE position IS NOT NULL", {}) == 0
