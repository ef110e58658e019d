"""Refunds: the only code that writes one's status.

API, webhook, poll, operator and reconciliation all end in `apply_outcome` or `apply_fact`, which lock the rows, ask the
grid in `states`, and append an event. Locks are taken payment first.
"""

from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import transaction_time
from payproc.database.held import held_payments
from payproc.database.models import Payment, Refund, RefundEvent, ReviewKind, User
from payproc.domain.ids import Prefix, new_id
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.settlement import RefundOutcome, RefundVerdict
from payproc.domain.states import (
    REFUND_OPEN,
    REFUND_RESERVING,
    Effect,
    Fact,
    PaymentStatus,
    RefundFact,
    RefundStatus,
    refund_transition,
)
from payproc.errors import NotFound
from payproc.outgoing.mail import outbox
from payproc.outgoing.webhooks import outbox as events
from payproc.outgoing.webhooks.event_types import event_of_refund
from payproc.providers.requests import RefundMode
from payproc.records import payments, refund_reviews, refunded
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from payproc.records.ledger import journal
from payproc.records.moves import log_move
from payproc.records.reviews import close_if_open


def begin(
    session: Session,
    payment: Payment,
    money: Money,
    *,
    status: RefundStatus,
    mode: RefundMode,
    user: User,
    reason: str | None,
    refund_id: str | None = None,
) -> Refund:
    """Write down a refund that was asked for, and set it going; whether it may be is `request_refund`'s concern."""
    refund = Refund(
        id=refund_id or new_id(Prefix.REFUND),
        payment_id=payment.id,
        amount_minor=money.amount_minor,
        currency=money.currency.code,
        status=status,
        reason=reason,
        requested_by=user.id,
        exclusive=mode is not RefundMode.IDEMPOTENT,
    )
    _write_refund(session, payment, refund, provenance=Provenance(source=Source.API, evidence=user.id))
    _set_refund_going(session, payment, refund)
    return refund


def add_made_elsewhere(
    session: Session,
    payment: Payment,
    money: Money,
    *,
    reason: str | None,
    provenance: Provenance,
    provider_id: str | None = None,
    refund_id: str | None = None,
) -> Refund:
    """Write down a refund that was not asked for here; how it stands is applied to it next.

    One that bears an id of ours was asked for here, and forgotten by a restore: it has its id again.
    """
    refund = Refund(
        id=refund_id or new_id(Prefix.REFUND),
        payment_id=payment.id,
        amount_minor=money.amount_minor,
        currency=money.currency.code,
        status=RefundStatus.PENDING,
        reason=reason,
        provider_refund_id=provider_id,
        exclusive=False,
    )
    _write_refund(session, payment, refund, provenance=provenance)
    return refund


def _write_refund(session: Session, payment: Payment, refund: Refund, *, provenance: Provenance) -> None:
    session.add(refund)
    held_payments(session).note_refunds([refund.payment_id])
    session.flush()
    _record_refund_event(session, refund, RefundFact.ASKED, effect=Effect.MOVED, provenance=provenance, before=None)
    events.tell_refund(session, refund, payment, event_of_refund(refund.status))


def _set_refund_going(session: Session, payment: Payment, refund: Refund) -> None:
    match refund.status:
        case RefundStatus.REQUESTED:
            refund_reviews.ask_for_approval(session, payment, refund)
        case RefundStatus.MANUAL:
            refund_reviews.ask_for_refund_by_hand(session, payment, refund)
        case _:
            jobs.stage(session, jobs.Kind.SEND_REFUND, refund.id, method=payment.payment_method)


def approve(session: Session, refund_id: str, *, provenance: Provenance) -> Refund:
    """Let a requested refund go ahead. One that was decided before stays as it is."""
    return _let_refund_go_on(session, refund_id, RefundFact.APPROVED, provenance=provenance)


def hand_over(session: Session, refund_id: str, *, provenance: Provenance) -> Refund:
    """Give a refund to a person: its provider has no call for it, or none any more."""
    return _let_refund_go_on(session, refund_id, RefundFact.HANDED_OVER, provenance=provenance)


def _let_refund_go_on(session: Session, refund_id: str, fact: RefundFact, *, provenance: Provenance) -> Refund:
    refund, payment = locked(session, refund_id)
    if _move_refund(session, payment, refund, fact, provenance=provenance):
        _set_refund_going(session, payment, refund)
    return refund


def apply_outcome(session: Session, refund_id: str, outcome: RefundOutcome, *, provenance: Provenance) -> Refund:
    """Apply what a provider said about a refund; the one door for every source."""
    refund, payment = locked(session, refund_id)
    if outcome.provider_id and refund.provider_refund_id is None:
        refund.provider_refund_id = outcome.provider_id
    _note_what_it_waits_for(session, payment, refund, outcome)
    fact = _refund_fact(outcome)
    if fact is not None:
        _apply_to_refund(
            session,
            payment,
            refund,
            fact,
            provenance=provenance,
            code=outcome.failure_code,
            message=outcome.failure_message,
        )
    return refund


def _note_what_it_waits_for(session: Session, payment: Payment, refund: Refund, outcome: RefundOutcome) -> None:
    if refund.status is not RefundStatus.PENDING or outcome.verdict is not RefundVerdict.PENDING:
        return
    refund.pending_reason = outcome.pending_reason
    if outcome.awaits_merchant:
        refund_reviews.ask_for_balance(session, payment, refund)
    else:
        close_if_open(session, ReviewKind.REFUND_WAITS, refund.id, resolution="it waits for us no longer")


def apply_fact(
    session: Session,
    refund_id: str,
    fact: RefundFact,
    *,
    provenance: Provenance,
    code: str | None = None,
    message: str | None = None,
) -> Refund:
    """Apply a fact that needs no provider's words: a refusal of our call, or an operator's decision."""
    refund, payment = locked(session, refund_id)
    _apply_to_refund(session, payment, refund, fact, provenance=provenance, code=code, message=message)
    return refund


def _refund_fact(outcome: RefundOutcome) -> RefundFact | None:
    match outcome.verdict:
        case RefundVerdict.SUCCEEDED:
            return RefundFact.SUCCEEDED
        case RefundVerdict.PENDING:
            return RefundFact.UNDER_WAY
        case RefundVerdict.FAILED:
            return RefundFact.FAILED
        case RefundVerdict.CANCELLED:
            return RefundFact.CANCELLED
        case RefundVerdict.NOT_FOUND | RefundVerdict.UNKNOWN:
            return None
        case _:
            assert_never(outcome.verdict)


def _apply_to_refund(
    session: Session,
    payment: Payment,
    refund: Refund,
    fact: RefundFact,
    *,
    provenance: Provenance,
    code: str | None,
    message: str | None,
) -> None:
    before = refund.status
    # The customer is shown it. An operator's reason stands in the event, for the staff.
    failure = Failure(code=code, message=None if provenance.source is Source.OPERATOR else message)
    detail = message or code
    moved = _move_refund(session, payment, refund, fact, provenance=provenance, detail=detail, failure=failure)
    if (before, fact) != (RefundStatus.REQUESTED, RefundFact.CANCELLED):
        # Nothing was tried of one that an operator turned down.
        _tell_customer(session, payment, refund, fact, before=before)
    if moved:
        _follow_refund(session, payment, refund, before=before, provenance=provenance)


def _tell_customer(
    session: Session, payment: Payment, refund: Refund, fact: RefundFact, *, before: RefundStatus
) -> None:
    # By what was learned, not by what it changed: in whatever order the news come, the same mail is staged. What has
    # come untrue when its turn comes is withdrawn.
    if fact is RefundFact.SUCCEEDED:
        outbox.stage_refund(session, refund, payment)
    elif fact in (RefundFact.FAILED, RefundFact.CANCELLED):
        promised = outbox.stage_refund_failed(session, refund, payment)
        if promised and before is not RefundStatus.SUCCEEDED:
            # The letter says that we will be in touch: somebody has to. Of what had succeeded another review asks it.
            refund_reviews.report_failed(session, payment, refund)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a refund did not go through, in its provider's words; both are None of one that did."""

    code: str | None
    message: str | None


def _move_refund(
    session: Session,
    payment: Payment,
    refund: Refund,
    fact: RefundFact,
    *,
    provenance: Provenance,
    detail: str | None = None,
    failure: Failure | None = None,
) -> bool:
    cell = refund_transition(refund.status, fact)
    before = refund.status
    refund.status = cell.to
    if cell.effect is Effect.MOVED and refund.status not in REFUND_OPEN:
        refund.settled_at = transaction_time(session)
    _record_refund_event(session, refund, fact, effect=cell.effect, provenance=provenance, before=before, detail=detail)
    if cell.effect is Effect.MOVED:
        refund.pending_reason = None
        if failure is not None:
            refund.failure_code, refund.failure_message = failure.code, failure.message
        events.tell_refund(session, refund, payment, event_of_refund(refund.status))
    session.flush()
    if cell.review:
        refund_reviews.report_undone(session, payment, refund)
    return cell.effect is Effect.MOVED


def _follow_refund(
    session: Session, payment: Payment, refund: Refund, *, before: RefundStatus, provenance: Provenance
) -> None:
    jobs.withdraw(session, jobs.Kind.INQUIRE_REFUND, refund.id)
    refund_reviews.close_when_ended(session, refund)
    if refund.status not in REFUND_RESERVING and not refunded.exceeds(session, payment):
        close_if_open(session, ReviewKind.REFUND_MISMATCH, payment.id, resolution="no more than was paid goes back")
    if refund.status is RefundStatus.SUCCEEDED:
        _count_refund(session, payment, refund, provenance=provenance)
    elif before is RefundStatus.SUCCEEDED:
        _count_refund_back(session, payment, refund, provenance=provenance)


def _count_refund(session: Session, payment: Payment, refund: Refund, *, provenance: Provenance) -> None:
    journal.record_refund(session, refund, payment)
    if payment.status is PaymentStatus.COMPLETED and refunded.is_full(session, payment):
        payments.apply_fact(session, payment.id, Fact.REFUNDED, provenance=provenance, detail=refund.id)


def _count_refund_back(session: Session, payment: Payment, refund: Refund, *, provenance: Provenance) -> None:
    journal.record_refund_undone(session, refund, payment)
    if payment.status is PaymentStatus.REFUNDED:
        payments.apply_fact(session, payment.id, Fact.REFUND_UNDONE, provenance=provenance, detail=refund.id)


def _record_refund_event(
    session: Session,
    refund: Refund,
    fact: RefundFact,
    *,
    effect: Effect,
    provenance: Provenance,
    before: RefundStatus | None,
    detail: str | None = None,
) -> None:
    event = RefundEvent(
        refund_id=refund.id,
        fact=fact,
        effect=effect,
        from_status=before,
        to_status=refund.status,
        source=provenance.source,
        evidence=provenance.evidence,
        detail=detail,
    )
    session.add(event)
    log_move(session, event, payment_id=refund.payment_id)


def locked(session: Session, refund_id: str) -> tuple[Refund, Payment]:
    """Return a refund and its payment under their row locks, freshly read.

    Raises NotFound.
    """
    refund = session.get(Refund, refund_id)
    if refund is None:
        raise NotFound(f"There is no refund {refund_id}.", code="refund_not_found", subject=refund_id)
    payment = payments.locked(session, refund.payment_id)
    return session.get_one(Refund, refund_id, with_for_update=True, populate_existing=True), payment


def forgotten(session: Session, payment: Payment, refund_id: str, *, money: Money | None) -> Refund | None:
    """Return the refund of that id and amount that was asked for here, forgotten by a restore and heard of again."""
    refund = session.get(Refund, refund_id)
    is_that = refund is not None and refund.payment_id == payment.id and refund.requested_by is None
    return refund if refund is not None and is_that and money in (None, refund.money) else None


def refunds_of(session: Session, payment: Payment) -> list[Refund]:
    """Return the refunds of a payment, oldest first."""
    of_payment = select(Refund).where(Refund.payment_id == payment.id)
    return list(session.scalars(of_payment.order_by(Refund.created_at, Refund.id)))


def visible_refund(session: Session, refund_id: str, *, user: User) -> Refund:
    """Return the refund if this user may see its payment.

    Raises NotFound otherwise.
    """
    refund = session.get(Refund, refund_id)
    if refund is not None:
        payment = session.get_one(Payment, refund.payment_id)
        if permissions.reaches(Act.SEE_PAYMENT, user=user, owners=payment.owners):
            return refund
    raise NotFound(f"There is no refund {refund_id}.", code="refund_not_found", subject=refund_id)
