"""Payments, both ways: what the provider lists against our rows, and our rows that it did not list."""

from dataclasses import dataclass, field

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Payment, ReconciliationMark, ReconciliationRun, Source
from payproc.domain.states import OPEN, TRANSITIONS, Effect, Fact, PaymentStatus
from payproc.flows.provider_requests import GRACE, end_of, payment_ref
from payproc.providers.base import Outcome, Verdict
from payproc.providers.listing import RemotePayment
from payproc.reconcile import findings
from payproc.reconcile.findings import Difference
from payproc.reconcile.objects import pages
from payproc.reconcile.objects.pages import Shown
from payproc.reconcile.runs import Batch, Work
from payproc.records import outcomes
from payproc.records.payments import Told

# A page of ours may need a call for each: few enough that a slice of work stays far below its lease.
_AT_ONCE = 20

_PAID = frozenset({PaymentStatus.COMPLETED, PaymentStatus.REFUNDED})
# What a provider's word would do to a payment that has not been paid.
_FACTS = {
    Verdict.PROCESSING: Fact.PROCESSING,
    Verdict.DECLINED: Fact.DECLINED,
    Verdict.CANCELLED: Fact.CANCELLED,
    Verdict.EXPIRED: Fact.EXPIRED,
}


def fetch_remote(work: Work, cursor: str | None) -> Batch[RemotePayment]:
    """Ask for one page of the provider's payments."""
    return pages.page_of(work, lambda: work.listing.list_payments(work.window, cursor=cursor))


def settle_remote(session: Session, work: Work, run: ReconciliationRun, batch: Batch[RemotePayment]) -> None:
    """Hold one page of the provider's payments against ours."""
    pages.report_unreadable(session, run, batch.unreadable)
    twins = pages.Twins(session, run, [(each.references, each.payment_id) for each in batch.items])
    pairs = [(twins.of(remote.references, remote.payment_id), remote) for remote in batch.items]
    findings.mark(session, run, *{payment.id for payment, _ in pairs if payment is not None})
    for payment, remote in pairs:
        if payment is None:
            _report_orphan(session, run, remote)
        else:
            _compare(session, work, run, payment, remote)


def _report_orphan(session: Session, run: ReconciliationRun, remote: RemotePayment) -> None:
    if remote.outcome.verdict is not Verdict.PAID:
        # Somebody tried to pay for something that is not ours: no money, no concern of ours.
        return
    difference = Difference(
        kind=FindingKind.MISSING_LOCAL,
        theirs=remote.provider_id,
        subject_at=remote.created_at,
        detail=f"{run.provider} took {remote.outcome.money} as {remote.provider_id}, which no payment of ours names.",
    )
    findings.record(session, run, difference)


def _compare(session: Session, work: Work, run: ReconciliationRun, payment: Payment, remote: RemotePayment) -> None:
    difference = _difference(payment, remote)
    if difference is None:
        if not run.dry_run:
            _learn(session, payment, remote)
        return

    def repair() -> None:
        told = Told(source=Source.RECONCILE, evidence=run.id)
        outcomes.apply_outcome(session, payment.id, remote.outcome, told=told)

    assert work.run_id == run.id
    findings.record(session, run, difference, repair=repair)


def _learn(session: Session, payment: Payment, remote: RemotePayment) -> None:
    # Which charge paid is not in every event, and the lines of the balance name no other id.
    known = payment_ref(payment).references
    if remote.outcome.verdict is Verdict.PAID and not remote.references.items() <= known.items():
        outcomes.learn_references(session, payment.id, remote.references)


def _difference(payment: Payment, remote: RemotePayment) -> Difference | None:
    found = _kind(payment, remote)
    if found is None:
        return None
    kind, sentence = found
    return Difference(
        kind=kind,
        ours=payment.id,
        theirs=remote.provider_id,
        payment_id=payment.id,
        subject_at=remote.created_at,
        detail=f"{payment.id} ({remote.provider_id}): {sentence}.",
    )


def _kind(payment: Payment, remote: RemotePayment) -> tuple[FindingKind, str] | None:
    outcome = remote.outcome
    asked = payment.money
    paid_there, paid_here = outcome.verdict is Verdict.PAID, payment.status in _PAID
    if outcome.live_mode is not None and outcome.live_mode is not payment.live_mode:
        return FindingKind.LIVEMODE_MISMATCH, "theirs is of the other mode (live or test)"
    if paid_there and _is_another(payment, remote):
        return FindingKind.DUPLICATE_CHARGE, f"{outcome.money} was taken a second time for it"
    if paid_there and outcome.money is not None and outcome.money.currency != asked.currency:
        return FindingKind.CURRENCY_MISMATCH, f"paid {outcome.money}, asked for {asked}"
    if paid_there and outcome.money is not None and outcome.money != asked:
        return FindingKind.AMOUNT_MISMATCH, f"paid {outcome.money}, asked for {asked}"
    if paid_there and not paid_here:
        return FindingKind.MISSED_EVENT, f"paid there, and {payment.status} here"
    if paid_here and not paid_there and not _is_another(payment, remote):
        return FindingKind.LOCAL_AHEAD, f"{payment.status} here, and {outcome.verdict} there"
    if not paid_here and not paid_there and _moves(payment, outcome):
        return FindingKind.STATUS_MISMATCH, f"{payment.status} here, and {outcome.verdict} there"
    return None


def _is_another(payment: Payment, remote: RemotePayment) -> bool:
    # It names our payment, and is not the one that ours was paid by.
    return any(
        reference.names_one_payment and (ours := getattr(payment, reference)) and theirs != ours
        for reference, theirs in remote.references.items()
    )


def _moves(payment: Payment, outcome: Outcome) -> bool:
    fact = _FACTS.get(outcome.verdict)
    cell = TRANSITIONS.get((payment.status, fact)) if fact else None
    return cell is not None and cell.effect is Effect.MOVED


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A payment of ours that no list named, and what asking for it by itself brought."""

    payment: Payment
    shown: Shown[RemotePayment] = field(default_factory=Shown)
    outcome: Outcome | None = None


def fetch_ours(work: Work, cursor: str | None) -> Batch[Looked]:
    """Take the next payments of ours in the window that no list named, and ask about each."""
    with work.app.database.transaction() as session:
        rows = list(session.scalars(_unlisted(work, cursor)))
    looked = [_look(work, payment) for payment in rows]
    return Batch(items=looked, cursor=rows[-1].id if len(rows) == _AT_ONCE else None)


def _unlisted(work: Work, cursor: str | None) -> Select[Payment]:
    named = select(ReconciliationMark.name).where(
        ReconciliationMark.run_id == work.run_id, ReconciliationMark.name == Payment.id
    )
    # An open payment inside its time is its poller's concern: nothing is late yet.
    late = Payment.status.in_(OPEN) & (func.coalesce(Payment.expires_at, Payment.created_at) < func.now() - GRACE)
    return (
        select(Payment)
        .where(
            Payment.payment_method == work.method,
            Payment.environment == work.app.settings.environment,
            Payment.created_at >= work.window.begin,
            Payment.created_at < work.window.end,
            Payment.status.in_(_PAID) | late,
            ~named.exists(),
            Payment.id > (cursor or ""),
        )
        .order_by(Payment.id)
        .limit(_AT_ONCE)
    )


def _look(work: Work, payment: Payment) -> Looked:
    if payment.status in OPEN:
        return Looked(payment=payment, outcome=_inquired(work, payment))
    theirs = _listed_as(work, payment)
    if theirs is None:
        return Looked(payment=payment)
    return Looked(payment=payment, shown=pages.shown(work, lambda: work.listing.payment(theirs)))


def _inquired(work: Work, payment: Payment) -> Outcome | None:
    ref = payment_ref(payment)
    if not ref.overdue or not work.provider.can_inquire(ref):
        return None
    return work.pace.ask(lambda: work.provider.inquire(ref))


def _listed_as(work: Work, payment: Payment) -> str | None:
    named: str | None = getattr(payment, work.listing.listed_by)
    return named


def settle_ours(session: Session, work: Work, run: ReconciliationRun, batch: Batch[Looked]) -> None:
    """Settle what asking about our own payments brought."""
    for looked in batch.items:
        if looked.payment.status in OPEN:
            _settle_late(session, run, looked)
        elif not looked.shown.readable:
            pages.report_unreadable(session, run, [_listed_as(work, looked.payment) or ""])
        elif looked.shown.item is None:
            _report_missing(session, work, run, looked.payment)
        else:
            _compare(session, work, run, looked.payment, looked.shown.item)


def _settle_late(session: Session, run: ReconciliationRun, looked: Looked) -> None:
    payment, outcome = looked.payment, looked.outcome
    if outcome is None or outcome.verdict in (Verdict.UNKNOWN, Verdict.PENDING):
        return
    kind = FindingKind.MISSED_EVENT if outcome.verdict is Verdict.PAID else FindingKind.STUCK
    difference = Difference(
        kind=kind,
        ours=payment.id,
        theirs=next(iter(payment_ref(payment).references.values()), ""),
        payment_id=payment.id,
        subject_at=payment.created_at,
        detail=f"{payment.id}: {payment.status} here past its end at {end_of(payment):%Y-%m-%d %H:%M} UTC, "
        f"and {outcome.verdict} there.",
    )

    def repair() -> None:
        told = Told(source=Source.RECONCILE, evidence=run.id)
        outcomes.apply_outcome(session, payment.id, outcome, told=told)

    findings.record(session, run, difference, repair=repair)


def _report_missing(session: Session, work: Work, run: ReconciliationRun, payment: Payment) -> None:
    theirs = _listed_as(work, payment)
    named = f"has no {theirs}" if theirs else "never told us an id of it"
    difference = Difference(
        kind=FindingKind.MISSING_REMOTE,
        ours=payment.id,
        theirs=theirs or "",
        payment_id=payment.id,
        subject_at=payment.created_at,
        detail=f"{payment.id} is {payment.status} here, and {run.provider} {named}.",
    )
    findings.record(session, run, difference)
