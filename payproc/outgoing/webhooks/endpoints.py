"""Endpoints: the addresses that are told events, made and changed by their owners."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import assert_never

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.encryption import Cipher
from payproc.database.engine import transaction_time
from payproc.database.models import EndpointState, WebhookEndpoint
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.outgoing.webhooks import endings
from payproc.outgoing.webhooks.event_types import EventType
from payproc.outgoing.webhooks.sending import signing
from payproc.outgoing.webhooks.urls import check_url

# Each of them is sent each event.
MOST = 16
# Until then a receiver may know the secret before it.
ROTATION = timedelta(hours=24)

_ALL_OF = ".*"
_FILTERS = frozenset(EventType) | {f"{each.partition('.')[0]}{_ALL_OF}" for each in EventType}
_OURS = "'webhook endpoints of ' || coalesce(:shop, 'everybody')"
_ONE_AT_A_TIME = text(f"SELECT pg_advisory_xact_lock(hashtextextended({_OURS}, 0))")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an endpoint is to be; what is None stays as it is."""

    url: str | None = None
    event_types: Sequence[str] | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class WithSecret:
    """An endpoint whose secret is shown this once."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


def make(app: Application, session: Session, wanted: Wanted, *, shop_id: str | None) -> WithSecret:
    """Write an endpoint of a shop's down; of none it is told everybody's events.

    Raises InvalidRequest, or Conflict where there are enough.
    """
    if wanted.url is None:
        raise InvalidRequest("url is missing.", code="webhook_url_refused", field="url")
    session.execute(_ONE_AT_A_TIME, {"shop": shop_id})
    if len(of_shop(session, shop_id)) >= MOST:
        raise Conflict(f"There are {MOST} endpoints already; delete one first.", code="webhook_endpoints_full")
    secret = signing.new_secret()
    endpoint = WebhookEndpoint(shop_id=shop_id, encrypted_secret=app.webhook_cipher.encrypt(secret))
    change(app, endpoint, wanted)
    session.add(endpoint)
    session.flush()
    session.refresh(endpoint)
    return WithSecret(endpoint=endpoint, secret=secret)


def of_shop(session: Session, shop_id: str | None) -> Sequence[WebhookEndpoint]:
    """Return a shop's endpoints that are not deleted, or those of no shop, newest first."""
    return session.scalars(_kept().where(WebhookEndpoint.shop_id.is_not_distinct_from(shop_id))).all()


def every(session: Session) -> Sequence[WebhookEndpoint]:
    """Return all endpoints that are not deleted, newest first."""
    return session.scalars(_kept()).all()


def _kept() -> Select[WebhookEndpoint]:
    kept = select(WebhookEndpoint).where(WebhookEndpoint.state != EndpointState.DELETED)
    return kept.order_by(WebhookEndpoint.created_at.desc(), WebhookEndpoint.id.desc())


def locked(session: Session, endpoint_id: str) -> WebhookEndpoint:
    """Return an endpoint under its lock, which is taken before those of its deliveries. Raises NotFound."""
    # But for its key, which nothing changes: each delivery that is written with a payment's event holds that until its
    # commit. An endpoint that fails would hold up payments, and a payment told to two of them could meet a deadlock.
    found = session.get(WebhookEndpoint, endpoint_id, with_for_update={"key_share": True}, populate_existing=True)
    if found is None or found.state is EndpointState.DELETED:
        raise not_found(endpoint_id)
    return found


def not_found(endpoint_id: str) -> NotFound:
    """Return the error of who asks for an endpoint that there is not, or that is not theirs to see."""
    return NotFound(f"There is no webhook endpoint {endpoint_id}.", code="webhook_endpoint_not_found")


def change(app: Application, endpoint: WebhookEndpoint, wanted: Wanted) -> None:
    """Make an endpoint what is wanted. Raises InvalidRequest, and then nothing is changed."""
    if wanted.url is not None:
        check_url(wanted.url, settings=app.settings)
    if unknown := sorted(set(wanted.event_types or ()) - _FILTERS):
        known = ", ".join(sorted(_FILTERS))
        raise InvalidRequest(
            f"There are no events {', '.join(unknown)}; there are {known}.",
            code="event_type_unknown",
            field="event_types",
        )
    if wanted.url is not None:
        endpoint.url = wanted.url
    if wanted.event_types is not None:
        endpoint.event_types = sorted(set(wanted.event_types))
    if wanted.description is not None:
        endpoint.description = wanted.description


def pause(endpoint: WebhookEndpoint) -> None:
    """Have what happens wait, for an endpoint under its lock, until it is enabled. Raises Conflict."""
    match endpoint.state:
        case EndpointState.ENABLED | EndpointState.PAUSED:
            endpoint.state = EndpointState.PAUSED
        case EndpointState.DISABLED | EndpointState.DELETED:
            raise Conflict(
                f"{endpoint.id} is disabled: nothing waits for it.",
                code="webhook_endpoint_disabled",
                subject=endpoint.id,
            )
        case _:
            assert_never(endpoint.state)


def enable(session: Session, endpoint: WebhookEndpoint) -> None:
    """Send to an endpoint under its lock again; what has waited for it goes, and what has failed may be replayed."""
    endpoint.state, endpoint.disabled_reason, endpoint.failing_since = EndpointState.ENABLED, None, None
    endings.resume(session, endpoint)


def delete(session: Session, endpoint: WebhookEndpoint) -> None:
    """Call an endpoint under its lock no more, and forget its secrets. What was delivered stays on record."""
    endpoint.state = EndpointState.DELETED
    endpoint.encrypted_secret, endpoint.encrypted_previous_secret, endpoint.previous_until = "", None, None
    endings.end(session, endpoint)


def rotate_secret(session: Session, endpoint: WebhookEndpoint, *, cipher: Cipher) -> WithSecret:
    """Give an endpoint under its lock another secret. For a day both sign: a receiver that knows either believes."""
    secret, until = signing.new_secret(), transaction_time(session) + ROTATION
    endpoint.encrypted_previous_secret, endpoint.previous_until = endpoint.encrypted_secret, until
    endpoint.encrypted_secret = cipher.encrypt(secret)
    return WithSecret(endpoint=endpoint, secret=secret)
