"""The log of deliveries: what became of each, what is sent once more, and an event that only tests an endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import rows_within
from payproc.database.models import (
    DeliveryState,
    EndpointState,
    Event,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from payproc.domain.pagination import cursor_of, read_cursor
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.jobs import Kind
from payproc.outgoing.webhooks.event_types import EventType

MOST_REPLAYED = 10_000
# As many a second as leave room for what happens meanwhile.
_APART = timedelta(milliseconds=5)


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A delivery, and which event it is of."""

    delivery: WebhookDelivery
    event: Event


@dataclass(frozen=True, kw_only=True)
class DeliveryPage:
    """Deliveries and where the next page begins; None on the last."""

    deliveries: Sequence[Logged]
    next_cursor: str | None


def page_of_deliveries(
    session: Session,
    endpoint: WebhookEndpoint,
    *,
    state: DeliveryState | None,
    event_id: str | None,
    limit: int,
    cursor: str | None,
) -> DeliveryPage:
    """Return up to `limit` deliveries of an endpoint, newest first.

    Raises InvalidRequest for a cursor that is not one of ours.
    """
    place = (WebhookDelivery.created_at, WebhookDelivery.id)
    query = select(WebhookDelivery, Event).join(Event).where(WebhookDelivery.endpoint_id == endpoint.id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    if event_id is not None:
        query = query.where(WebhookDelivery.event_id == event_id)
    if cursor is not None:
        query = query.where(tuple_(*place) < read_cursor(cursor))
    query = query.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = [Logged(delivery=delivery, event=event) for delivery, event in session.execute(query)]
    last = found[limit - 1].delivery if len(found) > limit else None
    return DeliveryPage(
        deliveries=found[:limit], next_cursor=cursor_of(last.created_at, last.id) if last is not None else None
    )


def not_found(delivery_id: str) -> NotFound:
    """Return the error of who asks for a delivery that there is not, or that is not theirs to see."""
    return NotFound(f"There is no webhook delivery {delivery_id}.", code="webhook_delivery_not_found")


def attempts_of(session: Session, delivery: WebhookDelivery) -> Sequence[WebhookAttempt]:
    """Return the tries of a delivery, in their order."""
    of_delivery = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery.id)
    return session.scalars(of_delivery.order_by(WebhookAttempt.number)).all()


def replay(session: Session, endpoint: WebhookEndpoint, delivery_id: str) -> WebhookDelivery:
    """Deliver once more, now, to an endpoint under its lock: the same delivery, under the same `webhook-id`.

    One that waits for its next try is brought forward. Raises Conflict where the endpoint is not called any more.
    """
    _check_called(endpoint)
    delivery = session.get_one(WebhookDelivery, delivery_id, with_for_update=True, populate_existing=True)
    delivery.state, delivery.ended_at = DeliveryState.PENDING, None
    jobs.stage(session, Kind.DELIVER_WEBHOOK, delivery.id)
    return delivery


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which deliveries are sent once more: those of events that were told in a span of time. Times are aware."""

    since: datetime
    until: datetime | None = None
    event_types: Sequence[str] = ()
    state: DeliveryState | None = None  # of those that have ended; None means all of them


def replay_span(session: Session, endpoint: WebhookEndpoint, span: Span) -> int:
    """Deliver once more what has ended, oldest first, to an endpoint under its lock; return how many it is.

    Of more than MOST_REPLAYED the oldest. Raises InvalidRequest, or Conflict where the endpoint is not called any more.
    """
    _check_called(endpoint)
    if span.state is DeliveryState.PENDING:
        raise InvalidRequest("What is pending goes by itself.", code="delivery_pending", field="state")
    query = (
        select(WebhookDelivery.id)
        .join(Event)
        .where(WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.created_at >= span.since)
        .where(WebhookDelivery.state != DeliveryState.PENDING)
        .order_by(WebhookDelivery.created_at, WebhookDelivery.id)
        .limit(MOST_REPLAYED)
        .with_for_update(of=WebhookDelivery)
    )
    if span.until is not None:
        query = query.where(WebhookDelivery.created_at < span.until)
    if span.event_types:
        query = query.where(Event.type.in_(span.event_types))
    if span.state is not None:
        query = query.where(WebhookDelivery.state == span.state)
    wanted = session.scalars(query).all()
    if not wanted:
        return 0
    rows_within(session, _AGAIN, {"ids": wanted})
    jobs.stage_apart(session, Kind.DELIVER_WEBHOOK, wanted, apart=_APART)
    return len(wanted)


_AGAIN = "UPDATE webhook_deliveries SET state = 'pending', ended_at = NULL WHERE id = ANY (%(ids)s)"


def _check_called(endpoint: WebhookEndpoint) -> None:
    if endpoint.state not in (EndpointState.ENABLED, EndpointState.PAUSED):
        raise Conflict(
            f"{endpoint.id} is {endpoint.state}: enable it first.",
            code="webhook_endpoint_disabled",
            subject=endpoint.id,
        )


def send_test(session: Session, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Tell an endpoint under its lock, and no other, an event that only tests it. Raises Conflict as `replay` does."""
    _check_called(endpoint)
    before = session.scalar(select(func.max(Event.sequence)).where(Event.subject == endpoint.id))
    event = Event(
        type=EventType.WEBHOOK_TEST,
        shop_id=endpoint.shop_id,
        subject=endpoint.id,
        sequence=1 + (before or 0),
        data=f'{{"endpoint_id":"{endpoint.id}"}}',
    )
    session.add(event)
    session.flush()
    delivery = WebhookDelivery(event_id=event.id, endpoint_id=endpoint.id)
    session.add(delivery)
    session.flush()
    session.refresh(delivery)
    jobs.stage(session, Kind.DELIVER_WEBHOOK, delivery.id)
    return delivery
