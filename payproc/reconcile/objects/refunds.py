"""Refunds, both ways: a dashboard's refunds are imported, and a bank may return one for a month."""

from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Payment, ReconciliationMark, ReconciliationRun, Refund, Source
from payproc.domain.settlement import RefundVerdict, RemoteRefund
from payproc.domain.states import REFUND_OPEN, REFUND_TRANSITIONS, Effect, RefundFact, RefundStatus
from payproc.reconcile import findings
from payproc.reconcile.findings import Difference
from payproc.reconcile.objects import pages
from payproc.reconcile.objects.pages import Shown
from payproc.reconcile.runs import Batch, Work
from payproc.records import refunds
from payproc.records.payments import Told

_AT_ONCE = 20

_FACTS = {
    RefundVerdict.SUCCEEDED: RefundFact.SUCCEEDED,
    RefundVerdict.FAILED: RefundFact.FAILED,
    RefundVerdict.CANCELLED: RefundFact.CANCELLED,
    RefundVerdict.PENDING: RefundFact.UNDER_WAY,
}
_SAME = {
    RefundVerdict.SUCCEEDED: RefundStatus.SUCCEEDED,
    RefundVerdict.FAILED: RefundStatus.FAILED,
    RefundVerdict.CANCELLED: RefundStatus.CANCELLED,
    RefundVerdict.PENDING: RefundStatus.PENDING,
}


def fetch_remote(work: Work, cursor: str | None) -> Batch[RemoteRefund]:
    """Ask for one page of the provider's refunds."""
    return pages.page_of(work, lambda: work.listing.list_refunds(work.window, cursor=cursor))


def settle_remote(session: Session, work: Work, run: ReconciliationRun, batch: Batch[RemoteRefund]) -> None:
    """Hold one page of the provider's refunds against ours."""
    assert work.run_id == run.id
    unreadable = (each.provider_id for each in batch.items if each.money is None)
    pages.report_unreadable(session, run, [*batch.unreadable, *unreadable])
    readable = [each for each in batch.items if each.money is not None]
    twins = pages.Twins(session, run, [(each.references, each.payment_id) for each in readable])
    ours = _ours(session, readable)
    for remote in readable:
        refund = ours.get(remote.provider_id) or ours.get(remote.refund_id or "")
        if refund is not None:
            findings.mark(session, run, refund.id)
            _compare(session, run, refund, remote)
        else:
            _import(session, run, twins.of(remote.references, remote.payment_id), remote)


def _ours(session: Session, page: list[RemoteRefund]) -> dict[str, Refund]:
    by_theirs = Refund.provider_refund_id.in_([each.provider_id for each in page])
    by_ours = Refund.id.in_([each.refund_id for each in page if each.refund_id])
    found = session.scalars(select(Refund).where(by_theirs | by_ours)).all()
    return {name: refund for refund in found for name in (refund.provider_refund_id, refund.id) if name}


def _import(session: Session, run: ReconciliationRun, payment: Payment | None, remote: RemoteRefund) -> None:
    kind = FindingKind.REFUND_MISSING_LOCAL if payment else FindingKind.MISSING_LOCAL
    of = f"of {payment.id}" if payment else "of no payment of ours"
    difference = Difference(
        kind=kind,
        ours=payment.id if payment else "",
        theirs=remote.provider_id,
        payment_id=payment.id if payment else None,
        subject_at=remote.created_at or run.window_begin,
        detail=f"{run.provider} has refund {remote.provider_id} of {remote.money} {of}, and we have none.",
    )
    findings.record(session, run, difference, repair=_recording(session, run, payment, remote) if payment else None)


def _compare(session: Session, run: ReconciliationRun, refund: Refund, remote: RemoteRefund) -> None:
    found = _kind(refund, remote)
    if found is None:
        return
    kind, sentence = found
    payment = session.get_one(Payment, refund.payment_id)
    difference = Difference(
        kind=kind,
        ours=refund.id,
        theirs=remote.provider_id,
        payment_id=refund.payment_id,
        subject_at=remote.created_at or refund.created_at,
        detail=f"{refund.id} ({remote.provider_id}) of {refund.payment_id}: {sentence}.",
    )
    forwards = _moves(refund, remote)
    findings.record(session, run, difference, repair=_recording(session, run, payment, remote) if forwards else None)


def _kind(refund: Refund, remote: RemoteRefund) -> tuple[FindingKind, str] | None:
    ours = refund.money
    verdict = remote.outcome.verdict
    if remote.money != ours:
        return FindingKind.REFUND_AMOUNT_MISMATCH, f"{ours} here, and {remote.money} there"
    if verdict not in _SAME or refund.status is _SAME[verdict]:
        return None
    if refund.status is RefundStatus.SUCCEEDED and verdict in (RefundVerdict.FAILED, RefundVerdict.CANCELLED):
        return FindingKind.REFUND_FAILED_LATE, f"succeeded here, and {verdict} there"
    return FindingKind.STATUS_MISMATCH, f"{refund.status} here, and {verdict} there"


def _moves(refund: Refund, remote: RemoteRefund) -> bool:
    fact = _FACTS.get(remote.outcome.verdict)
    cell = REFUND_TRANSITIONS.get((refund.status, fact)) if fact else None
    return cell is not None and cell.effect is Effect.MOVED


@dataclass(frozen=True, kw_only=True)
class _Recording:
    session: Session
    run: ReconciliationRun
    payment: Payment
    remote: RemoteRefund

    def __call__(self) -> None:
        told = Told(source=Source.RECONCILE, evidence=self.run.id)
        recorded = refunds.record_remote(self.session, self.payment, self.remote, told=told)
        if recorded is not None:
            # Just imported, it need not be asked for by itself.
            findings.mark(self.session, self.run, recorded.id)


def _recording(session: Session, run: ReconciliationRun, payment: Payment, remote: RemoteRefund) -> _Recording:
    return _Recording(session=session, run=run, payment=payment, remote=remote)


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A refund of ours that no list named, and what asking for it by itself brought."""

    refund: Refund
    shown: Shown[RemoteRefund]


def fetch_ours(work: Work, cursor: str | None) -> Batch[Looked]:
    """Take the next refunds of ours that no list named, and ask for each: the open ones of any age."""
    with work.app.database.transaction() as session:
        rows = list(session.scalars(_unlisted(work, cursor)))
    looked = [Looked(refund=refund, shown=_shown(work, refund)) for refund in rows]
    return Batch(items=looked, cursor=rows[-1].id if len(rows) == _AT_ONCE else None)


def _shown(work: Work, refund: Refund) -> Shown[RemoteRefund]:
    theirs = refund.provider_refund_id
    assert theirs is not None
    return pages.shown(work, lambda: work.listing.refund_of(theirs))


def _unlisted(work: Work, cursor: str | None) -> Select[Refund]:
    named = select(ReconciliationMark.name).where(
        ReconciliationMark.run_id == work.run_id, ReconciliationMark.name == Refund.id
    )
    of_provider = select(Payment.id).where(
        Payment.payment_method == work.method, Payment.environment == work.app.settings.environment
    )
    recent = (Refund.created_at >= work.window.begin) & (Refund.created_at < work.window.end)
    return (
        select(Refund)
        .where(
            Refund.provider_refund_id.is_not(None),
            Refund.payment_id.in_(of_provider),
            recent | Refund.status.in_(REFUND_OPEN),
            ~named.exists(),
            Refund.id > (cursor or ""),
        )
        .order_by(Refund.id)
        .limit(_AT_ONCE)
    )


def settle_ours(session: Session, work: Work, run: ReconciliationRun, batch: Batch[Looked]) -> None:
    """Settle what asking for our own refunds brought."""
    assert work.run_id == run.id
    for looked in batch.items:
        refund, shown = looked.refund, looked.shown
        if shown.item is not None and shown.item.money is not None:
            _compare(session, run, refund, shown.item)
            continue
        if shown.item is not None or not shown.readable:
            pages.report_unreadable(session, run, [refund.provider_refund_id or ""])
            continue
        difference = Difference(
            kind=FindingKind.MISSING_REMOTE,
            ours=refund.id,
            theirs=refund.provider_refund_id or "",
            payment_id=refund.payment_id,
            subject_at=refund.created_at,
            detail=f"{refund.id} of {refund.payment_id} is {refund.status} here, and {run.provider} has no "
            f"{refund.provider_refund_id}.",
        )
        findings.record(session, run, difference)
