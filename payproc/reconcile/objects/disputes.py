"""Disputes in the sweep: unheard ones are recorded, and the open ones are looked at again, whatever their age."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from payproc.database.models import Dispute, FindingKind, Payment, ReconciliationRun
from payproc.domain.provenance import Provenance
from payproc.domain.settlement import RemoteDispute
from payproc.domain.states import DISPUTE_OPEN
from payproc.reconcile.classification import known_dispute
from payproc.reconcile.objects import pages
from payproc.reconcile.objects.pages import LocalMatches
from payproc.reconcile.objects.sweep import Sweep
from payproc.reconcile.runs import Work
from payproc.records import disputes


def _find_ours(
    session: Session, run: ReconciliationRun, page: Sequence[RemoteDispute], _matches: LocalMatches
) -> Mapping[str, Dispute]:
    listed = Dispute.provider_dispute_id.in_([each.provider_id for each in page])
    known = select(Dispute).where(Dispute.provider == run.provider, listed)
    return {dispute.provider_dispute_id: dispute for dispute in session.scalars(known)}


def _is_due(work: Work, within: ColumnElement[bool]) -> ColumnElement[bool]:
    return (Dispute.provider == work.method) & (within | Dispute.status.in_(DISPUTE_OPEN))


def _apply(session: Session, work: Work, payment: Payment, remote: RemoteDispute, provenance: Provenance) -> Dispute:
    operators = work.app.settings.operator_mail
    return disputes.record_remote(session, payment, remote, provenance=provenance, operator_mail=operators)


SWEEP = Sweep(
    noun="dispute",
    model=Dispute,
    unknown=FindingKind.DISPUTE_UNKNOWN,
    list_page=lambda work, cursor: work.listing.list_disputes(work.window, cursor=cursor),
    is_readable=lambda remote: remote.money is not None,
    find_ours=_find_ours,
    is_due=_is_due,
    their_id=lambda _, dispute: dispute.provider_dispute_id,
    ask=lambda work, dispute: pages.shown(work, lambda: work.listing.dispute(dispute.provider_dispute_id)),
    compare=known_dispute,
    apply=_apply,
)
