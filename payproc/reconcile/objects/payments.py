"""Payments in the sweep: those that are open past their end are inquired about, the others shown."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Payment, ReconciliationRun
from payproc.domain.provenance import Provenance
from payproc.domain.states import OPEN
from payproc.flows.provider_requests import GRACE, payment_ref
from payproc.providers.answers import Verdict
from payproc.providers.listing import RemotePayment
from payproc.reconcile import classification
from payproc.reconcile.classification import PAID, Contradiction
from payproc.reconcile.objects import pages
from payproc.reconcile.objects.pages import LocalMatches, NoAnswer
from payproc.reconcile.objects.sweep import Sweep
from payproc.reconcile.runs import Work
from payproc.records import outcomes


class _Inquired(RemotePayment):
    """What became of a payment that is open past its end: no list shows it."""


def _find_ours(
    _session: Session, _run: ReconciliationRun, page: Sequence[RemotePayment], matches: LocalMatches
) -> Mapping[str, Payment]:
    return {remote.provider_id: payment for remote in page if (payment := matches.of(remote)) is not None}


def _is_due(work: Work, within: ColumnElement[bool]) -> ColumnElement[bool]:
    # An open payment inside its time is its poller's concern: nothing is late yet.
    late = Payment.status.in_(OPEN) & (func.coalesce(Payment.expires_at, Payment.created_at) < func.now() - GRACE)
    return work.is_ours & within & (Payment.status.in_(PAID) | late)


def _their_id(work: Work, payment: Payment) -> str | None:
    named: str | None = getattr(payment, work.listing.listed_by)
    return named


def _ask(work: Work, payment: Payment) -> RemotePayment | NoAnswer:
    if payment.status in OPEN:
        return _inquire(work, payment)
    theirs = _their_id(work, payment)
    return NoAnswer.ABSENT if theirs is None else pages.shown(work, lambda: work.listing.payment(theirs))


def _inquire(work: Work, payment: Payment) -> RemotePayment | NoAnswer:
    ref = payment_ref(payment)
    if not ref.overdue or not work.provider.can_inquire(ref):
        return NoAnswer.SILENT
    return _Inquired(
        provider_id=next(iter(ref.references.values()), ""),
        references=ref.references,
        outcome=work.rate_limit.ask(lambda: work.provider.inquire(ref)),
        created_at=payment.created_at,
    )


def _compare(payment: Payment, remote: RemotePayment) -> Contradiction | None:
    if isinstance(remote, _Inquired):
        return classification.late_payment(payment, remote.outcome)
    return classification.listed_payment(payment, remote)


def _learn(session: Session, payment: Payment, remote: RemotePayment) -> None:
    # Which charge paid is not in every event, and the lines of the balance name no other id.
    known = payment_ref(payment).references
    if remote.outcome.verdict is Verdict.PAID and not remote.references.items() <= known.items():
        outcomes.learn_references(session, payment.id, remote.references)


def _apply(session: Session, _work: Work, payment: Payment, remote: RemotePayment, provenance: Provenance) -> Payment:
    return outcomes.apply_outcome(session, payment.id, remote.outcome, provenance=provenance)


SWEEP = Sweep(
    noun="payment",
    model=Payment,
    unknown=FindingKind.MISSING_LOCAL,
    list_page=lambda work, cursor: work.listing.list_payments(work.window, cursor=cursor),
    is_readable=lambda _: True,
    # Somebody tried to pay for something that is not ours: no money, no concern of ours.
    is_concern=lambda remote: remote.outcome.verdict is Verdict.PAID,
    find_ours=_find_ours,
    is_due=_is_due,
    their_id=_their_id,
    ask=_ask,
    compare=_compare,
    learn=_learn,
    apply=_apply,
)
