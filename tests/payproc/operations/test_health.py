"""What anybody may ask is cheap however large the tables are, and is asked for once a second."""

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.models import User
from payproc.errors import ProviderUnavailable
from payproc.operations import health
from payproc.operations.health import OneAnswer
from payproc.reconcile import report

# Enough that a plan which reads the whole table is never the cheaper one.
_JOBS = """
    INSERT INTO jobs (id, kind, queue, subject, dedupe_key, state, finished_at)
    SELECT 'job_' || n, 'mail.send', 'mail', 'eml_' || n, 'mail.send:' || n, 'done', now() FROM generate_series(1, :n) n
"""
_HISTORY = (
    _JOBS,
    """
    INSERT INTO reviews (id, kind, subject, detail, resolved_at)
    SELECT 'rev_' || n, 'unsettled', 'pay_' || n, '', now() FROM generate_series(1, :n) n
    """,
    """
    INSERT INTO reconciliation_runs (id, loop, provider, period, state, dry_run, window_begin, window_end, finished_at)
    SELECT 'run_' || n, 'events', 'stripe', n, 'done', true, now(), now(), now() FROM generate_series(1, :n) n
    """,
    """
    INSERT INTO reconciliation_findings (id, run_id, loop, provider, kind, ours, theirs, detail, subject_at, closed_at)
    SELECT 'fnd_' || n, 'run_1', 'events', 'stripe', 'unreadable', '', n, '', now(), now()
    FROM generate_series(1, :n) n
    """,
    """
    INSERT INTO payments (id, user_id, payment_method, dialect, environment, live_mode, amount_minor, currency,
                          reference, description, metadata, status, completed_at)
    SELECT 'pay_' || n, :user, 'stripe', 'checkout', 'test', false, 1, 'usd', 'P' || n, '', '{}', 'completed', now()
    FROM generate_series(1, :n) n
    """,
    "ANALYZE",
)
_ASKED: dict[str, Callable[[Session], Any]] = {
    "backlog": health.backlog,
    "payments": health.payments_by_status,
    "findings": report.open_by_kind,
    "runs": report.last_runs,
}


@contextmanager
def large(app: Application, customer: User) -> Iterator[Session]:
    """Tables of which all rows are history; nothing of it stays."""
    with suppress(Enough), app.database.transaction() as session:
        for statement in _HISTORY:
            session.execute(text(statement), {"user": customer.id, "n": 5000})
        yield session
        raise Enough


class Enough(Exception):
    """Seen: roll it back."""


@pytest.mark.parametrize("asked", _ASKED)
def test_no_figure_reads_a_whole_table_of_history(app: Application, customer: User, asked: str) -> None:
    with large(app, customer) as session:
        with statements() as sent:
            _ASKED[asked](session)
        plans = [line for statement in sent for line in generic_plan(session, statement)]
    assert [line for line in plans if "Seq Scan" in line] == []
    assert plans


def generic_plan(session: Session, statement: str) -> list[str]:
    """How the server carries it out once it is prepared, when it no longer sees the parameters."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        names.append(found[1])
        return f"${len(names)}"

    numbered = re.sub(r"%\((\w+)\)s", number, statement)
    connection = session.connection().connection.driver_connection
    assert connection is not None
    return [line for (line,) in connection.execute(f"EXPLAIN (GENERIC_PLAN) {numbered}".encode()).fetchall()]


@contextmanager
def statements() -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_backlog_of_any_size_is_counted_to_a_bound(app: Application) -> None:
    with app.database.transaction() as session:
        session.execute(text(_JOBS), {"n": 20})
        session.execute(text("UPDATE jobs SET state = 'dead' WHERE id LIKE 'job_1%'"))
        session.execute(text("UPDATE jobs SET state = 'ready', due_at = now() - interval '1 min' WHERE state = 'done'"))
        found = health.backlog(session, counted_to=7)
    assert (found["jobs_due"], found["jobs_dead"]) == (7, 7)
    assert found["oldest_due_seconds"] >= 60


class TestOneAnswer:
    def test_everybody_has_the_same_for_its_life(self) -> None:
        answer = OneAnswer(partial(next, itertools.count(1)), life=60)
        assert {answer.get() for _ in range(100)} == {1}

    def test_after_it_the_next_asks_again(self) -> None:
        answer = OneAnswer(partial(next, itertools.count(1)), life=0)
        assert [answer.get(), answer.get()] == [1, 2]

    @pytest.mark.parametrize(("longest", "meanwhile"), [(60, "old"), (0, None)])
    def test_nobody_waits_while_one_asks(self, longest: float, meanwhile: str | None) -> None:
        go, asked, answers = threading.Event(), threading.Semaphore(0), iter(["old", "new"])

        def ask() -> str:
            asked.release()
            assert go.wait(20)
            return next(answers)

        answer = OneAnswer(ask, life=0, longest=longest)
        go.set()
        assert answer.get() == "old"
        assert asked.acquire(timeout=20)
        go.clear()
        other = threading.Thread(target=answer.get)
        other.start()
        assert asked.acquire(timeout=20)
        # What was known is an answer meanwhile, unless the next one takes too long.
        with nullcontext() if meanwhile else pytest.raises(PoolTimeout):
            assert answer.get() == meanwhile
        go.set()
        other.join()

    def test_a_failure_is_no_answer_and_is_not_kept(self) -> None:
        outcomes: Iterator[str | ProviderUnavailable] = iter([ProviderUnavailable("away"), "well"])

        def ask() -> str:
            outcome = next(outcomes)
            if isinstance(outcome, ProviderUnavailable):
                raise outcome
            return outcome

        answer = OneAnswer(ask, life=60)
        with pytest.raises(ProviderUnavailable):
            answer.get()
        assert answer.get() == "well"
