"""More work than hands: what goes first, what share the rest has, and what is not sent for at all."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from payproc import jobs
from payproc.database.engine import Database
from payproc.jobs import Dispatched, Kind
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE

MINUTE = timedelta(minutes=1)
RELAYS_LIMIT = 200
# Three messages of twenty.
SHARE = 60

_MANY = """
INSERT INTO jobs (id, kind, queue, subject, dedupe_key, due_at)
SELECT :prefix || n, :kind, :queue, :prefix || n, :prefix || n, now() - interval '1 hour'
FROM generate_series(1, :count) n
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


def many(database: Database, kind: Kind, count: int, *, queue: str = "provider.stripe") -> None:
    """Stage as much work, due for an hour."""
    with database.transaction() as session:
        told = {"kind": kind.value, "queue": queue, "count": count, "prefix": f"{kind}-{queue}-"}
        session.execute(text(_MANY), told)


def dispatch(database: Database, **more: object) -> list[Dispatched]:
    return jobs.dispatch(database, limit=RELAYS_LIMIT, lease=MINUTE, **more)  # type: ignore[arg-type]  # a test's own words


def everything(database: Database, *, passes: int = 20) -> Counter[Kind]:
    """What a relay sends while nobody begins anything."""
    return Counter(each.kind for _ in range(passes) for each in dispatch(database))


def test_a_payment_that_starts_goes_before_four_thousand_polls_that_are_due(database: Database) -> None:
    many(database, Kind.INQUIRE_PAYMENT, 4000)
    everything(database)
    for kind in (Kind.START_PAYMENT, Kind.SEND_REFUND):
        with database.transaction() as session:
            jobs.stage(session, kind, "pay_waited_for", method=STRIPE)
    assert {each.kind for each in dispatch(database)} == {Kind.START_PAYMENT, Kind.SEND_REFUND}


def test_polls_that_nobody_begins_are_a_few_messages_in_the_list(database: Database) -> None:
    many(database, Kind.INQUIRE_PAYMENT, 4000)
    assert 20 <= everything(database).total() <= SHARE


def test_each_providers_polls_have_a_share_of_their_own(database: Database) -> None:
    many(database, Kind.INQUIRE_PAYMENT, 4000)
    everything(database)
    many(database, Kind.INQUIRE_PAYMENT, 30, queue=jobs.provider_queue(JAZZ_CASH))
    assert everything(database).total() == 30


def test_polls_have_their_share_however_much_starts(database: Database) -> None:
    many(database, Kind.START_PAYMENT, 5000)
    many(database, Kind.INQUIRE_PAYMENT, 500)
    first = dispatch(database)
    kinds = Counter(each.kind for each in first)
    assert (kinds[Kind.START_PAYMENT], kinds[Kind.INQUIRE_PAYMENT]) == (100, 40)
    assert first[0].kind is Kind.INQUIRE_PAYMENT, "behind a hundred starts they would be stale before their turn"


def test_of_what_goes_one_by_one_no_more_is_sent_than_is_begun_before_it_is_stale(database: Database) -> None:
    many(database, Kind.START_PAYMENT, 5000)
    many(database, Kind.APPLY_NOTICE, 5000, queue="notices")
    sent = everything(database)
    assert sent[Kind.START_PAYMENT] == 100
    assert sent[Kind.APPLY_NOTICE] >= 1000, "twenty messages"


def test_nothing_is_sent_for_into_a_list_that_is_longer_than_what_is_leased(database: Database) -> None:
    many(database, Kind.START_PAYMENT, 10)
    many(database, Kind.CANCEL_PAYMENT, 10, queue=jobs.provider_queue(JAZZ_CASH))
    stale = {"provider.stripe": 3}
    assert {each.queue for each in dispatch(database, messages=stale)} == {jobs.provider_queue(JAZZ_CASH)}
    assert {each.queue for each in dispatch(database, messages={})} == {"provider.stripe"}
    with database.transaction() as session:
        jobs.stage(session, Kind.START_PAYMENT, "pay_new", method=STRIPE)
    assert len(dispatch(database, messages={"provider.stripe": 10})) == 1, "ten leased, and their ten messages"


def begin(database: Database, sent: list[Dispatched]) -> None:
    jobs.claim(database, [(each.job_id, each.token) for each in sent], token=uuid4(), lease=MINUTE)


def notices(database: Database, *names: str) -> None:
    with database.transaction() as session:
        for name in names:
            jobs.stage(session, Kind.APPLY_NOTICE, name)


def test_notices_wait_for_a_fuller_message_while_one_that_was_just_sent_is_not_begun(database: Database) -> None:
    notices(database, "ntc_1")
    first = dispatch(database)
    notices(database, "ntc_2")
    assert dispatch(database) == []
    begin(database, first)
    notices(database, "ntc_3")
    assert [each.subject for each in dispatch(database)] == ["ntc_2", "ntc_3"]


def test_a_full_message_of_notices_waits_for_none(database: Database) -> None:
    notices(database, "ntc_1")
    assert len(dispatch(database)) == 1
    many(database, Kind.APPLY_NOTICE, Kind.APPLY_NOTICE.policy.batch, queue="notices")
    assert len(dispatch(database)) == Kind.APPLY_NOTICE.policy.batch


def test_a_message_that_nobody_begins_keeps_others_waiting_for_a_moment_only(database: Database) -> None:
    notices(database, "ntc_1")
    dispatch(database)
    notices(database, "ntc_2")
    with database.transaction() as session:
        passed = text("UPDATE jobs SET leased_until = leased_until - CAST(:by AS interval) WHERE subject = 'ntc_1'")
        session.execute(passed, {"by": jobs.JUST_NOW})
    assert [each.subject for each in dispatch(database)] == ["ntc_2"]


def test_other_work_waits_for_no_message(database: Database) -> None:
    notices(database, "ntc_1")
    many(database, Kind.START_PAYMENT, 1)
    dispatch(database)
    notices(database, "ntc_2")
    with database.transaction() as session:
        jobs.stage(session, Kind.START_PAYMENT, "pay_new", method=STRIPE)
        jobs.stage(session, Kind.SEND_MAIL, "eml_1")
    assert {each.kind for each in dispatch(database)} == {Kind.START_PAYMENT, Kind.SEND_MAIL}


def test_what_is_sent_says_until_when_its_message_is_good(database: Database) -> None:
    with database.transaction() as session:
        jobs.stage(session, Kind.START_PAYMENT, "pay_1", method=STRIPE)
    token = uuid4()
    [sent] = dispatch(database, token=token)
    [again] = jobs.recall(database, token)
    assert again.until == sent.until
    assert timedelta(seconds=50) < sent.until - datetime.now(UTC) <= MINUTE
