"""Runs and findings seeded as rows, with times of a test's choice."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payproc.application import Application
from payproc.database.models import FindingKind, Loop, ReconciliationFinding, ReconciliationRun, RunState
from payproc.providers.stripe import STRIPE

_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """Short words for rows; each returns the id it made. `now` is the same for the whole test."""

    app: Application
    now: datetime

    @property
    def today(self) -> datetime:
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)

    def run(self, *, started_at: datetime, finished_at: datetime | None = None, **changes: Any) -> str:
        values: dict[str, Any] = {
            "loop": Loop.OBJECTS,
            "provider": STRIPE,
            "period": f"seeded {next(_numbers)}",
            "state": RunState.DONE,
            "window_begin": started_at - timedelta(days=1),
            "window_end": started_at,
            "started_at": started_at,
            "finished_at": finished_at or started_at,
        }
        made = ReconciliationRun(**(values | changes))
        with self.app.database.transaction() as session:
            session.add(made)
        return made.id

    def finding(self, kind: FindingKind, *, opened_at: datetime, **changes: Any) -> str:
        number = next(_numbers)
        values: dict[str, Any] = {
            "kind": kind,
            "provider": STRIPE,
            "loop": Loop.OBJECTS,
            "ours": "",
            "theirs": f"pi_{number}",
            "detail": f"Something differs about pi_{number}.",
            "subject_at": opened_at,
            "opened_at": opened_at,
        }
        if "run_id" not in changes:
            changes["run_id"] = self.run(started_at=opened_at)
        made = ReconciliationFinding(**(values | changes))
        with self.app.database.transaction() as session:
            session.add(made)
        return made.id

    def many(self, number: int) -> None:
        """Seed so many open findings of one run."""
        run_id = self.run(started_at=self.now)
        rows = [
            ReconciliationFinding(
                kind=FindingKind.MISSING_LOCAL,
                provider=STRIPE,
                loop=Loop.OBJECTS,
                ours="",
                theirs=f"ch_{each}",
                detail="No row of ours.",
                subject_at=self.now,
                run_id=run_id,
            )
            for each in range(number)
        ]
        with self.app.database.transaction() as session:
            session.add_all(rows)


@pytest.fixture
def seeded(app: Application) -> Seeded:
    return Seeded(app=app, now=datetime.now(UTC))
