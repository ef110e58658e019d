"""Payouts: each is the sum of its lines, however many those are.

A busy month's payout has thousands of lines, a hundred to an answer. So a page of this step ends by the clock, inside a
payout too: its place names the next lines, and the sum of those before.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, ReconciliationRun
from payproc.domain.money import Money
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.providers.listing import Page, PayoutStatus, RemotePayout
from payproc.reconcile import findings
from payproc.reconcile.balance import lines
from payproc.reconcile.objects import pages
from payproc.reconcile.runs import Batch, Work

# Booked in a few seconds.
_LINES_AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to go on: in which page of payouts, at which of them, and behind which of its lines.

    `net` and `others` are of the lines before: their sum, and what other currencies they were in.
    """

    page: str | None = None
    payout: int = 0
    line: str | None = None
    net: int = 0
    others: tuple[str, ...] = ()

    @classmethod
    def read(cls, cursor: str | None) -> "Place":
        """Read a cursor; also one of the release before, which stood between two payouts only."""
        if cursor is None:
            return cls()
        if cursor.startswith("{"):
            told = json.loads(cursor)
            return cls(**told | {"others": tuple(told["others"])})
        page, _, done = cursor.rpartition("|")
        return cls(page=page or None, payout=int(done))

    def written(self) -> str:
        """Write it down as a cursor."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A payout and some of its lines; `sums` are those of all up to here, and `is_last` says that there are no more."""

    payout: RemotePayout
    lines: Sequence[SettlementLine]
    sums: Place
    is_last: bool


def fetch(work: Work, cursor: str | None, *, clock: Callable[[], pages.PageClock] = pages.PageClock) -> Batch[Part]:
    """Ask for the next lines of payouts, until the page's time is over."""
    place, time_of_page = Place.read(cursor), clock()
    page = work.rate_limit.ask(lambda: work.listing.list_payouts(work.window, cursor=place.page))
    unreadable = page.unreadable if place == Place(page=place.page) else ()
    parts: list[Part] = []
    while place.payout < len(page.items):
        part = _next_part(work, page.items[place.payout], place)
        parts.append(part)
        place = Place(page=place.page, payout=place.payout + 1) if part.is_last else part.sums
        if time_of_page.is_over or sum(len(each.lines) for each in parts) >= _LINES_AT_ONCE:
            break
    ended = sum(part.is_last for part in parts)
    return Batch(items=parts, cursor=_following(page, place), unreadable=unreadable, compared=ended)


def _following(page: Page[RemotePayout], place: Place) -> str | None:
    if place.payout < len(page.items):
        return place.written()
    return Place(page=page.next_cursor).written() if page.next_cursor else None


def _next_part(work: Work, payout: RemotePayout, place: Place) -> Part:
    if not payout.itemised:
        return Part(payout=payout, lines=(), sums=place, is_last=True)
    page = work.rate_limit.ask(partial(work.listing.list_payout_lines, payout.provider_id, cursor=place.line))
    sums = replace(
        place,
        line=page.next_cursor,
        net=place.net + sum(line.net for line in page.items if not _is_own(line, payout)),
        others=tuple(sorted({*place.others, *(line.currency for line in page.items)} - {payout.money.currency.code})),
    )
    return Part(payout=payout, lines=page.items, sums=sums, is_last=page.next_cursor is None)


def _is_own(line: SettlementLine, payout: RemotePayout) -> bool:
    return line.kind is LineKind.PAYOUT and line.source == payout.provider_id


def settle(session: Session, work: Work, run: ReconciliationRun, batch: Batch[Part]) -> None:
    """Book the lines, and hold a payout that has no more of them against their sum."""
    pages.report_unreadable(session, run, batch.unreadable)
    for part in batch.items:
        if part.lines:
            lines.book_all(session, run, part.lines, work.listing)
        if not part.is_last:
            continue
        if part.payout.itemised:
            _check_sum(session, run, part)
        _check_arrival(session, run, part.payout)


def _check_sum(session: Session, run: ReconciliationRun, part: Part) -> None:
    payout, sums = part.payout, part.sums
    if sums.net == payout.money.amount_minor and not sums.others:
        return
    total = Money.of(sums.net, payout.money.currency.code)
    mixed = f", and lines in {', '.join(sums.others)}" if sums.others else ""
    theirs, kind = payout.provider_id, FindingKind.PAYOUT_SUM_MISMATCH
    detail = f"Payout {theirs} of {payout.money} is made of lines over {total}{mixed}."
    findings.tell(session, run, kind, None, theirs=theirs, at=payout.created_at, detail=detail)


def _check_arrival(session: Session, run: ReconciliationRun, payout: RemotePayout) -> None:
    if payout.status is not PayoutStatus.FAILED:
        return
    theirs, kind = payout.provider_id, FindingKind.PAYOUT_FAILED
    detail = (
        f"Payout {theirs} of {payout.money} did not reach the bank. {run.provider} has the money back, and pays "
        "nothing out to that account until it is put right there."
    )
    findings.tell(session, run, kind, None, theirs=theirs, at=payout.created_at, detail=detail)
