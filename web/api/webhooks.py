"""Webhooks: where events are sent to, what became of each, and what is sent once more."""

from flask import Response

from payproc.database.models import Role, WebhookEndpoint
from payproc.outgoing.webhooks import deliveries, endpoints
from payproc.records.identity.permissions import Act
from payproc.records.identity.webhook_owners import (
    managed_endpoint,
    visible_delivery,
    visible_endpoint,
    visible_endpoints,
)
from web.api.blueprints import authenticated, problems
from web.api.locations import WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS, delivery_location, endpoint_location
from web.auth import application, current_user, needs
from web.json import json_answer, text_of
from web.schemas.webhooks import (
    ChosenState,
    DeliveriesAnswer,
    DeliveriesQuery,
    DeliveryAnswer,
    DeliveryDetailAnswer,
    DeliveryPath,
    EndpointAnswer,
    EndpointBody,
    EndpointChange,
    EndpointPath,
    EndpointsAnswer,
    NewSecretAnswer,
    ReplayAnswer,
    ReplayBody,
)

blueprint = authenticated(
    "webhooks", "Be told what happens.", prefix=WEBHOOK_ENDPOINTS, refusals=problems(404, 409, 422, 503)
)
deliveries_blueprint = authenticated(
    "webhook_deliveries",
    "What became of what was told.",
    prefix=WEBHOOK_DELIVERIES,
    refusals=problems(404, 409, 422, 503),
)


@blueprint.post("/", responses={"201": NewSecretAnswer, **problems(400, 413, 415)})
@needs(Act.MANAGE_WEBHOOKS)
def create(body: EndpointBody) -> Response:
    """Have events sent to an address: a shop's own, or everybody's where the staff asks.

    `secret` is shown this once; each delivery is signed with it by Standard Webhooks 1.0.
    """
    user, core = current_user(), application()
    shop_id = user.id if user.role is Role.SHOP else None
    with core.database.transaction() as session:
        made = endpoints.make(core, session, body.wanted(), shop_id=shop_id)
        shown = NewSecretAnswer.with_secret(made.endpoint, made.secret)
    return json_answer(text_of(shown), status=201, location=endpoint_location(shown.id))


@blueprint.get("/", responses={"200": EndpointsAnswer})
@needs(Act.SEE_WEBHOOKS)
def list_endpoints() -> Response:
    """List the endpoints, newest first: a shop's own, or everybody's for staff."""
    user = current_user()
    found = application().database.read(lambda session: visible_endpoints(session, user=user))
    return json_answer(text_of(EndpointsAnswer(endpoints=[EndpointAnswer.of(each) for each in found])))


@blueprint.get("/<endpoint_id>", responses={"200": EndpointAnswer})
@needs(Act.SEE_WEBHOOKS)
def show(path: EndpointPath) -> Response:
    """Show an endpoint."""
    user = current_user()
    return _shown(application().database.read(lambda session: visible_endpoint(session, path.endpoint_id, user=user)))


@blueprint.patch("/<endpoint_id>", responses={"200": EndpointAnswer, **problems(400, 413, 415)})
@needs(Act.MANAGE_WEBHOOKS)
def change(path: EndpointPath, body: EndpointChange) -> Response:
    """Change an endpoint, pause it, or enable it again."""
    core = application()
    with core.database.transaction() as session:
        endpoint = managed_endpoint(session, path.endpoint_id, user=current_user())
        endpoints.change(core, endpoint, body.wanted())
        match body.state:
            case ChosenState.PAUSED:
                endpoints.pause(endpoint)
            case ChosenState.ENABLED:
                endpoints.enable(session, endpoint)
            case None:
                pass
    return _shown(endpoint)


@blueprint.delete("/<endpoint_id>", responses={"204": None})
@needs(Act.MANAGE_WEBHOOKS)
def delete(path: EndpointPath) -> Response:
    """Delete an endpoint: what waits for it ends as failed, and what was delivered stays on record."""
    with application().database.transaction() as session:
        endpoints.delete(session, managed_endpoint(session, path.endpoint_id, user=current_user()))
    return Response(status=204)


@blueprint.post("/<endpoint_id>/rotate-secret", responses={"200": NewSecretAnswer})
@needs(Act.MANAGE_WEBHOOKS)
def rotate_secret(path: EndpointPath) -> Response:
    """Give an endpoint another secret, shown this once. For 24 hours each delivery is signed with both."""
    core = application()
    with core.database.transaction() as session:
        endpoint = managed_endpoint(session, path.endpoint_id, user=current_user())
        rotated = endpoints.rotate_secret(session, endpoint, cipher=core.webhook_cipher)
    return json_answer(text_of(NewSecretAnswer.with_secret(rotated.endpoint, rotated.secret)))


@blueprint.post("/<endpoint_id>/test", responses={"202": DeliveryAnswer})
@needs(Act.MANAGE_WEBHOOKS)
def send_test(path: EndpointPath) -> Response:
    """Send an event of type `webhook.test` to this endpoint alone; `Location` is where to see what came of it."""
    user = current_user()
    with application().database.transaction() as session:
        delivery = deliveries.send_test(session, managed_endpoint(session, path.endpoint_id, user=user))
        shown = DeliveryAnswer.of(visible_delivery(session, delivery.id, user=user))
    return json_answer(text_of(shown), status=202, location=delivery_location(shown.id))


@blueprint.get("/<endpoint_id>/deliveries", responses={"200": DeliveriesAnswer})
@needs(Act.SEE_WEBHOOKS)
def list_deliveries(path: EndpointPath, query: DeliveriesQuery) -> Response:
    """List an endpoint's deliveries, newest first."""
    with application().database.transaction() as session:
        page = deliveries.page_of_deliveries(
            session,
            visible_endpoint(session, path.endpoint_id, user=current_user()),
            state=query.state,
            event_id=query.event_id,
            limit=query.limit,
            cursor=query.cursor,
        )
        shown = [DeliveryAnswer.of(each) for each in page.deliveries]
    return json_answer(text_of(DeliveriesAnswer(deliveries=shown, next_cursor=page.next_cursor)))


@blueprint.post("/<endpoint_id>/replay", responses={"202": ReplayAnswer, **problems(400, 413, 415)})
@needs(Act.MANAGE_WEBHOOKS)
def replay_span(path: EndpointPath, body: ReplayBody) -> Response:
    """Send once more what was to be delivered in a span of time, of what has ended: each under its own `webhook-id`."""
    with application().database.transaction() as session:
        endpoint = managed_endpoint(session, path.endpoint_id, user=current_user())
        replayed = deliveries.replay_span(session, endpoint, body.span())
    return json_answer(text_of(ReplayAnswer(replayed=replayed)), status=202)


@deliveries_blueprint.get("/<delivery_id>", responses={"200": DeliveryDetailAnswer})
@needs(Act.SEE_WEBHOOKS)
def show_delivery(path: DeliveryPath) -> Response:
    """Show a delivery and its tries."""
    with application().database.transaction() as session:
        logged = visible_delivery(session, path.delivery_id, user=current_user())
        shown = DeliveryDetailAnswer.showing(logged, deliveries.attempts_of(session, logged.delivery))
    return json_answer(text_of(shown))


@deliveries_blueprint.post("/<delivery_id>/replay", responses={"202": DeliveryAnswer})
@needs(Act.MANAGE_WEBHOOKS)
def replay(path: DeliveryPath) -> Response:
    """Send a delivery once more, now, under the same `webhook-id`."""
    user = current_user()
    with application().database.transaction() as session:
        logged = visible_delivery(session, path.delivery_id, user=user)
        endpoint = managed_endpoint(session, logged.delivery.endpoint_id, user=user)
        deliveries.replay(session, endpoint, logged.delivery.id)
        shown = DeliveryAnswer.of(logged)
    return json_answer(text_of(shown), status=202)


def _shown(endpoint: WebhookEndpoint) -> Response:
    return json_answer(text_of(EndpointAnswer.of(endpoint)))
