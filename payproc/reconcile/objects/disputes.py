"""Disputes: those we never heard of are recorded, and the open ones are looked at again, whatever their age."""

from dataclasses import dataclass
from functools import partial

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from payproc.database.models import Dispute, FindingKind, Payment, ReconciliationMark, ReconciliationRun, Source
from payproc.domain.settlement import RemoteDispute
from payproc.domain.states import DISPUTE_OPEN
from payproc.reconcile import findings
from payproc.reconcile.findings import Difference
from payproc.reconcile.objects import pages
from payproc.reconcile.objects.pages import Shown
from payproc.reconcile.runs import Batch, Work
from payproc.records import disputes
from payproc.records.payments import Told

_AT_ONCE = 20


def fetch_remote(work: Work, cursor: str | None) -> Batch[RemoteDispute]:
    """Ask for one page of the provider's disputes."""
    return pages.page_of(work, lambda: work.listing.list_disputes(work.window, cursor=cursor))


def settle_remote(session: Session, work: Work, run: ReconciliationRun, batch: Batch[RemoteDispute]) -> None:
    """Hold one page of the provider's disputes against ours."""
    unreadable = (each.provider_id for each in batch.items if each.money is None)
    pages.report_unreadable(session, run, [*batch.unreadable, *unreadable])
    readable = [each for each in batch.items if each.money is not None]
    twins = pages.Twins(session, run, [(each.references, each.payment_id) for each in readable])
    ours = _ours(session, run, readable)
    for remote in readable:
        dispute = ours.get(remote.provider_id)
        if dispute is not None:
            findings.mark(session, run, dispute.id)
            _compare(session, work, run, dispute, remote)
        else:
            _import(session, work, run, twins.of(remote.references, remote.payment_id), remote)


def _ours(session: Session, run: ReconciliationRun, page: list[RemoteDispute]) -> dict[str, Dispute]:
    known = select(Dispute).where(
        Dispute.provider == run.provider, Dispute.provider_dispute_id.in_([each.provider_id for each in page])
    )
    return {dispute.provider_dispute_id: dispute for dispute in session.scalars(known)}


def _import(
    session: Session, work: Work, run: ReconciliationRun, payment: Payment | None, remote: RemoteDispute
) -> None:
    of = f"of {payment.id}" if payment else "of no payment of ours"
    difference = Difference(
        kind=FindingKind.DISPUTE_UNKNOWN if payment else FindingKind.MISSING_LOCAL,
        ours=payment.id if payment else "",
        theirs=remote.provider_id,
        payment_id=payment.id if payment else None,
        subject_at=remote.created_at or run.window_begin,
        detail=f"{run.provider} has dispute {remote.provider_id} over {remote.money} {of}, and we have none.",
    )
    repair = partial(_record, session, work, run, payment, remote) if payment else None
    findings.record(session, run, difference, repair=repair)


def _record(session: Session, work: Work, run: ReconciliationRun, payment: Payment, remote: RemoteDispute) -> None:
    told = Told(source=Source.RECONCILE, evidence=run.id)
    operators = work.app.settings.operator_mail
    recorded = disputes.record_remote(session, payment, remote, told=told, operator_mail=operators)
    # Just imported, it need not be asked for by itself.
    findings.mark(session, run, recorded.id)


def _compare(session: Session, work: Work, run: ReconciliationRun, dispute: Dispute, remote: RemoteDispute) -> None:
    ours = dispute.money
    if remote.status is dispute.status and remote.money == ours:
        return
    differs = remote.status is not dispute.status
    said = f"{dispute.status} here, and {remote.status} there" if differs else f"{ours} here, and {remote.money} there"
    difference = Difference(
        kind=FindingKind.STATUS_MISMATCH if differs else FindingKind.AMOUNT_MISMATCH,
        ours=dispute.id,
        theirs=remote.provider_id,
        payment_id=dispute.payment_id,
        subject_at=remote.created_at or dispute.created_at,
        detail=f"Dispute {remote.provider_id} of {dispute.payment_id}: {said}.",
    )
    payment = session.get_one(Payment, dispute.payment_id)
    findings.record(session, run, difference, repair=partial(_record, session, work, run, payment, remote))


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A dispute of ours that no list named, and what asking for it by itself brought."""

    dispute: Dispute
    shown: Shown[RemoteDispute]


def fetch_ours(work: Work, cursor: str | None) -> Batch[Looked]:
    """Take the next disputes of ours that no list named, and ask for each: the open ones of any age."""
    with work.app.database.transaction() as session:
        rows = list(session.scalars(_unlisted(work, cursor)))
    looked = [Looked(dispute=each, shown=_shown(work, each.provider_dispute_id)) for each in rows]
    return Batch(items=looked, cursor=rows[-1].id if len(rows) == _AT_ONCE else None)


def _shown(work: Work, theirs: str) -> Shown[RemoteDispute]:
    return pages.shown(work, lambda: work.listing.dispute(theirs))


def _unlisted(work: Work, cursor: str | None) -> Select[Dispute]:
    named = select(ReconciliationMark.name).where(
        ReconciliationMark.run_id == work.run_id, ReconciliationMark.name == Dispute.id
    )
    recent = (Dispute.created_at >= work.window.begin) & (Dispute.created_at < work.window.end)
    return (
        select(Dispute)
        .where(
            Dispute.provider == work.method,
            recent | Dispute.status.in_(DISPUTE_OPEN),
            ~named.exists(),
            Dispute.id > (cursor or ""),
        )
        .order_by(Dispute.id)
        .limit(_AT_ONCE)
    )


def settle_ours(session: Session, work: Work, run: ReconciliationRun, batch: Batch[Looked]) -> None:
    """Settle what asking for our own disputes brought."""
    for looked in batch.items:
        dispute, shown = looked.dispute, looked.shown
        if shown.item is not None and shown.item.money is not None:
            _compare(session, work, run, dispute, shown.item)
            continue
        if shown.item is not None or not shown.readable:
            pages.report_unreadable(session, run, [dispute.provider_dispute_id])
            continue
        difference = Difference(
            kind=FindingKind.MISSING_REMOTE,
            ours=dispute.id,
            theirs=dispute.provider_dispute_id,
            payment_id=dispute.payment_id,
            subject_at=dispute.created_at,
            detail=f"Dispute {dispute.provider_dispute_id} of {dispute.payment_id} is {dispute.status} here, and "
            f"{run.provider} has none of that name.",
        )
        findings.record(session, run, difference)
