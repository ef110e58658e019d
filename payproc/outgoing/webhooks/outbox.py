"""Events: rows in the transaction of what they tell, with a delivery and its job for each endpoint that wants one.

So none is lost and none invented, whatever dies: either the change stands and is told, or neither does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.deferring import defer
from payproc.database.engine import rows_within
from payproc.database.models import Dispute, Event, Order, Payment, Refund
from payproc.domain.ids import Prefix, new_id
from payproc.domain.money import Money
from payproc.jobs.kinds import Kind
from payproc.outgoing.decline_reasons import decline_reason
from payproc.outgoing.webhooks import payload
from payproc.outgoing.webhooks.event_types import EventType
from payproc.outgoing.webhooks.payload import Data

# An id of ours is a prefix and 26 letters, among them every hexadecimal digit: the first 13 keep the event's time, and
# the others are drawn of what the delivery is of. So it needs no second statement that makes ids, nor a name that two
# could share.
_OF_BOTH = "substr(told.id, 5, 13) || substr(md5(told.id || endpoint.id), 1, 13)"
# Whose events an endpoint is told, and which: all, a word, or what begins with it. One that is disabled is told nothing
# of what happens meanwhile; one that is paused is, afterwards.
_WANTED = """
    endpoint.state IN ('enabled', 'paused') AND (endpoint.shop_id IS NULL OR endpoint.shop_id = told.shop_id)
    AND (endpoint.event_types = '{}' OR told.type = ANY (endpoint.event_types)
        OR split_part(told.type, '.', 1) || '.*' = ANY (endpoint.event_types))
"""
# Parts of a statement that makes what is told, in `told`: its deliveries, and what delivers them.
_DELIVERIES = f"""
delivered AS (
    INSERT INTO webhook_deliveries (id, event_id, endpoint_id)
    SELECT 'dlv_' || {_OF_BOTH}, told.id, endpoint.id FROM told JOIN webhook_endpoints AS endpoint ON {_WANTED}
    RETURNING id
), rung AS (
    INSERT INTO jobs (id, kind, queue, subject, dedupe_key)
    SELECT 'job_' || substr(id, 5), '{Kind.DELIVER_WEBHOOK}', '{Kind.DELIVER_WEBHOOK.policy.queue}', id,
        '{Kind.DELIVER_WEBHOOK}:' || id
    FROM delivered ORDER BY id
)
"""  # noqa: S608 (our own words)
_TELL = f"""
WITH told AS (
    INSERT INTO events (id, type, shop_id, payment_id, subject, sequence, data)
    SELECT * FROM unnest(
        %(id)s::text[], %(type)s::text[], %(shop_id)s::text[], %(payment_id)s::text[], %(subject)s::text[],
        %(sequence)s::int[], %(data)s::text[]
    )
    RETURNING id, type, shop_id
), {_DELIVERIES}
SELECT 1
"""  # noqa: S608 (our own words)
# Parts of the statement that makes a payment, in `created`: it says when, and that is told as well. The moment comes
# before all else: a place for it within would have to be found among what the shop's own metadata may say.
TOLD = f"""told AS (
    INSERT INTO events (id, type, shop_id, payment_id, subject, sequence, data, at)
    SELECT %(event_id)s, '{EventType.PAYMENT_CREATED}', %(shop_id)s, %(id)s, %(id)s, 1,
        '{{"created_at":"' || to_char(created_at AT TIME ZONE 'UTC', '{payload.MOMENT_FORMAT}') || '",'
            || substr(%(event_data)s, 2),
        created_at
    FROM created
    RETURNING id, type, shop_id
), {_DELIVERIES}"""  # noqa: S608 (our own words)


@dataclass(frozen=True, kw_only=True)
class _NewEvent:
    """An event as it is written down."""

    type: EventType
    shop_id: str | None
    payment_id: str | None
    subject: str
    sequence: int
    data: str


def tell_payment(session: Session, payment: Payment, type_: EventType) -> None:
    """Tell what happened to a payment whose row the caller has locked."""
    _tell_of_payment(session, payment, type_, payload.of_payment(payment, decline_reason=decline_reason(payment)))


def tell_refund(session: Session, refund: Refund, payment: Payment, type_: EventType) -> None:
    """Tell what happened to a refund of a payment whose row the caller has locked."""
    _tell_of_payment(session, payment, type_, payload.of_refund(refund, payment))


def tell_dispute(session: Session, dispute: Dispute, payment: Payment, type_: EventType) -> None:
    """Tell what happened to a dispute of a payment whose row the caller has locked."""
    _tell_of_payment(session, payment, type_, payload.of_dispute(dispute, payment))


def tell_order(session: Session, order: Order, type_: EventType, *, payment_id: str | None = None) -> None:
    """Tell what happened to an order whose row the caller has locked; `payment_id` is what paid it."""
    order.event_sequence += 1
    data = payload.of_order(order, payment_id=payment_id)
    _tell(session, type_, data, sequence=order.event_sequence, subject=order.id, shop_id=order.shop_id)


def tell_review(session: Session, data: Data, *, shop_id: str | None) -> None:
    """Tell that a person has to decide something, once for each review."""
    payment_id = data["payment_id"]
    type_ = EventType.REVIEW_OPENED
    _tell(session, type_, data, sequence=1, subject=data["id"], shop_id=shop_id, payment_id=payment_id)


def tell_payout(session: Session, type_: EventType, payout: str, *, provider: str, money: Money) -> None:
    """Tell what became of a payout; whoever books its lines does so one after the other."""
    told = select(func.coalesce(func.max(Event.sequence), 0)).where(Event.subject == payout)
    sequence = session.scalars(told).one() + 1
    _tell(session, type_, payload.of_payout(payout, provider, money), sequence=sequence, subject=payout, shop_id=None)


def created_parameters(payment: Payment) -> dict[str, Any]:
    """Return the parameters of `TOLD` that are not the payment's own."""
    data = payload.of_payment(payment, decline_reason=decline_reason(payment)) | {"sequence": 1}
    del data["created_at"]
    return {"event_id": new_id(Prefix.EVENT), "event_data": payload.text_of(data)}


def _tell_of_payment(session: Session, payment: Payment, type_: EventType, data: Data) -> None:
    # Counted with the row's other changes, by who has it locked: one of another session would count for itself.
    assert payment in session, f"{payment.id} was read elsewhere"
    payment.event_sequence += 1
    _tell(
        session,
        type_,
        data,
        sequence=payment.event_sequence,
        subject=payment.id,
        shop_id=payment.shop_id,
        payment_id=payment.id,
    )


def _tell(
    session: Session,
    type_: EventType,
    data: Data,
    *,
    sequence: int,
    subject: str,
    shop_id: str | None,
    payment_id: str | None = None,
) -> None:
    told = _NewEvent(
        type=type_,
        shop_id=shop_id,
        payment_id=payment_id,
        subject=subject,
        sequence=sequence,
        data=payload.text_of(data | {"sequence": sequence}),
    )
    defer(session, _write_told, told)


def _write_told(session: Session, told: Sequence[_NewEvent]) -> None:
    columns = {name: [getattr(each, name) for each in told] for name in _NewEvent.__dataclass_fields__}
    rows_within(session, _TELL, columns | {"id": [new_id(Prefix.EVENT) for _ in told]})
