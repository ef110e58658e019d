"""What is to be delivered: read for a batch by one statement, without a lock, for nothing is written before a call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from payproc.database.encryption import Cipher
from payproc.database.engine import rows_within
from payproc.database.models import DeliveryState, EndpointState, WebhookEndpoint
from payproc.database.rows import RowReader
from payproc.outgoing.webhooks.sending import signing
from payproc.outgoing.webhooks.sending.sender import WebhookRequest


@dataclass(frozen=True, kw_only=True)
class Pending:
    """One delivery, its event, and where it goes, as they stood when the batch began."""

    delivery_id: str
    state: DeliveryState
    tries: int
    event_id: str
    event_type: str
    at: datetime
    data: str = field(repr=False)
    endpoint: WebhookEndpoint

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to be done, and perhaps nobody to do it to."""
        return self.state is not DeliveryState.PENDING or self.has_nobody

    @property
    def has_nobody(self) -> bool:
        """Whether its endpoint is called no more."""
        return self.endpoint.state in (EndpointState.DISABLED, EndpointState.DELETED)

    def request(self, *, signed_by: Sequence[str], now: datetime) -> WebhookRequest:
        """Return it as it leaves now: the same body and the same id at every try."""
        body = signing.body_of(self.event_type, at=self.at, data=self.data)
        headers = signing.headers_of(self.event_id, body, signed_by=signed_by, now=now)
        return WebhookRequest(url=self.endpoint.url, body=body, headers=headers)


def secrets_of(endpoint: WebhookEndpoint, *, cipher: Cipher, now: datetime) -> Sequence[str]:
    """Return the secrets that sign for an endpoint: while one is rotated the one before it, too.

    Raises RequestRefused where they were encrypted under another SECRET_KEY.
    """
    found = [cipher.decrypt(endpoint.encrypted_secret)]
    if endpoint.encrypted_previous_secret and endpoint.previous_until and now < endpoint.previous_until:
        found.append(cipher.decrypt(endpoint.encrypted_previous_secret))
    return found


_ENDPOINTS = RowReader(WebhookEndpoint)
_PENDING = f"""
    SELECT {_ENDPOINTS.columns}, webhook_deliveries.id, webhook_deliveries.state, webhook_deliveries.tries,
        events.id, events.type, events.at, events.data
    FROM webhook_deliveries
    JOIN events ON events.id = webhook_deliveries.event_id
    JOIN webhook_endpoints ON webhook_endpoints.id = webhook_deliveries.endpoint_id
    WHERE webhook_deliveries.id = ANY (%(ids)s)
"""  # noqa: S608 (our own words)


def read(session: Session, delivery_ids: Sequence[str]) -> dict[str, Pending]:
    """Return what these deliveries are, by their ids; what was pruned is not among it."""
    endpoints: dict[str, WebhookEndpoint] = {}
    found = (_pending(row, endpoints) for row in rows_within(session, _PENDING, {"ids": list(delivery_ids)}))
    return {each.delivery_id: each for each in found}


def _pending(row: tuple[Any, ...], endpoints: dict[str, WebhookEndpoint]) -> Pending:
    endpoint = _ENDPOINTS.read(row)
    delivery_id, state, tries, event_id, event_type, at, data = row[_ENDPOINTS.width :]
    return Pending(
        delivery_id=delivery_id,
        state=DeliveryState(state),
        tries=tries,
        event_id=event_id,
        event_type=event_type,
        at=at,
        data=data,
        endpoint=endpoints.setdefault(endpoint.id, endpoint),
    )
