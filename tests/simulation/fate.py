"""What may befall a process: death, a lost answer, somebody else in between; and a database that knows of it."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import PoolProxiedConnection

from payproc.database.engine import Database, Parameters


class Death(BaseException):
    """The process is gone: no handler of ours may catch it."""


class Moment(StrEnum):
    """Where something may happen to a process: either side of what others can see."""

    BEFORE_COMMIT = "before a commit"
    AFTER_COMMIT = "after a commit"
    BETWEEN_STATEMENTS = "between two statements"
    AFTER_A_LOCK = "after a payment was locked"
    BEFORE_CALL = "before a call"
    AFTER_CALL = "after a call"
    BEFORE_MAIL = "before a mail"
    AFTER_MAIL = "after a mail"


class Blow(StrEnum):
    """What may happen there."""

    DEATH = "death"
    LOST_CONNECTION = "a lost connection"


_ASKS_FOR_A_LOCK = re.compile(r"FROM payments\b.*\bFOR (NO KEY )?UPDATE", re.DOTALL)
_WITHIN_A_TRANSACTION = (Moment.BETWEEN_STATEMENTS, Moment.AFTER_A_LOCK)
_OF_THE_DATABASE = (Moment.BEFORE_COMMIT, Moment.AFTER_COMMIT)
# So short that who waits for a lock of the process it has interrupted, which cannot let go of it, gives up.
_SHORT_WAIT = "SET lock_timeout = '20ms'"
_USUAL_WAIT = "SET lock_timeout = '10s'"


@dataclass(frozen=True, kw_only=True)
class _Interlude:
    """What somebody else is to do in between: after so many moments, or at the first of one kind `once` that is so."""

    act: Callable[[], None]
    after: int = 0
    at: Moment | None = None
    once: Callable[[], bool] = lambda: True


class Fate:
    """What is to happen, and at which moment from now; and a count of what did."""

    def __init__(self) -> None:
        self.met: Counter[str] = Counter()
        self.open_transactions = 0
        # Whether one process runs within another's transaction.
        self.is_within = False
        self._blow: tuple[int, Blow] | None = None
        self._trap: tuple[int, Callable[[], bool]] | None = None
        self._interlude: _Interlude | None = None

    def doom(self, blow: Blow, *, after: int) -> None:
        """Let a blow fall after so many moments more, on whatever process comes to it."""
        self._blow = (after, blow)

    def doom_call(self, *, once: Callable[[], bool], after: int) -> None:
        """Let a process die so many moments after the answer to the first call after which this is so."""
        self._trap = (after, once)

    def interrupt(self, act: Callable[[], None], *, after: int) -> None:
        """Let somebody else act in between, after so many moments more at which that can be."""
        self._interlude = _Interlude(act=act, after=after)

    def interrupt_call(self, act: Callable[[], None], *, once: Callable[[], bool]) -> None:
        """Let somebody else act before the answer to a call arrives: to the first after which this is so."""
        self._interlude = _Interlude(act=act, at=Moment.AFTER_CALL, once=once)

    def interrupt_lock(self, act: Callable[[], None]) -> None:
        """Let somebody else act as soon as a payment is locked, and before anything of it is changed."""
        self._interlude = _Interlude(act=act, at=Moment.AFTER_A_LOCK)

    def relent(self) -> None:
        """Let nothing happen from here on."""
        self._blow = self._trap = self._interlude = None

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Let nothing happen meanwhile: what the driver looks at is no moment of a process."""
        kept, self._blow, self._interlude = (self._blow, self._interlude), None, None
        try:
            yield
        finally:
            self._blow, self._interlude = kept

    def come_to(self, moment: Moment) -> None:
        """Come to a moment of a process. Raises Death, or psycopg's word for a connection that is lost."""
        self._let_others_act(moment)
        if self._trap is not None and moment is Moment.AFTER_CALL and self._trap[1]():
            self._blow, self._trap = (self._trap[0], Blow.DEATH), None
        if self._blow is None or moment in _WITHIN_A_TRANSACTION:
            # Death there is what it is before the commit.
            return
        left, blow = self._blow
        if left:
            self._blow = (left - 1, blow)
        elif blow is Blow.DEATH:
            self._blow = None
            self.met[f"{blow} {moment}"] += 1
            raise Death
        elif moment in _OF_THE_DATABASE:
            self._blow = None
            self.met[f"{blow} {moment}"] += 1
            raise psycopg.OperationalError("the server closed the connection unexpectedly")

    def wait(self, _seconds: float) -> None:
        """Sleep. Raises Death of a process that waits for the one it has interrupted: it would wait for ever."""
        if self.is_within:
            self.met["death while waiting for a lock"] += 1
            raise Death

    def _let_others_act(self, moment: Moment) -> None:
        if self._interlude is None:
            return
        act, left, at = self._interlude.act, self._interlude.after, self._interlude.at
        if at is not None and (moment is not at or not self._interlude.once()):
            return
        self._interlude = replace(self._interlude, after=left - 1) if left else None
        if left:
            return
        self.met[f"another process {moment}"] += 1
        open_transactions, self.open_transactions = self.open_transactions, 0
        self.is_within = open_transactions > 0
        try:
            act()
        finally:
            self.open_transactions, self.is_within = open_transactions, False


class MortalDatabase(Database):
    """A database whose client meets its fate at any commit, either side of it."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url, pool_size=8)
        self._fate = fate
        self._impatient: set[psycopg.Connection[tuple[object, ...]]] = set()
        commit = self._engine.dialect.do_commit

        def do_commit(connection: PoolProxiedConnection) -> None:
            fate.come_to(Moment.BEFORE_COMMIT)
            commit(connection)
            fate.come_to(Moment.AFTER_COMMIT)

        event.listen(self._engine, "checkout", self._wait_for_locks)
        # The one place through which every commit goes.
        self._engine.dialect.do_commit = do_commit  # type: ignore[method-assign, assignment]  # a function in place of a method

    def _wait_for_locks(self, connection: psycopg.Connection[tuple[object, ...]], *_: object) -> None:
        if self._fate.is_within or connection in self._impatient:
            before = connection.autocommit
            connection.autocommit = True
            connection.execute(_SHORT_WAIT if self._fate.is_within else _USUAL_WAIT)
            connection.autocommit = before
            (self._impatient.add if self._fate.is_within else self._impatient.discard)(connection)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self._fate.open_transactions += 1
        try:
            with super().transaction() as session:
                yield session
        finally:
            self._fate.open_transactions -= 1

    def rows_once(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        self._come_to(Moment.BEFORE_COMMIT)
        found = super().rows_once(statement, parameters, after=after)
        self._come_to(Moment.AFTER_COMMIT)
        return found

    def _come_to(self, moment: Moment) -> None:
        try:
            self._fate.come_to(moment)
        except psycopg.Error as lost:
            raise OperationalError(None, None, lost, connection_invalidated=True) from None


@contextmanager
def between_statements(fate: Fate) -> Iterator[None]:
    """Have every statement of an open transaction be a moment at which others may act."""
    execute = psycopg.Cursor.execute

    def come_between(cursor: Any, *arguments: Any, **options: Any) -> Any:
        if fate.open_transactions:
            fate.come_to(Moment.BETWEEN_STATEMENTS)
        done = execute(cursor, *arguments, **options)
        if fate.open_transactions and _ASKS_FOR_A_LOCK.search(str(arguments[0])):
            fate.come_to(Moment.AFTER_A_LOCK)
        return done

    with patch.object(psycopg.Cursor, "execute", come_between), patch.object(time, "sleep", fate.wait):
        yield
