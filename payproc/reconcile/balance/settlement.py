"""The money: each line of the balance into the ledger, each payment's line there, each payout the sum of its lines."""

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Payment, ReconciliationRun, SeenKind
from payproc.database.models import SettlementLine as KeptLine
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.providers.listing import Window
from payproc.reconcile import findings
from payproc.reconcile.balance import lines, payouts, suspense
from payproc.reconcile.objects import pages
from payproc.reconcile.runs import Batch, Step, Steps, Work

# The line of a refund waits for the refund's end, which a bank may put off for a month, and a payout names its
# lines days later. What is known already costs its page and no more.
OVERLAP = timedelta(days=45)
_SETTLING = timedelta(minutes=10)
# Within a day of its payment a line has been written.
_LINE_DUE_AFTER = timedelta(days=1)
_OURS_AT_ONCE = 200


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


STEPS: Steps = (
    Step(name="lines", fetch=_fetch_lines, settle=_settle_lines),
    Step(name="payments without a line", fetch=_fetch_without_line, settle=_settle_without_line),
    Step(name="payouts", fetch=payouts.fetch, settle=payouts.settle),
    Step(name="lines that met nothing", fetch=suspense.fetch_unmatched, settle=suspense.settle_unmatched),
    Step(name="suspense", fetch=lambda *_: Batch(items=(), cursor=None), settle=suspense.settle_suspense),
)
