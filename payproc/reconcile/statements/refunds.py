"""A statement's refunds against ours. A wallet's refund has no name that we know, so a payment's are paired by amount.

All of a payment's are compared at once, in an order of their own: which line of a file came first decides nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from payproc.database import models
from payproc.database.models import FindingKind, Payment, ReconciliationRun, Refund, SeenKey, SeenKind
from payproc.domain.settlement import LineKind, RefundVerdict
from payproc.domain.states import REFUND_RESERVING, RefundStatus
from payproc.reconcile import findings
from payproc.reconcile.classification import known_refund
from payproc.reconcile.findings import Seen
from payproc.reconcile.runs import Batch, Work
from payproc.reconcile.statements.fields import LineType, StatementLine
from payproc.reconcile.statements.lines import settlement_line
from payproc.records.ledger import journal

_AT_ONCE = 50


def seen_of(payment: Payment, line: StatementLine) -> Seen:
    """Return what a run remembers of a refund line: all of it, so that it is at hand when its payment's turn comes."""
    payload = asdict(line) | {"at": line.at.isoformat()}
    return Seen(kind=SeenKind.REFUND, ours=payment.id, theirs=line.id, payload=payload)


def _line_of(payload: Mapping[str, Any]) -> StatementLine:
    known = {"at": datetime.fromisoformat(payload["at"]), "type": LineType.REFUND, "moved": True}
    return StatementLine(**{**payload, **known})


def fetch(work: Work, cursor: str | None) -> Batch[str]:
    """Find the next payments that have a refund in the statement, or one of ours within its days."""
    told = _refund_lines(work.run_id).with_only_columns(SeenKey.ours.label("payment_id"))
    ours = (
        select(Refund.payment_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            work.is_of_gateway,
            Refund.status == RefundStatus.SUCCEEDED,
            Refund.created_at >= work.window.begin,
            Refund.settled_at < work.window.end,
        )
    )
    either = told.union(ours).subquery()
    following = select(either.c.payment_id).where(either.c.payment_id > (cursor or "")).order_by(either.c.payment_id)
    with work.app.database.transaction() as session:
        rows = list(session.scalars(following.limit(_AT_ONCE)))
    return Batch(items=rows, cursor=rows[-1] if len(rows) == _AT_ONCE else None)


def _refund_lines(run_id: str) -> Select[SeenKey]:
    return select(SeenKey).where(SeenKey.run_id == run_id, SeenKey.kind == SeenKind.REFUND)


def settle(session: Session, _work: Work, run: ReconciliationRun, batch: Batch[str]) -> None:
    """Compare the refunds of some payments."""
    lines: dict[str, list[StatementLine]] = {}
    for seen in session.scalars(_refund_lines(run.id).where(SeenKey.ours.in_(batch.items))):
        lines.setdefault(seen.ours, []).append(_line_of(seen.payload or {}))
    for payment_id in batch.items:
        payment = session.get_one(Payment, payment_id)
        theirs = sorted(lines.get(payment_id, []), key=lambda line: line.id)
        _compare(session, run, _Sides(payment=payment, lines=theirs, refunds=_ours(session, run, payment, theirs)))


def _ours(session: Session, run: ReconciliationRun, payment: Payment, lines: list[StatementLine]) -> list[Refund]:
    """Return our refunds that this statement may speak of: without those that earlier ones have spoken of."""
    held = select(Refund).where(Refund.payment_id == payment.id, Refund.status.in_(REFUND_RESERVING))
    # Those that succeeded first: between two of one amount it is the one to pair with.
    refunds = sorted(session.scalars(held), key=lambda each: (each.status is not RefundStatus.SUCCEEDED, each.id))
    kept = models.SettlementLine
    others = select(kept.gross).where(
        kept.provider == run.provider,
        kept.payment_id == payment.id,
        kept.kind == LineKind.REFUND,
        kept.line_id.not_in([line.id for line in lines]),
    )
    for gross in session.scalars(others.order_by(kept.line_id)).all():
        spoken = next((each for each in refunds if _is_done(each) and each.amount_minor == -gross), None)
        if spoken is not None:
            refunds.remove(spoken)
    return refunds


def _is_done(refund: Refund) -> bool:
    return refund.status is RefundStatus.SUCCEEDED


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """The refunds of one payment, there and here; what is paired leaves both lists."""

    payment: Payment
    lines: list[StatementLine]
    refunds: list[Refund]

    def pairs(self, fit: Callable[[StatementLine, Refund], bool]) -> list[tuple[StatementLine, Refund]]:
        """Take out each line with the first refund that fits it."""
        taken: list[tuple[StatementLine, Refund]] = []
        for line in list(self.lines):
            refund = next((each for each in self.refunds if fit(line, each)), None)
            if refund is not None:
                self.lines.remove(line)
                self.refunds.remove(refund)
                taken.append((line, refund))
        return taken


def _compare(session: Session, run: ReconciliationRun, sides: _Sides) -> None:
    same = [
        *sides.pairs(lambda line, refund: refund.provider_refund_id == line.transaction_id),
        *sides.pairs(lambda line, refund: refund.amount_minor == line.gross),
        # What is left on both sides is one thing told in two amounts.
        *sides.pairs(lambda _, refund: _is_done(refund) and _is_within(run, refund)),
    ]
    for line, refund in same:
        _settle_pair(session, run, line, refund)
    for line in sides.lines:
        payment, given = sides.payment, f"{run.provider} gave {line.money} of it back"
        detail = f"{payment.id} ({line.transaction_id}): {given}, and we have no refund of that."
        kind = FindingKind.REFUND_MISSING_LOCAL
        findings.tell(session, run, kind, payment, theirs=line.id, at=line.at, detail=detail)
    # Once a person has written it down here, the same file books it.
    if sides.lines:
        findings.count(run, "lines", "waiting", by=len(sides.lines))
    for refund in sides.refunds:
        if _is_done(refund) and _is_within(run, refund):
            _report_missing(session, run, refund)


def _is_within(run: ReconciliationRun, refund: Refund) -> bool:
    return (
        refund.created_at >= run.window_begin and refund.settled_at is not None and refund.settled_at < run.window_end
    )


def _settle_pair(session: Session, run: ReconciliationRun, line: StatementLine, refund: Refund) -> None:
    found = known_refund(refund, line.money, RefundVerdict.SUCCEEDED)
    if found is not None:
        detail = f"{refund.id} of {refund.payment_id} ({line.transaction_id}): {found.sentence}."
        findings.tell(session, run, found.kind, refund, theirs=line.id, at=line.at, detail=detail)
    if not _is_done(refund):
        findings.count(run, "lines", "waiting")
    elif not run.dry_run:
        new = journal.record_line(
            session, run.provider, settlement_line(line), booked=refund.money, payment_id=refund.payment_id
        )
        findings.count(run, "lines", "booked" if new else "known")


def _report_missing(session: Session, run: ReconciliationRun, refund: Refund) -> None:
    detail = (
        f"{refund.id} of {refund.payment_id} succeeded here, and the statement of {run.provider} over its day "
        "has no such refund."
    )
    at = refund.settled_at or refund.created_at
    findings.tell(session, run, FindingKind.MISSING_REMOTE, refund, at=at, detail=detail)
