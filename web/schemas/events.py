"""What is asked and answered about events."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from payproc.outgoing.webhooks.event_types import EventType
from web.schemas.base import Answer, Asked, Id, Query

_EVENT_ID = "evt_01kaw5m0v7e1cbb4wsy0s9p6jd"


class EventsQuery(Query):
    """Which events; oldest first."""

    after: Id | None = Field(
        default=None, description="`next_after` of the page before, or an event's id; from the oldest on without it."
    )
    type: str | None = Field(
        default=None,
        max_length=64,
        description="A type, or such as `payment.*`; all unless said.",
        examples=["payment.completed"],
    )
    payment_id: Id | None = Field(default=None, description="Of one payment, its refunds, disputes and reviews.")
    limit: int = Field(default=100, ge=1, le=100)


class EventPath(Asked):
    """Which event."""

    event_id: Id = Field(examples=[_EVENT_ID])


class EventAnswer(Answer):
    """An event: what webhooks are sent, with its `webhook-id` as `id`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _EVENT_ID,
                    "sequence": 3,
                    "type": "payment.completed",
                    "timestamp": "2026-01-31T12:00:00.000000Z",
                    "data": {"id": "pay_01kaw5m0v7e1cbb4wsy0s9p6jd", "status": "completed", "sequence": 3},
                }
            ]
        },
    )

    id: str = Field(description="The `webhook-id` of every try to deliver it.", examples=[_EVENT_ID])
    sequence: int = Field(description="Its place among the events of its payment, order or payout, from 1 on.")
    type: EventType
    timestamp: datetime = Field(description="When it happened, UTC.")
    data: dict[str, Any] = Field(description="As it was then, letter for letter: `webhooks` shows it for each type.")


class EventsAnswer(Answer):
    """Some events, oldest first."""

    events: list[EventAnswer]
    next_after: str | None = Field(
        description="`after` of the next page, also where there is none yet; null before any."
    )
    is_more: bool = Field(description="Whether there is more now; a page may hold fewer events than asked, even none.")
