"""Refunds in the sweep: a dashboard's refunds are imported, and a bank may return one for a month."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Payment, ReconciliationRun, Refund
from payproc.domain.provenance import Provenance
from payproc.domain.settlement import RemoteRefund
from payproc.domain.states import REFUND_OPEN
from payproc.reconcile.classification import Contradiction, known_refund
from payproc.reconcile.objects import pages
from payproc.reconcile.objects.pages import LocalMatches, NoAnswer
from payproc.reconcile.objects.sweep import Sweep
from payproc.reconcile.runs import Work
from payproc.records import remote_refunds


def _find_ours(
    session: Session, _run: ReconciliationRun, page: Sequence[RemoteRefund], _matches: LocalMatches
) -> Mapping[str, Refund]:
    by_theirs = Refund.provider_refund_id.in_([each.provider_id for each in page])
    by_ours = Refund.id.in_([each.refund_id for each in page if each.refund_id])
    found = session.scalars(select(Refund).where(by_theirs | by_ours)).all()
    named = {name: refund for refund in found for name in (refund.provider_refund_id, refund.id) if name}
    pairs = ((each.provider_id, named.get(each.provider_id) or named.get(each.refund_id or "")) for each in page)
    return {theirs: refund for theirs, refund in pairs if refund is not None}


def _is_due(work: Work, within: ColumnElement[bool]) -> ColumnElement[bool]:
    # The open ones of any age.
    of_provider = Refund.payment_id.in_(select(Payment.id).where(work.is_ours))
    return Refund.provider_refund_id.is_not(None) & of_provider & (within | Refund.status.in_(REFUND_OPEN))


def _ask(work: Work, refund: Refund) -> RemoteRefund | NoAnswer:
    theirs = refund.provider_refund_id
    assert theirs is not None
    return pages.shown(work, lambda: work.listing.refund_of(theirs))


def _compare(refund: Refund, remote: RemoteRefund) -> Contradiction | None:
    return known_refund(refund, remote.money, remote.outcome.verdict)


def _apply(
    session: Session, _work: Work, payment: Payment, remote: RemoteRefund, provenance: Provenance
) -> Refund | None:
    return remote_refunds.record_remote(session, payment, remote, provenance=provenance)


SWEEP = Sweep(
    noun="refund",
    model=Refund,
    unknown=FindingKind.REFUND_MISSING_LOCAL,
    list_page=lambda work, cursor: work.listing.list_refunds(work.window, cursor=cursor),
    is_readable=lambda remote: remote.money is not None,
    find_ours=_find_ours,
    is_due=_is_due,
    their_id=lambda _, refund: refund.provider_refund_id,
    ask=_ask,
    compare=_compare,
    apply=_apply,
)
