"""A process that dies at a commit, either side of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from payproc.database.engine import Database, Parameters
from tests.support.world import World


class Crash(BaseException):
    """The process is gone: no handler of ours may catch it."""


class DyingDatabase(Database):
    """A database whose client dies at its n-th commit, either side of it."""

    def __init__(self, url: str, *, commit: int, after: bool) -> None:
        super().__init__(url, pool_size=1)
        self.commits_left = commit
        self._after = after

    def rows_once(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        # What has not committed might as well not have been sent.
        self._come_to_a_commit()
        found = super().rows_once(statement, parameters, after=after)
        self._be_past_it()
        return found

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
            self._come_to_a_commit()
        self._be_past_it()

    def _come_to_a_commit(self) -> None:
        self.commits_left -= 1
        if self.commits_left == 0 and not self._after:
            raise Crash

    def _be_past_it(self) -> None:
        if self.commits_left == 0:
            raise Crash


def live_and_die(world: World, *, commit: int, after: bool) -> bool:
    """Run what is due until death; tell whether it came. Then the lease runs out."""
    dying = DyingDatabase(world.app.settings.database_url, commit=commit, after=after)
    try:
        with pytest.raises(Crash):
            replace(world, app=replace(world.app, database=dying)).drain()
    except pytest.fail.Exception:
        died = False
    else:
        died = True
    dying.dispose()
    world.make_due()
    return died
