"""What no journal of ours explains: lines that were booked alone are held against our books again, at any age."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, ReconciliationRun
from payproc.database.models import SettlementLine as KeptLine
from payproc.domain.settlement import SettlementLine
from payproc.reconcile import findings
from payproc.reconcile.balance import lines
from payproc.reconcile.findings import Difference
from payproc.reconcile.runs import Batch, Work
from payproc.records.ledger import journal, matching, suspense

_AT_ONCE = 200


def fetch_unmatched(work: Work, cursor: str | None) -> Batch[SettlementLine]:
    """Find the next lines that answer something of ours by their kind, and have met nothing."""
    query = select(KeptLine).where(
        KeptLine.provider == work.method,
        KeptLine.kind.in_(matching.ANSWERED),
        matching.is_unmatched(),
        KeptLine.line_id > (cursor or ""),
    )
    with work.app.database.transaction() as session:
        kept = list(session.scalars(query.order_by(KeptLine.line_id).limit(_AT_ONCE)))
    found = [journal.as_told(line) for line in kept]
    return Batch(items=found, cursor=kept[-1].line_id if len(kept) == _AT_ONCE else None)


def settle_unmatched(session: Session, work: Work, run: ReconciliationRun, batch: Batch[SettlementLine]) -> None:
    """Let each meet what it answers, where that has been booked since, or is known by another of its ids now."""
    lines.match_again(session, run, batch.items, work.listing)


def settle_suspense(session: Session, _work: Work, run: ReconciliationRun, _batch: Batch[None]) -> None:
    """Write down what is left in suspense, with its amount."""
    for found in suspense.in_suspense(session, run.provider):
        of = f" of {found.source}" if found.source else ""
        more = f" and {found.lines - 1} more" if found.lines > 1 else ""
        findings.record(
            session,
            run,
            Difference(
                kind=FindingKind.IN_SUSPENSE,
                theirs=found.line_id,
                payment_id=found.payment_id,
                subject_at=found.created_at,
                detail=(
                    f"Line {found.line_id} ({found.category}{of}){more} left {found.money} in suspense: nothing of "
                    "ours explains it. Once you know what it was, `ledger adjust` books it."
                ),
            ),
        )
