"""Drift as a drawing: what was opened each day, stacked by severity, and a line of what was still open at its end.

Only places and lengths; the template draws them. Text must not shrink with the drawing, so it is laid out once for
wide screens and once for narrow ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from payproc.reconcile.classification import Severity
from payproc.reconcile.report import DriftDay
from web.console import formatting

_TOP, _RIGHT, _BOTTOM, _LEFT = 12, 10, 44, 46
_STEPS = (1, 2, 5)
_MOST_TICKS = 5
# One finding among a thousand must be seen.
_LEAST_HEIGHT = 2.0
_GAP = 0.28


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a drawing is, and how many days lie between two that are named."""

    name: str
    width: int
    height: int
    days_between: int


WIDE = Size(name="wide", width=960, height=280, days_between=4)
NARROW = Size(name="slim", width=320, height=230, days_between=9)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part of a day's bar."""

    severity: Severity
    y: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A day: its place, its bar, and the height of the line above it."""

    day: date
    x: float
    middle: float
    blocks: tuple[Block, ...]
    line_y: float
    named: bool
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A number of findings and its height."""

    number: int
    y: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Everything that is drawn."""

    size: Size
    left: float
    right: float
    floor: float
    bar_width: float
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]

    @property
    def line(self) -> str:
        """The points of the line of what was still open."""
        return " ".join(f"{bar.middle:.1f},{bar.line_y:.1f}" for bar in self.bars)


def chart_of(days: Sequence[DriftDay], size: Size) -> Chart:
    """Lay the days out."""
    left, right, floor = float(_LEFT), float(size.width - _RIGHT), float(size.height - _BOTTOM)
    highest = max((max(_opened(each), each.open_at_end) for each in days), default=0)
    step = _step(highest)
    top = max(-(-highest // step), 1) * step
    one = (floor - _TOP) / top
    slot = (right - left) / max(len(days), 1)
    return Chart(
        size=size,
        left=left,
        right=right,
        floor=floor,
        bar_width=slot * (1 - _GAP),
        ticks=tuple(Tick(number=number, y=floor - number * one) for number in range(0, top + 1, step)),
        bars=tuple(
            Bar(
                day=each.day,
                x=left + slot * (place + _GAP / 2),
                middle=left + slot * (place + 0.5),
                blocks=_blocks(each, floor, one),
                line_y=floor - each.open_at_end * one,
                named=(len(days) - 1 - place) % size.days_between == 0,
                sentence=_sentence(each),
            )
            for place, each in enumerate(days)
        ),
    )


def _opened(day: DriftDay) -> int:
    return sum(day.opened(severity) for severity in Severity)


def _step(highest: int) -> int:
    """Return the least of 1, 2, 5, 10, 20 … that needs no more than a few ticks."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power * (_MOST_TICKS - 1) >= highest:
                return step * power
        power *= 10


def _blocks(day: DriftDay, floor: float, one: float) -> tuple[Block, ...]:
    blocks = []
    foot = floor
    for severity in Severity:
        opened = day.opened(severity)
        if opened:
            height = max(opened * one, _LEAST_HEIGHT)
            foot -= height
            blocks.append(Block(severity=severity, y=foot, height=height))
    return tuple(blocks)


def _sentence(day: DriftDay) -> str:
    parts = [f"{day.opened(severity)} {severity}" for severity in Severity if day.opened(severity)]
    opened = f"{_opened(day)} opened ({', '.join(parts)})" if parts else "none opened"
    return f"{formatting.day(day.day)}: {opened}, {day.repaired} repaired, {day.open_at_end} open at its end"
