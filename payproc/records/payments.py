"""Payments: the only code that writes one's status.

Webhook, poll, API, operator and reconciliation all end in `move`: what a provider said through `outcomes`, what was
decided here through `apply_fact`. The row is locked, the grid in `states` is asked, and an event appended.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.deferring import write_deferred
from payproc.database.engine import Database, transaction_time
from payproc.database.held import held_payments
from payproc.database.models import Payment, PaymentEvent, ReviewKind, User
from payproc.domain.ids import Prefix, new_id, new_reference
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import TERMINAL, Effect, Fact, PaymentStatus, transition
from payproc.errors import Conflict, NotFound
from payproc.outgoing.mail import outbox
from payproc.outgoing.webhooks import outbox as events
from payproc.outgoing.webhooks.event_types import EventType, event_of_payment
from payproc.records import refunded
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from payproc.records.ledger import journal
from payproc.records.moves import append_payment_event, log_committed
from payproc.records.orders import PaidBy, follow_payments
from payproc.records.reviews import open_review

_ENDED_UNPAID = frozenset({PaymentStatus.FAILED, PaymentStatus.CANCELLED})


def begin(payment: Payment) -> Payment:
    """Give a new payment its names, and its first status: it begins as pending. Nothing is written yet."""
    payment.id, payment.reference = new_id(Prefix.PAYMENT), new_reference()
    payment.status = PaymentStatus.PENDING
    # Until the database's clock has said when.
    payment.created_at = datetime.now(UTC)
    return payment


def add_again(session: Session, payment: Payment, *, provenance: Provenance) -> None:
    """Write a payment down that bears its names already, and that we have forgotten, as one that waits to be paid."""
    payment.status = PaymentStatus.PENDING
    session.add(payment)
    session.flush()
    append_payment_event(session, _event(payment, Fact.CREATED, effect=Effect.MOVED, provenance=provenance))
    events.tell_payment(session, payment, EventType.PAYMENT_CREATED)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What is written with a payment by the same statement: parts that come before its row, and after it.

    Its row is made where `where` says so; the last of `parts_after` may add to what the statement `answers`.
    """

    parts_before: tuple[str, ...] = ()
    where: str = ""
    parts_after: tuple[str, ...] = ()
    answers: str = ""
    lock: str | None = None


def add(
    database: Database,
    payment: Payment,
    *,
    provenance: Provenance,
    begun_for: timedelta | None,
    beside: Beside,
    parameters: Mapping[str, Any],
) -> list[tuple[Any, ...]]:
    """Write a new payment down with its first events and what stands `beside` it, in one statement.

    One that has `begun` can be paid for so long. Returns a row that begins with the time at which it was made (UTC), or
    whatever rows of `beside` say why it was not. Harmless when run twice: the second run finds what the first has made.
    """
    effect = transition(payment.status, Fact.STARTED).effect
    told = (
        {name: getattr(payment, name) for name in _WRITTEN}
        | events.created_parameters(payment)
        | {
            "next_action": None if payment.next_action is None else json.dumps(payment.next_action),
            "meta": json.dumps(payment.meta),
            "life": begun_for,
            "events": 1 if begun_for is None else 2,
            "effects": [Effect.MOVED.value, effect.value],
            "source": provenance.source.value,
            "evidence": provenance.evidence,
        }
    )
    rows = database.rows(_insert(beside), {**told, **parameters}, after=beside.lock)
    made = [row for row in rows if row[0] is not None]
    if made:
        _say_made(payment, made[0][0], life=begun_for, provenance=provenance)
    return made or rows


_WRITTEN = (
    *("id", "user_id", "shop_id", "order_id", "status", "payment_method", "reference", "dialect", "environment"),
    *("live_mode", "description", "phone", "encrypted_payer", "success_url", "cancel_url", "amount_minor", "currency"),
    *("phone_hash", "phone_last_four"),
)


@cache
def _insert(beside: Beside) -> str:
    before = "".join(f"{part}, " for part in beside.parts_before)
    after = "".join(f", {part}" for part in beside.parts_after)
    # The last part finds what an earlier run of this very statement has made, whose answer was lost.
    return f"""
WITH {before}created AS (
    INSERT INTO payments (
        id, user_id, shop_id, order_id, status, payment_method, reference, dialect, environment, live_mode, description,
        phone, sealed_payer, success_url, cancel_url, amount_minor, currency, next_action, metadata, expires_at,
        event_sequence,
        phone_hash, phone_last_four
    )
    SELECT %(id)s, %(user_id)s, %(shop_id)s, %(order_id)s, %(status)s, %(payment_method)s, %(reference)s, %(dialect)s,
        %(environment)s, %(live_mode)s, %(description)s, %(phone)s, %(encrypted_payer)s, %(success_url)s,
        %(cancel_url)s, %(amount_minor)s, %(currency)s, %(next_action)s, %(meta)s, now() + %(life)s::interval,
        1,
        %(phone_hash)s, %(phone_last_four)s
    {beside.where}
    ON CONFLICT (id) DO NOTHING RETURNING created_at
), noted AS (
    INSERT INTO payment_events (payment_id, fact, effect, from_status, to_status, source, evidence)
    SELECT %(id)s, facts.fact, (%(effects)s::text[])[facts.number], facts.before, 'pending', %(source)s, %(evidence)s
    FROM created, (VALUES (1, 'created', NULL), (2, 'started', 'pending')) AS facts (number, fact, before)
    WHERE facts.number <= %(events)s ORDER BY facts.number
), {events.TOLD}{after}
SELECT created_at, NULL::text, NULL::timestamptz FROM created
UNION ALL SELECT created_at, NULL, NULL FROM payments WHERE id = %(id)s
{beside.answers}
"""  # noqa: S608 (parts of our own)


def _say_made(payment: Payment, moment: datetime, *, life: timedelta | None, provenance: Provenance) -> None:
    payment.created_at = payment.updated_at = moment.astimezone(UTC)
    payment.expires_at = None if life is None else payment.created_at + life
    payment.event_sequence = 1
    event = _event(payment, Fact.CREATED, effect=Effect.MOVED, provenance=provenance)
    log_committed(event, payment_id=payment.id)


def visible_payment(session: Session, payment_id: str, *, user: User) -> Payment:
    """Return the payment if this user may see it.

    Raises NotFound otherwise: another user's payment does not exist for this one.
    """
    return visible(session.get(Payment, payment_id), payment_id, user=user)


def visible(payment: Payment | None, payment_id: str, *, user: User) -> Payment:
    """Return what was found under the id if this user may see it.

    Raises NotFound otherwise.
    """
    if payment is None or not permissions.reaches(Act.SEE_PAYMENT, user=user, owners=payment.owners):
        raise NotFound(f"There is no payment {payment_id}.", code="payment_not_found", subject=payment_id)
    return payment


def payment_for(session: Session, act: Act, payment_id: str, *, user: User) -> Payment:
    """Return the payment if this user may do this with it.

    Raises NotFound where they may not even see it, and NotAllowed.
    """
    payment = visible_payment(session, payment_id, user=user)
    permissions.check_owner(act, user=user, owners=payment.owners)
    return payment


def locked(session: Session, payment_id: str) -> Payment:
    """Return the payment under its row lock, freshly read when it was locked.

    Raises NotFound.
    """
    held = held_payments(session)
    payment = held.get(payment_id)
    if payment is None:
        payment = session.get(Payment, payment_id, with_for_update=True, populate_existing=True)
        if payment is None:
            raise NotFound(f"There is no payment {payment_id}.", code="payment_not_found", subject=payment_id)
        held.add([payment])
    return payment


def ended_at(session: Session, payment: Payment) -> datetime:
    """Return when a payment that has ended came to its present status (UTC)."""
    write_deferred(session)
    moves = select(func.max(PaymentEvent.at)).where(
        PaymentEvent.payment_id == payment.id, PaymentEvent.effect == Effect.MOVED
    )
    moment: datetime = session.scalars(moves).one()
    return moment


def fail(session: Session, payment_id: str, *, provenance: Provenance, code: str, message: str) -> Payment:
    """End a payment whose start was refused for good: there is nothing the customer could pay."""
    payment = locked(session, payment_id)
    failure = Failure(code=code, message=message)
    move(session, payment, Fact.DECLINED, provenance=provenance, detail=message, failure=failure)
    return payment


def apply_fact(
    session: Session, payment_id: str, fact: Fact, *, provenance: Provenance, detail: str | None = None
) -> Payment:
    """Apply a fact that needs no check against the provider's words: our own decision, or an operator's."""
    payment = locked(session, payment_id)
    failure = Failure(code=payment.failure_code or fact, message=_for_customer(detail, provenance))
    move(session, payment, fact, provenance=provenance, detail=detail, failure=failure)
    return payment


def _for_customer(detail: str | None, provenance: Provenance) -> str | None:
    # The customer is shown why a payment failed. An operator's reason stands in the event, for the staff.
    return None if provenance.source is Source.OPERATOR else detail


def undo_sale(session: Session, payment_id: str, *, provenance: Provenance, reason: str) -> str:
    """End a payment that was completed wrongly: nothing was paid. Return the journal that takes its sale back.

    Raises Conflict for one that is not completed, or of which anything has been given back or is on its way.
    """
    payment = locked(session, payment_id)
    held = refunded.reserved(session, payment)
    if payment.status is not PaymentStatus.COMPLETED or held.amount_minor:
        said = f"Payment {payment.id} is {payment.status}, and {held} of it is given back or on its way."
        raise Conflict(said, code="sale_stands", subject=payment.id)
    failure = Failure(code=Fact.SALE_UNDONE, message=None)
    move(session, payment, Fact.SALE_UNDONE, provenance=provenance, detail=reason, failure=failure)
    booked = journal.record_sale_undone(session, payment)
    assert booked is not None, "its turn was counted under the row's lock"
    return booked


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a payment ends unpaid: a provider's word or a fact's, and a sentence for the customer where there is one."""

    code: str
    message: str | None


def move(
    session: Session,
    payment: Payment,
    fact: Fact,
    *,
    provenance: Provenance,
    detail: str | None = None,
    failure: Failure | None = None,
) -> bool:
    """Let a fact act on a payment whose row the caller has locked; return whether it moved.

    `failure` is kept where it ends unpaid. Whatever a provider said is checked first: that is `outcomes`' concern.
    """
    cell = transition(payment.status, fact)
    before = payment.status
    if cell.effect is Effect.MOVED:
        # Asked before the change: a query in between would flush a completed payment without its time.
        now = transaction_time(session)
        payment.status = cell.to
        _stamp_payment(payment, now=now, failure=failure)
    event = _event(payment, fact, effect=cell.effect, provenance=provenance, before=before, detail=detail)
    append_payment_event(session, event)
    if cell.effect is not Effect.MOVED:
        return False
    events.tell_payment(session, payment, event_of_payment(before, payment.status))
    _follow_payment(session, payment, provenance=provenance)
    if cell.review:
        open_review(
            session,
            ReviewKind.PAID_LATE,
            payment.id,
            payment_id=payment.id,
            detail=f"{payment.id} was {before} and has been paid after all: fulfil it or refund it.",
        )
    return True


def _stamp_payment(payment: Payment, *, now: datetime, failure: Failure | None) -> None:
    if payment.status is PaymentStatus.COMPLETED and payment.completed_at is None:
        payment.completed_at = now
        payment.failure_code = payment.failure_message = None
    if payment.status is PaymentStatus.FAILED:
        # Its sale was undone: whatever asks whether it was paid asks for this.
        payment.completed_at = None
    if payment.status in _ENDED_UNPAID and failure is not None:
        payment.failure_code, payment.failure_message = failure.code, failure.message
    if payment.status in TERMINAL:
        payment.next_action = None
        payment.encrypted_payer = None


def _follow_payment(session: Session, payment: Payment, *, provenance: Provenance) -> None:
    if payment.status in TERMINAL:
        # One look at Stripe fewer for each payment whose webhook came in time.
        jobs.withdraw(session, jobs.Kind.INQUIRE_PAYMENT, payment.id)
    if payment.status is PaymentStatus.COMPLETED:
        journal.record_sale(session, payment)
        outbox.stage_receipt(session, payment)
        if refunded.is_full(session, payment):
            # Its refund was told before its payment was.
            move(session, payment, Fact.REFUNDED, provenance=provenance)
    if payment.status is PaymentStatus.FAILED:
        outbox.stage_failure(session, payment)
    if payment.order_id:
        _ask_about_the_second(session, payment.order_id, follow_payments(session, payment.order_id))


def _ask_about_the_second(session: Session, order_id: str, paid: PaidBy) -> None:
    ids = paid.payment_ids
    if len(ids) > 1:
        detail = f"Order {paid.reference} was paid {len(ids)} times: {', '.join(ids)}. Refund all but one."
        open_review(session, ReviewKind.PAID_TWICE, order_id, payment_id=ids[-1], detail=detail)


def _event(
    payment: Payment,
    fact: Fact,
    *,
    effect: Effect,
    provenance: Provenance,
    before: PaymentStatus | None = None,
    detail: str | None = None,
) -> PaymentEvent:
    return PaymentEvent(
        payment_id=payment.id,
        fact=fact,
        effect=effect,
        from_status=before,
        to_status=payment.status,
        source=provenance.source,
        evidence=provenance.evidence,
        detail=detail,
    )
