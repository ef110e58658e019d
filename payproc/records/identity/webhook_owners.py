"""Whose webhooks somebody may see and change: a shop its own, the staff everybody's."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc.database.models import EndpointState, Event, User, WebhookDelivery, WebhookEndpoint
from payproc.outgoing.webhooks import deliveries, endpoints
from payproc.outgoing.webhooks.deliveries import Logged
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act


def visible_endpoints(session: Session, *, user: User) -> Sequence[WebhookEndpoint]:
    """Return the endpoints that a user may see, newest first."""
    if permissions.reaches_all(Act.SEE_WEBHOOKS, user=user):
        return endpoints.every(session)
    return endpoints.of_shop(session, user.id)


def visible_endpoint(session: Session, endpoint_id: str, *, user: User) -> WebhookEndpoint:
    """Return an endpoint if this user may see it.

    Raises NotFound otherwise.
    """
    found = session.get(WebhookEndpoint, endpoint_id)
    if found is None or found.state is EndpointState.DELETED or not _sees(user, found):
        raise endpoints.not_found(endpoint_id)
    return found


def managed_endpoint(session: Session, endpoint_id: str, *, user: User) -> WebhookEndpoint:
    """Return an endpoint under its lock, for this user to change.

    Raises NotFound, or NotAllowed where they only see it.
    """
    seen = visible_endpoint(session, endpoint_id, user=user)
    permissions.check_owner(Act.MANAGE_WEBHOOKS, user=user, owners=_owners(seen))
    return endpoints.locked(session, seen.id)


def visible_delivery(session: Session, delivery_id: str, *, user: User) -> Logged:
    """Return a delivery if this user may see it; also one of an endpoint that is deleted.

    Raises NotFound otherwise.
    """
    query = (
        select(WebhookDelivery, Event, WebhookEndpoint)
        .join(Event)
        .join(WebhookEndpoint)
        .where(WebhookDelivery.id == delivery_id)
    )
    found = session.execute(query).one_or_none()
    if found is None or not _sees(user, found[2]):
        raise deliveries.not_found(delivery_id)
    return Logged(delivery=found[0], event=found[1])


def _sees(user: User, endpoint: WebhookEndpoint) -> bool:
    return permissions.reaches(Act.SEE_WEBHOOKS, user=user, owners=_owners(endpoint))


def _owners(endpoint: WebhookEndpoint) -> tuple[str, ...]:
    return (endpoint.shop_id,) if endpoint.shop_id else ()
