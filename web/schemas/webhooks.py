"""What is asked and answered about webhooks."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict, Field

from payproc.database.models import DeliveryState, EndpointState, WebhookAttempt, WebhookEndpoint
from payproc.outgoing.webhooks.deliveries import MOST_REPLAYED, Logged, Span
from payproc.outgoing.webhooks.endpoints import MOST, Wanted
from web.schemas.base import Answer, Asked, Body, Id, Moment, PageQuery

_URL = "https, of a host that the whole internet knows; in development plain http and loopback, too."
_TYPES = "Types of events, or the first word of some and `.*`; none means all."
_ENDPOINT, _DELIVERY, _EVENT = (f"{prefix}_01kaw5m0v7e1cbb4wsy0s9p6jd" for prefix in ("whe", "dlv", "evt"))
_HOOK = "https://shop.example.com/hooks/payproc"


class EndpointBody(Body):
    """Where events are sent to, and which."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": _HOOK, "event_types": ["payment.*", "order.paid"]}]}
    )

    url: str = Field(min_length=1, max_length=2000, description=_URL, examples=[_HOOK])
    event_types: list[str] = Field(
        default_factory=list, max_length=64, description=_TYPES, examples=[["payment.*", "order.paid"]]
    )
    description: str = Field(default="", max_length=200, examples=["The shop"])

    def wanted(self) -> Wanted:
        """Say it in the core's words."""
        return Wanted(**dict(self))


class ChosenState(StrEnum):
    """What its owner may make of an endpoint."""

    ENABLED = "enabled"
    PAUSED = "paused"


class EndpointChange(Body):
    """What is to be otherwise about an endpoint; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "paused"}]})

    url: str | None = Field(default=None, min_length=1, max_length=2000, description=_URL, examples=[_HOOK])
    event_types: list[str] | None = Field(default=None, max_length=64, description=_TYPES)
    description: str | None = Field(default=None, max_length=200)
    state: ChosenState | None = Field(
        default=None,
        strict=False,
        description="`paused`: what happens waits. `enabled`: it goes, and a disabled endpoint is called again.",
    )

    def wanted(self) -> Wanted:
        """Say it in the core's words."""
        return Wanted(url=self.url, event_types=self.event_types, description=self.description)


class EndpointPath(Asked):
    """Which endpoint."""

    endpoint_id: str = Field(max_length=64, examples=[_ENDPOINT])


class EndpointAnswer(Answer):
    """An endpoint."""

    id: str = Field(examples=[_ENDPOINT])
    shop_id: str | None = Field(description="Whose events it is told; null: everybody's.")
    url: str = Field(examples=[_HOOK])
    event_types: list[str] = Field(description=_TYPES, examples=[["payment.*"]])
    description: str
    state: EndpointState
    disabled_reason: str | None = Field(description="Why it is called no more.")
    failing_since: datetime | None = Field(description="Since when it takes nothing; after five days it is disabled.")
    previous_secret_until: datetime | None = Field(description="Until when the secret before the last signs as well.")
    created_at: datetime

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> "EndpointAnswer":
        """Show an endpoint; its secrets are no part of it."""
        return cls.of_row(endpoint, previous_secret_until=endpoint.previous_until)


class NewSecretAnswer(EndpointAnswer):
    """An endpoint and its new secret, which is shown this once."""

    secret: str = Field(examples=["whsec_" + "A" * 43 + "="])

    @classmethod
    def with_secret(cls, endpoint: WebhookEndpoint, secret: str) -> "NewSecretAnswer":
        """Show both."""
        return cls.of_row(endpoint, previous_secret_until=endpoint.previous_until, secret=secret)


class EndpointsAnswer(Answer):
    """The endpoints, newest first."""

    endpoints: list[EndpointAnswer] = Field(description=f"A shop has {MOST} at most.")


class DeliveriesQuery(PageQuery):
    """Which deliveries of an endpoint; newest first."""

    state: DeliveryState | None = None
    event_id: Id | None = Field(default=None, examples=[_EVENT])


class DeliveryPath(Asked):
    """Which delivery."""

    delivery_id: str = Field(max_length=64, examples=[_DELIVERY])


class DeliveryAnswer(Answer):
    """One event for one endpoint."""

    id: str = Field(examples=[_DELIVERY])
    endpoint_id: str = Field(examples=[_ENDPOINT])
    event_id: str = Field(description="Also its `webhook-id`.", examples=[_EVENT])
    event_type: str = Field(examples=["payment.completed"])
    payment_id: str | None
    state: DeliveryState
    tries: int
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, logged: Logged) -> "DeliveryAnswer":
        """Show a delivery."""
        return cls.of_row(logged.delivery, event_type=logged.event.type, payment_id=logged.event.payment_id)


class DeliveriesAnswer(Answer):
    """One page of deliveries, newest first."""

    deliveries: list[DeliveryAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class AttemptAnswer(Answer):
    """One try, and what came of it."""

    number: int
    at: datetime
    milliseconds: int
    status: int | None = Field(description="What the endpoint answered; null where it did not.")
    answer: str | None = Field(description="The first 2 kB of its answer.")
    trouble: str | None = Field(description="Why there is none.", examples=["no answer in time"])

    @classmethod
    def of(cls, attempt: WebhookAttempt) -> "AttemptAnswer":
        """Show a try."""
        return cls.of_row(attempt)


class DeliveryDetailAnswer(DeliveryAnswer):
    """A delivery and its tries."""

    attempts: list[AttemptAnswer]

    @classmethod
    def showing(cls, logged: Logged, attempts: Sequence[WebhookAttempt]) -> "DeliveryDetailAnswer":
        """Show both."""
        return cls.of_row(
            logged.delivery,
            event_type=logged.event.type,
            payment_id=logged.event.payment_id,
            attempts=[AttemptAnswer.of(each) for each in attempts],
        )


class ReplayBody(Body):
    """Which deliveries of an endpoint go once more: of those that have ended."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"examples": [{"from": "2026-01-31T00:00:00Z", "state": "failed"}]},
    )

    since: Moment = Field(alias="from", strict=False, description="Made at this time or later.")
    until: Moment | None = Field(default=None, alias="to", strict=False, description="Made before this time.")
    event_types: list[str] = Field(default_factory=list, max_length=64, examples=[["payment.completed"]])
    state: DeliveryState | None = Field(default=None, strict=False, description="Only those that ended so.")

    def span(self) -> Span:
        """Say it in the core's words."""
        return Span(since=self.since, until=self.until, event_types=self.event_types, state=self.state)


class ReplayAnswer(Answer):
    """How much goes once more."""

    replayed: int = Field(description=f"{MOST_REPLAYED:,} at most, the oldest: ask again for what is left.")
