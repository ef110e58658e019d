"""The money: each line of the balance into the ledger, each payment's line there, each payout the sum of its lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Payment, ReconciliationRun, SeenKind
from payproc.database.models import SettlementLine as KeptLine
from payproc.domain.money import Money
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.providers.listing import PayoutStatus, RemotePayout, Window
from payproc.reconcile import findings
from payproc.reconcile.balance import lines, suspense
from payproc.reconcile.objects import pages
from payproc.reconcile.runs import Batch, Step, Steps, Work

# The line of a refund waits for the refund's end, which a bank may put off for a month, and a payout names its
# lines days later. What is known already costs its page and no more.
OVERLAP = timedelta(days=45)
_SETTLING = timedelta(minutes=10)
# Within a day of its payment a line has been written.
_LINE_DUE_AFTER = timedelta(days=1)
_OURS_AT_ONCE = 200
# A payout of a busy day has thousands of lines: a few payouts fill a slice of work.
_PAYOUTS_AT_ONCE = 3
_LINES_AT_ONCE = 500


def window(now: datetime, last_end: datetime | None) -> Window:
    """Say which lines and payouts to list: since the last look, with an overlap (UTC)."""
    return Window(begin=(last_end or now) - OVERLAP, end=now - _SETTLING)


def _fetch_lines(work: Work, cursor: str | None) -> Batch[SettlementLine]:
    return pages.page_of(work, lambda: work.listing.list_lines(work.window, cursor=cursor))


def _settle_lines(session: Session, work: Work, run: ReconciliationRun, batch: Batch[SettlementLine]) -> None:
    pages.report_unreadable(session, run, batch.unreadable)
    lines.book_all(session, run, batch.items, work.listing)


def _fetch_without_line(work: Work, cursor: str | None) -> Batch[Payment]:
    charge, intent = getattr(Payment, work.listing.lines_name), getattr(Payment, work.listing.listed_by)
    due = (Payment.completed_at >= work.window.begin) & (Payment.completed_at < work.window.end - _LINE_DUE_AFTER)
    # Kept by an earlier run, or met by this one: a dry run keeps none.
    of_provider = select(KeptLine.line_id).where(KeptLine.provider == work.method)
    by_intent = (KeptLine.payment_source == intent) & (KeptLine.kind == LineKind.CHARGE)
    kept = or_(*(of_provider.where(which).exists() for which in (KeptLine.source == charge, by_intent)))
    met = or_(*(findings.is_seen(work.run_id, SeenKind.SOURCE, theirs=named) for named in (charge, intent)))
    lacking = (charge.is_not(None) | intent.is_not(None)) & ~kept & ~met
    return pages.next_of_ours(work, Payment, work.is_ours & due & lacking, cursor, limit=_OURS_AT_ONCE)


def _settle_without_line(session: Session, work: Work, run: ReconciliationRun, batch: Batch[Payment]) -> None:
    for payment in batch.items:
        charge = getattr(payment, work.listing.lines_name) or getattr(payment, work.listing.listed_by)
        at = payment.completed_at or payment.created_at
        detail = f"{payment.id} is paid, and {charge} has no line in the balance of {run.provider}: no fee, no net."
        findings.tell(session, run, FindingKind.FEE_MISSING, payment, theirs=charge, at=at, detail=detail)


@dataclass(frozen=True, kw_only=True)
class PaidOut:
    """A payout and the lines it is made of."""

    payout: RemotePayout
    lines: tuple[SettlementLine, ...]


def _fetch_payouts(work: Work, cursor: str | None) -> Batch[PaidOut]:
    # The place inside a page of payouts is ours: the provider's cursor names only whole pages.
    page_cursor, _, done = (cursor or "|0").rpartition("|")
    page = work.rate_limit.ask(lambda: work.listing.list_payouts(work.window, cursor=page_cursor or None))
    first, last = int(done), int(done) + _PAYOUTS_AT_ONCE
    part = [PaidOut(payout=payout, lines=tuple(_lines_of(work, payout))) for payout in page.items[first:last]]
    if last < len(page.items):
        following: str | None = f"{page_cursor}|{last}"
    else:
        following = f"{page.next_cursor}|0" if page.next_cursor else None
    return Batch(items=part, cursor=following, unreadable=page.unreadable if first == 0 else ())


def _lines_of(work: Work, payout: RemotePayout) -> Iterator[SettlementLine]:
    more = payout.itemised
    cursor: str | None = None
    while more:
        page = work.rate_limit.ask(partial(work.listing.list_payout_lines, payout.provider_id, cursor=cursor))
        yield from page.items
        cursor = page.next_cursor
        more = cursor is not None


def _settle_payouts(session: Session, work: Work, run: ReconciliationRun, batch: Batch[PaidOut]) -> None:
    pages.report_unreadable(session, run, batch.unreadable)
    for paid in batch.items:
        # A busy day's payout has thousands of lines, and a statement takes only so many values.
        for first in range(0, len(paid.lines), _LINES_AT_ONCE):
            part = paid.lines[first : first + _LINES_AT_ONCE]
            lines.book_all(session, run, part, work.listing)
        if paid.payout.itemised:
            _check_sum(session, run, paid)
        _check_arrival(session, run, paid.payout)


def _check_arrival(session: Session, run: ReconciliationRun, payout: RemotePayout) -> None:
    if payout.status is not PayoutStatus.FAILED:
        return
    theirs, kind = payout.provider_id, FindingKind.PAYOUT_FAILED
    detail = (
        f"Payout {theirs} of {payout.money} did not reach the bank. {run.provider} has the money back, and pays "
        "nothing out to that account until it is put right there."
    )
    findings.tell(session, run, kind, None, theirs=theirs, at=payout.created_at, detail=detail)


def _check_sum(session: Session, run: ReconciliationRun, paid: PaidOut) -> None:
    payout = paid.payout
    net = sum(line.net for line in paid.lines if not _is_own(line, payout))
    others = {line.currency for line in paid.lines} - {payout.money.currency.code}
    if net == payout.money.amount_minor and not others:
        return
    total = Money.of(net, payout.money.currency.code)
    mixed = f", and lines in {', '.join(sorted(others))}" if others else ""
    theirs, kind = payout.provider_id, FindingKind.PAYOUT_SUM_MISMATCH
    detail = f"Payout {theirs} of {payout.money} is made of lines over {total}{mixed}."
    findings.tell(session, run, kind, None, theirs=theirs, at=payout.created_at, detail=detail)


def _is_own(line: SettlementLine, payout: RemotePayout) -> bool:
    return line.kind is LineKind.PAYOUT and line.source == payout.provider_id


STEPS: Steps = (
    Step(name="lines", fetch=_fetch_lines, settle=_settle_lines),
    Step(name="payments without a line", fetch=_fetch_without_line, settle=_settle_without_line),
    Step(name="payouts", fetch=_fetch_payouts, settle=_settle_payouts),
    Step(name="lines that met nothing", fetch=suspense.fetch_unmatched, settle=suspense.settle_unmatched),
    Step(name="suspense", fetch=lambda *_: Batch(items=(), cursor=None), settle=suspense.settle_suspense),
)
