"""What is told of runs and findings, over rows seeded with their times."""

import csv
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from payproc.application import Application
from payproc.database.models import FindingKind, Loop, RunState
from payproc.errors import InvalidRequest, NotFound
from payproc.providers.stripe import STRIPE
from payproc.reconcile import report, runs
from payproc.reconcile.classification import Severity, kinds_of
from payproc.reconcile.report import DriftOfKind, Wanted
from tests.support.seeding import Seeded

DAY = timedelta(days=1)


def test_every_kind_has_one_severity() -> None:
    assert sorted(kind for severity in Severity for kind in kinds_of(severity)) == sorted(FindingKind)
    assert FindingKind.LOCAL_AHEAD in kinds_of(Severity.CRITICAL)
    assert FindingKind.DISPUTE_UNKNOWN in kinds_of(Severity.LOOK)
    assert FindingKind.MISSED_EVENT in kinds_of(Severity.NOTE)


class TestDrift:
    def drift(self, app: Application, days: int = 3) -> list[report.DriftDay]:
        with app.database.transaction() as session:
            return report.drift(session, days=days)

    def test_every_day_is_told_the_last_one_is_today(self, app: Application, seeded: Seeded) -> None:
        told = self.drift(app, days=30)
        assert [each.day for each in told] == [(seeded.today - n * DAY).date() for n in reversed(range(30))]
        assert all(each.kinds == () for each in told)

    def test_a_finding_is_open_at_the_end_of_each_day_until_it_is_closed(
        self, app: Application, seeded: Seeded
    ) -> None:
        noon = seeded.today - 3 * DAY + timedelta(hours=12)
        seeded.finding(FindingKind.AMOUNT_MISMATCH, opened_at=noon, closed_at=noon + 2 * DAY)
        assert [self.told(each) for each in self.drift(app, days=5)] == [
            [], [("amount_mismatch", 1, 0, 1)], [("amount_mismatch", 0, 0, 1)], [("amount_mismatch", 0, 0, 0)], [],
        ]  # fmt: skip

    def test_what_is_repaired_is_opened_repaired_and_gone_on_one_day(self, app: Application, seeded: Seeded) -> None:
        noon = seeded.today - DAY + timedelta(hours=12)
        seeded.finding(FindingKind.MISSED_EVENT, opened_at=noon, closed_at=noon, repaired_at=noon)
        assert [self.told(each) for each in self.drift(app)] == [[], [("missed_event", 1, 1, 0)], []]

    def test_midnight_belongs_to_the_day_that_begins(self, app: Application, seeded: Seeded) -> None:
        midnight = seeded.today - DAY
        seeded.finding(FindingKind.STUCK, opened_at=midnight, closed_at=midnight + DAY, repaired_at=midnight + DAY)
        seeded.finding(FindingKind.UNREADABLE, opened_at=midnight - DAY, closed_at=midnight)
        assert [self.told(each) for each in self.drift(app)] == [
            [("unreadable", 1, 0, 1)],
            [("stuck", 1, 0, 1), ("unreadable", 0, 0, 0)],
            [("stuck", 0, 1, 0)],
        ]

    def test_what_was_opened_before_them_and_is_still_open_is_in_every_day(
        self, app: Application, seeded: Seeded
    ) -> None:
        seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=seeded.today - 90 * DAY)
        seeded.finding(FindingKind.STUCK, opened_at=seeded.today - 90 * DAY, closed_at=seeded.today - 80 * DAY)
        for each in self.drift(app):
            assert self.told(each) == [("local_ahead", 0, 0, 1)]
            assert (each.opened(Severity.CRITICAL), each.open_at_end) == (0, 1)

    def test_days_and_kinds_are_counted_apart(self, app: Application, seeded: Seeded) -> None:
        noon = seeded.today - DAY + timedelta(hours=12)
        for kind in (FindingKind.LOCAL_AHEAD, FindingKind.LOCAL_AHEAD, FindingKind.STUCK, FindingKind.FEE_MISSING):
            seeded.finding(kind, opened_at=noon)
        [_, day, _] = self.drift(app)
        assert {severity: day.opened(severity) for severity in Severity} == {"critical": 2, "look": 1, "note": 1}
        assert day.open_at_end == 4

    def told(self, day: report.DriftDay) -> list[tuple[Any, ...]]:
        return [self.row(each) for each in day.kinds]

    def row(self, each: DriftOfKind) -> tuple[Any, ...]:
        return (each.kind, each.opened, each.repaired, each.open_at_end)


def test_runs_are_told_newest_first_page_by_page(app: Application, seeded: Seeded) -> None:
    made = [seeded.run(started_at=seeded.now - timedelta(hours=number)) for number in range(5)]
    with app.database.transaction() as session:
        first = report.runs(session, limit=3)
        second = report.runs(session, limit=3, cursor=first.next_cursor)
        assert [each.id for each in (*first.runs, *second.runs)] == made
        assert (first.next_cursor is None, second.next_cursor) == (False, None)
        assert report.run(session, made[2]).id == made[2]
        with pytest.raises(NotFound, match="There is no run run_1"):
            report.run(session, "run_1")
        with pytest.raises(InvalidRequest, match="not one of ours"):
            report.runs(session, limit=3, cursor="3")


def test_findings_are_told_newest_first_page_by_page(app: Application, seeded: Seeded) -> None:
    made = [seeded.finding(FindingKind.STUCK, opened_at=seeded.now - timedelta(hours=number)) for number in range(5)]
    with app.database.transaction() as session:
        first = report.findings(session, Wanted(), limit=3)
        second = report.findings(session, Wanted(), limit=3, cursor=first.next_cursor)
        assert [each.id for each in (*first.findings, *second.findings)] == made
        assert second.next_cursor is None


def test_findings_are_asked_for_by_state_kind_and_run(app: Application, seeded: Seeded) -> None:
    closed = seeded.finding(FindingKind.STUCK, opened_at=seeded.now, closed_at=seeded.now)
    stuck = seeded.finding(FindingKind.STUCK, opened_at=seeded.now)
    other_run = seeded.run(started_at=seeded.now)
    ahead = seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=seeded.now, run_id=other_run)

    def asked(**wanted: Any) -> set[str]:
        with app.database.transaction() as session:
            return {each.id for each in report.every_finding(session, Wanted(**wanted))}

    assert asked() == {closed, stuck, ahead}
    assert asked(is_open=True) == {stuck, ahead}
    assert asked(is_open=False) == {closed}
    assert asked(kinds=frozenset({FindingKind.STUCK}), is_open=True) == {stuck}
    assert asked(run_id=other_run) == {ahead}
    assert asked(kinds=frozenset()) == set()


def test_an_export_holds_a_thousand_rows_at_a_time(app: Application, seeded: Seeded) -> None:
    seeded.many(2500)
    with app.database.transaction() as session:
        found = report.every_finding(session, Wanted())
        next(found)
        # The server keeps the rest: a cursor of its own is open.
        assert session.scalars(text("SELECT count(*) FROM pg_cursors")).one() == 1
        assert sum(1 for _ in found) == 2499


def test_the_csv_has_every_fact_and_no_formula(app: Application, seeded: Seeded) -> None:
    made = seeded.finding(
        FindingKind.MISSING_LOCAL, opened_at=seeded.now, theirs="=1+1", detail='@SUM(A1), "quoted"\nand more'
    )
    with app.database.transaction() as session:
        text_ = "".join(report.as_csv(report.every_finding(session, Wanted())))
    [row] = csv.DictReader(text_.splitlines(keepends=True))
    assert (row["id"], row["severity"], row["kind"], row["ours"]) == (made, "look", "missing_local", "")
    assert (row["theirs"], row["detail"]) == ("'=1+1", '\'@SUM(A1), "quoted"\nand more')
    assert datetime.fromisoformat(row["opened_at"]) == seeded.now
    assert row["closed_at"] == ""


def test_the_summary_says_what_is_open_what_was_repaired_and_when_each_loop_was_done(
    app: Application, seeded: Seeded
) -> None:
    now = seeded.now
    seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=now - 90 * DAY)
    seeded.finding(FindingKind.FEE_MISSING, opened_at=now)
    seeded.finding(FindingKind.MISSED_EVENT, opened_at=now, closed_at=now, repaired_at=now)
    seeded.finding(FindingKind.STUCK, opened_at=now - 40 * DAY, closed_at=now, repaired_at=now - 40 * DAY)
    for ago in (3, 2, 1):
        ended = now - timedelta(hours=ago)
        seeded.run(loop=Loop.MONEY, started_at=ended - timedelta(seconds=90), finished_at=ended, calls=ago)
    seeded.run(loop=Loop.OBJECTS, started_at=now, finished_at=now, dry_run=True)
    seeded.run(loop=Loop.EVENTS, started_at=now, finished_at=now, state=RunState.ABANDONED)

    with app.database.transaction() as session:
        told = report.summary(session)
    assert {kind: count for kind, count in told.open_by_kind.items() if count} == {
        FindingKind.LOCAL_AHEAD: 1,
        FindingKind.FEE_MISSING: 1,
    }
    assert (told.open, told.open_of(Severity.CRITICAL), told.repaired) == (2, 1, 1)
    assert Loop.EVENTS not in {each.loop for each in told.last_runs}
    [last] = [each for each in told.last_runs if each.loop is Loop.MONEY]
    assert (last.loop, last.provider, last.took, last.calls) == (Loop.MONEY, STRIPE, timedelta(seconds=90), 1)
    assert timedelta(hours=1) <= last.age < timedelta(hours=2)


def test_the_clock_goes_on_from_its_own_last_run_and_not_from_one_by_hand(app: Application, seeded: Seeded) -> None:
    old = seeded.run(loop=Loop.EVENTS, started_at=seeded.now - DAY, finished_at=seeded.now - DAY)
    seeded.run(loop=Loop.EVENTS, started_at=seeded.now, finished_at=seeded.now, period=runs.by_hand(datetime.now(UTC)))
    with app.database.transaction() as session:
        assert runs.last_end(session, Loop.EVENTS, STRIPE) == report.run(session, old).window_end
