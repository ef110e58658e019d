"""The drawing of drift, by its places and lengths; and how the console words spans."""

from datetime import date, timedelta

import pytest

from payproc.database.models import FindingKind
from payproc.reconcile.classification import Severity
from payproc.reconcile.report import DriftDay, DriftOfKind
from web.console import formatting
from web.console.chart import NARROW, WIDE, Chart, Size, chart_of


def day(number: int, *, opened: int = 0, open_at_end: int = 0, kind: FindingKind = FindingKind.STUCK) -> DriftDay:
    kinds = (DriftOfKind(kind=kind, opened=opened, repaired=0, open_at_end=open_at_end),)
    return DriftDay(day=date(2026, 3, 1) + timedelta(days=number), kinds=kinds if opened or open_at_end else ())


def numbers(chart: Chart) -> list[int]:
    return [tick.number for tick in chart.ticks]


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (5, [0, 2, 4, 6]),
        (14, [0, 5, 10, 15]),
        (81, [0, 50, 100]),
        (1000, [0, 500, 1000]),
        (123_456, [0, 50_000, 100_000, 150_000]),
    ],
)
def test_the_scale_is_round_and_holds_the_highest(highest: int, ticks: list[int]) -> None:
    assert numbers(chart_of([day(0, open_at_end=highest)], WIDE)) == ticks
    assert numbers(chart_of([day(0, opened=highest)], WIDE)) == ticks


def test_a_bar_stands_on_the_floor_the_worst_at_its_foot() -> None:
    of_day = DriftDay(
        day=date(2026, 3, 1),
        kinds=(
            DriftOfKind(kind=FindingKind.STUCK, opened=1, repaired=1, open_at_end=0),
            DriftOfKind(kind=FindingKind.LOCAL_AHEAD, opened=2, repaired=0, open_at_end=2),
            DriftOfKind(kind=FindingKind.FEE_MISSING, opened=1, repaired=0, open_at_end=1),
        ),
    )
    chart = chart_of([of_day], WIDE)
    [bar] = chart.bars
    assert [block.severity for block in bar.blocks] == [Severity.CRITICAL, Severity.LOOK, Severity.NOTE]
    foot = chart.floor
    for block in bar.blocks:
        assert block.y + block.height == pytest.approx(foot)
        foot = block.y
    # Four were opened, and the scale ends at four: the bar reaches the last tick.
    assert foot == pytest.approx(chart.ticks[-1].y)
    assert bar.sentence == "1 Mar: 4 opened (2 critical, 1 look, 1 note), 1 repaired, 3 open at its end"


def test_one_among_thousands_can_be_seen() -> None:
    [first, _] = chart_of([day(0, opened=1), day(1, open_at_end=5000)], NARROW).bars
    assert first.blocks[0].height >= 2


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_everything_lies_inside_and_days_do_not_overlap(size: Size) -> None:
    chart = chart_of([day(n, opened=n % 4, open_at_end=n) for n in range(30)], size)
    assert len(chart.bars) == len(chart.line.split()) == 30
    for bar, following in zip(chart.bars, chart.bars[1:], strict=False):
        assert bar.x + chart.bar_width < following.x
    assert chart.left < chart.bars[0].x
    assert chart.bars[-1].x + chart.bar_width < chart.right
    assert all(0 < bar.line_y <= chart.floor for bar in chart.bars)
    assert chart.bars[-1].named


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-1), "0 s ago"),
        (timedelta(seconds=59.9), "59 s ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=47, minutes=59), "47 h ago"),
        (timedelta(days=2), "2 days ago"),
    ],
)
def test_an_age_is_worded_in_its_largest_unit(age: timedelta, words: str) -> None:
    assert formatting.ago(age) == words


@pytest.mark.parametrize(
    ("took", "words"),
    [
        (None, "not yet"),
        (timedelta(milliseconds=420), "0.4 s"),
        (timedelta(seconds=75), "1 min 15 s"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
    ],
)
def test_a_span_is_worded_by_its_length(took: timedelta | None, words: str) -> None:
    assert formatting.span(took) == words
