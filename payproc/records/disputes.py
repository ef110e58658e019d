"""Disputes: the only code that writes one's status.

A customer's bank asks for money back. We record what the provider says of it, in whatever order it says so, and hold
refunds meanwhile; the merchant answers in the provider's dashboard.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Exists, select, text, tuple_
from sqlalchemy.orm import Session

from payproc.database.engine import transaction_time
from payproc.database.models import Dispute, DisputeEvent, Payment, ReviewKind, User
from payproc.domain.pagination import cursor_of, read_cursor
from payproc.domain.provenance import Provenance
from payproc.domain.settlement import RemoteDispute
from payproc.domain.states import DISPUTE_CLOSED, DISPUTE_OPEN, DisputeStanding, DisputeStatus, Effect, dispute_effect
from payproc.outgoing.mail import outbox
from payproc.outgoing.webhooks import outbox as events
from payproc.outgoing.webhooks.event_types import event_of_dispute
from payproc.records import payments
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from payproc.records.ledger import journal
from payproc.records.moves import log_move
from payproc.records.reviews import close_if_open, open_review

# Where somebody must answer; a word that we do not know may ask for one.
_WANTS_ANSWER = frozenset(
    {
        DisputeStatus.INQUIRY,
        DisputeStatus.UNKNOWN,
        DisputeStatus.NEEDS_RESPONSE,
        DisputeStatus.APPEAL_NEEDS_RESPONSE,
    }
)


# The bank only asks: a refund is what would end it.
_INQUIRIES = frozenset({DisputeStatus.INQUIRY, DisputeStatus.INQUIRY_UNDER_REVIEW})
_HOLDING = ", ".join(f"'{status}'" for status in sorted(DISPUTE_OPEN - _INQUIRIES))
# Whether nothing can be given back beside a dispute. One that is lost has given the customer the money already; else
# its provider's word counts, and where there is none whether anybody still decides.
BARS_REFUNDS = f"""(
    disputes.status = 'lost'
    OR CASE WHEN disputes.charge_refundable IS NULL THEN disputes.status IN ({_HOLDING})
       ELSE NOT disputes.charge_refundable END
)"""


def dispute_in_the_way(session: Session, payment: Payment) -> Dispute | None:
    """Return a dispute of the payment beside which nothing of it can be given back."""
    of_payment = select(Dispute).where(Dispute.payment_id == payment.id, text(BARS_REFUNDS))
    return session.scalar(of_payment.order_by(Dispute.created_at, Dispute.id).limit(1))


def is_in_the_way(payment: Payment) -> Exists:
    """Return the question whether there is such a dispute, to be asked with others."""
    return select(Dispute.id).where(Dispute.payment_id == payment.id, text(BARS_REFUNDS)).exists()


def refunds_barred(session: Session, payment_ids: Collection[str]) -> set[str]:
    """Return those of some payments of which a dispute lets nothing be given back."""
    return set(
        session.scalars(select(Dispute.payment_id).where(Dispute.payment_id.in_(payment_ids), text(BARS_REFUNDS)))
    )


def record_remote(
    session: Session, payment: Payment, remote: RemoteDispute, *, provenance: Provenance, operator_mail: str | None
) -> Dispute:
    """Apply how a dispute stands that a provider shows; write it down first where we did not know it.

    Operators are told of each status once, at `operator_mail`. Locks are taken payment first.
    """
    payment = payments.locked(session, payment.id)
    dispute = _known_dispute(session, payment, remote)
    if dispute is None:
        dispute = _write_dispute(session, payment, remote, provenance=provenance)
    else:
        _apply_to_dispute(session, payment, dispute, remote, provenance=provenance)
    for line in remote.lines:
        # Each word lists all that the dispute has moved so far: whichever comes first books it.
        journal.record_line(session, dispute.provider, line, payment_id=payment.id)
    _ask_for_answer(session, payment, dispute)
    outbox.stage_dispute(session, dispute, payment, told=remote.status, operator_mail=operator_mail)
    return dispute


@dataclass(frozen=True, kw_only=True)
class DisputePage:
    """Disputes and where the next page begins; None on the last."""

    disputes: list[Dispute]
    next_cursor: str | None


def page_of_disputes(
    session: Session, *, user: User, payment_id: str | None, is_open: bool | None, limit: int, cursor: str | None
) -> DisputePage:
    """Return up to `limit` disputes, newest first: of one's own payments, or everybody's for staff.

    Raises InvalidRequest for a cursor that is not one of ours.
    """
    query = select(Dispute).order_by(Dispute.created_at.desc(), Dispute.id.desc()).limit(limit + 1)
    if not permissions.reaches_all(Act.SEE_PAYMENT, user=user):
        query = query.where(Dispute.payment_id.in_(select(Payment.id).where(permissions.mine(Payment, user))))
    if payment_id is not None:
        query = query.where(Dispute.payment_id == payment_id)
    if is_open is not None:
        query = query.where(Dispute.status.in_(DISPUTE_OPEN if is_open else DISPUTE_CLOSED))
    if cursor is not None:
        query = query.where(tuple_(Dispute.created_at, Dispute.id) < read_cursor(cursor))
    found = list(session.scalars(query))
    last = found[limit - 1] if len(found) > limit else None
    return DisputePage(disputes=found[:limit], next_cursor=cursor_of(last.created_at, last.id) if last else None)


def disputes_of(session: Session, payment: Payment) -> list[Dispute]:
    """Return the disputes of a payment, oldest first."""
    of_payment = select(Dispute).where(Dispute.payment_id == payment.id)
    return list(session.scalars(of_payment.order_by(Dispute.created_at, Dispute.id)))


def _known_dispute(session: Session, payment: Payment, remote: RemoteDispute) -> Dispute | None:
    return session.scalar(
        select(Dispute).where(
            Dispute.provider == payment.payment_method, Dispute.provider_dispute_id == remote.provider_id
        )
    )


def _write_dispute(session: Session, payment: Payment, remote: RemoteDispute, *, provenance: Provenance) -> Dispute:
    assert remote.money is not None  # who reads the wire keeps what cannot be read away from here
    dispute = Dispute(
        payment_id=payment.id,
        provider=payment.payment_method,
        provider_dispute_id=remote.provider_id,
        amount_minor=remote.money.amount_minor,
        currency=remote.money.currency.code,
        status=remote.status,
        reason=remote.reason,
        charge_refundable=remote.charge_refundable,
        evidence_due_at=remote.evidence_due_at,
        reported_at=remote.reported_at,
    )
    session.add(dispute)
    session.flush()
    _stamp_closing(session, dispute)
    _record_dispute_event(session, dispute, remote.status, effect=Effect.MOVED, provenance=provenance, before=None)
    events.tell_dispute(session, dispute, payment, event_of_dispute(None, dispute.status))
    return dispute


def _apply_to_dispute(
    session: Session, payment: Payment, dispute: Dispute, remote: RemoteDispute, *, provenance: Provenance
) -> None:
    assert remote.money is not None
    before = dispute.status
    new = DisputeStanding(status=remote.status, reported_at=remote.reported_at)
    effect = dispute_effect(DisputeStanding(status=before, reported_at=dispute.reported_at), new)
    if remote.reported_at >= dispute.reported_at and effect is not Effect.LATE:
        dispute.status = remote.status
        dispute.reported_at = remote.reported_at
        dispute.amount_minor = remote.money.amount_minor
        dispute.reason = remote.reason or dispute.reason
        dispute.charge_refundable = remote.charge_refundable
        dispute.evidence_due_at = remote.evidence_due_at
    _stamp_closing(session, dispute)
    _record_dispute_event(session, dispute, remote.status, effect=effect, provenance=provenance, before=before)
    if effect is Effect.MOVED:
        events.tell_dispute(session, dispute, payment, event_of_dispute(before, dispute.status))


def _stamp_closing(session: Session, dispute: Dispute) -> None:
    if dispute.status not in DISPUTE_CLOSED:
        dispute.closed_at = None
    elif dispute.closed_at is None:
        dispute.closed_at = transaction_time(session)


def _ask_for_answer(session: Session, payment: Payment, dispute: Dispute) -> None:
    if dispute.status not in _WANTS_ANSWER:
        close_if_open(session, ReviewKind.DISPUTE_OPEN, dispute.id, resolution=f"the dispute is {dispute.status}")
        return
    money = dispute.money
    until = f" until {dispute.evidence_due_at:%Y-%m-%d %H:%M} UTC" if dispute.evidence_due_at else ""
    open_review(
        session,
        ReviewKind.DISPUTE_OPEN,
        dispute.id,
        payment_id=payment.id,
        detail=(
            f"{money} of {payment.id} is disputed ({dispute.provider_dispute_id}, {dispute.reason or 'no reason'}): "
            f"answer it in the dashboard of {dispute.provider}{until}, or accept it there."
        ),
    )


def _record_dispute_event(
    session: Session,
    dispute: Dispute,
    status: DisputeStatus,
    *,
    effect: Effect,
    provenance: Provenance,
    before: DisputeStatus | None,
) -> None:
    event = DisputeEvent(
        dispute_id=dispute.id,
        told=status,
        effect=effect,
        from_status=before,
        to_status=dispute.status,
        source=provenance.source,
        evidence=provenance.evidence,
    )
    session.add(event)
    log_move(session, event, payment_id=dispute.payment_id)
    session.flush()
