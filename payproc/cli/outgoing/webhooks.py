"""`webhook`: where events are sent to, what became of each, and what is sent once more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from payproc.cli.people.users import named_user
from payproc.cli.terminal.edge import ADMIN, Id, Json, Limit, application, line_if_any, moment, transaction
from payproc.cli.terminal.rendering import show_item, show_list
from payproc.database.models import DeliveryState, Role, User, WebhookAttempt, WebhookEndpoint
from payproc.errors import InvalidRequest
from payproc.outgoing.webhooks import deliveries, endpoints
from payproc.outgoing.webhooks.deliveries import Logged, Span
from payproc.outgoing.webhooks.endpoints import Wanted
from payproc.records.identity.webhook_owners import visible_delivery, visible_endpoint, visible_endpoints

app = typer.Typer(no_args_is_help=True)

Types = Annotated[
    list[str] | None, typer.Option("--event", help="A type, or such as payment.*; once for each, all unless said.")
]
Description = Annotated[str | None, typer.Option(callback=line_if_any, help="For people to tell them apart.")]


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where events are sent to.")],
    *,
    shop: Annotated[str | None, typer.Option(help="A shop's address or id: its events alone.")] = None,
    event: Types = None,
    description: Description = None,
    json: Json = False,
) -> None:
    """Make an endpoint; its secret is shown this once."""
    wanted = Wanted(url=url, event_types=event or [], description=description or "")
    with application() as core, core.database.transaction() as session:
        made = endpoints.make(core, session, wanted, shop_id=_shop(session, shop).id if shop else None)
        row = _row(made.endpoint) | {"secret": made.secret}
    show_item(row, json=json)


def _shop(session: Session, named: str) -> User:
    user = named_user(session, named)
    if user.role is not Role.SHOP:
        raise InvalidRequest(f"{user.email} is {user.role}, and no shop.")
    return user


@app.command("list")
def list_endpoints(*, limit: Limit = 20, json: Json = False) -> None:
    """List the endpoints, newest first."""
    with transaction() as session:
        found = visible_endpoints(session, user=ADMIN)
    columns = ("id", "shop_id", "url", "event_types", "state", "failing_since")
    show_list("endpoints", [_row(each) for each in found[:limit]], columns=columns, more=len(found) > limit, json=json)


@app.command()
def show(endpoint_id: Id, *, json: Json = False) -> None:
    """Show an endpoint."""
    with transaction() as session:
        found = visible_endpoint(session, endpoint_id, user=ADMIN)
    show_item(_row(found), json=json)


@app.command()
def change(
    endpoint_id: Id,
    *,
    url: Annotated[str | None, typer.Option(help="Where events are sent to.")] = None,
    event: Types = None,
    description: Description = None,
    json: Json = False,
) -> None:
    """Change an endpoint; what is not said stays."""
    with application() as core, core.database.transaction() as session:
        endpoint = endpoints.locked(session, endpoint_id)
        endpoints.change(core, endpoint, Wanted(url=url, event_types=event, description=description))
    show_item(_row(endpoint), json=json)


@app.command()
def pause(endpoint_id: Id, *, json: Json = False) -> None:
    """Have what happens wait for an endpoint until it is resumed."""
    with _locked(endpoint_id, json=json) as (_, endpoint):
        endpoints.pause(endpoint)


@app.command()
def resume(endpoint_id: Id, *, json: Json = False) -> None:
    """Send to a paused endpoint again; what has waited goes now."""
    with _locked(endpoint_id, json=json) as (session, endpoint):
        endpoints.enable(session, endpoint)


@app.command()
def enable(endpoint_id: Id, *, json: Json = False) -> None:
    """Send to a disabled endpoint again, once it is mended; `replay` sends what it missed."""
    with _locked(endpoint_id, json=json) as (session, endpoint):
        endpoints.enable(session, endpoint)


@app.command()
def delete(endpoint_id: Id, *, json: Json = False) -> None:
    """Delete an endpoint: what waits for it ends as failed."""
    with _locked(endpoint_id, json=json) as (session, endpoint):
        endpoints.delete(session, endpoint)


@app.command()
def rotate(endpoint_id: Id, *, json: Json = False) -> None:
    """Give an endpoint another secret, shown this once; for 24 hours the one before signs as well."""
    with application() as core, core.database.transaction() as session:
        rotated = endpoints.rotate_secret(session, endpoints.locked(session, endpoint_id), cipher=core.webhook_cipher)
        row = _row(rotated.endpoint) | {"secret": rotated.secret}
    show_item(row, json=json)


@app.command("test")
def send_test(endpoint_id: Id, *, json: Json = False) -> None:
    """Send an event of type webhook.test to an endpoint alone; `deliveries` shows what comes of it."""
    with transaction() as session:
        delivery = deliveries.send_test(session, endpoints.locked(session, endpoint_id))
        row = _delivery_row(visible_delivery(session, delivery.id, user=ADMIN))
    show_item(row, json=json)


@app.command("deliveries")
def list_deliveries(
    endpoint_id: Id,
    *,
    state: Annotated[DeliveryState | None, typer.Option()] = None,
    event: Annotated[str | None, typer.Option(help="Only those of one event, by its id.")] = None,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List an endpoint's deliveries, newest first."""
    with transaction() as session:
        endpoint = visible_endpoint(session, endpoint_id, user=ADMIN)
        page = deliveries.page_of_deliveries(session, endpoint, state=state, event_id=event, limit=limit, cursor=None)
        rows = [_delivery_row(each) for each in page.deliveries]
    columns = ("id", "event_id", "event_type", "state", "tries", "created_at", "ended_at")
    show_list("deliveries", rows, columns=columns, more=page.next_cursor is not None, json=json)


@app.command()
def delivery(delivery_id: Id, *, json: Json = False) -> None:
    """Show a delivery and its tries."""
    with transaction() as session:
        logged = visible_delivery(session, delivery_id, user=ADMIN)
        attempts = [_attempt_row(each) for each in deliveries.attempts_of(session, logged.delivery)]
    show_item(_delivery_row(logged) | {"attempts": attempts}, json=json)


@app.command()
def replay(
    which: Annotated[str, typer.Argument(metavar="DELIVERY_OR_ENDPOINT")],
    *,
    since: Annotated[str | None, typer.Option("--from", help="Of an endpoint: made at this time or later.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="And before this time.")] = None,
    event: Types = None,
    state: Annotated[DeliveryState | None, typer.Option(help="Only those that ended so.")] = None,
    json: Json = False,
) -> None:
    """Send one delivery once more, or with --from what an endpoint was to be told in a span of time."""
    with transaction() as session:
        if since is None:
            logged = visible_delivery(session, which, user=ADMIN)
            deliveries.replay(session, endpoints.locked(session, logged.delivery.endpoint_id), logged.delivery.id)
            row = _delivery_row(logged)
        else:
            span = Span(
                since=moment(since, "--from"),
                until=moment(until, "--to") if until else None,
                event_types=event or (),
                state=state,
            )
            row = {"replayed": deliveries.replay_span(session, endpoints.locked(session, which), span)}
    show_item(row, json=json)


@contextmanager
def _locked(endpoint_id: str, *, json: bool) -> Iterator[tuple[Session, WebhookEndpoint]]:
    """Give an endpoint under its lock, and show it when what was done to it stands."""
    with transaction() as session:
        endpoint = endpoints.locked(session, endpoint_id)
        yield session, endpoint
    show_item(_row(endpoint), json=json)


def _row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "shop_id": endpoint.shop_id,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "description": endpoint.description,
        "state": endpoint.state,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "previous_secret_until": endpoint.previous_until,
        "created_at": endpoint.created_at,
    }


def _delivery_row(logged: Logged) -> dict[str, Any]:
    return {
        "id": logged.delivery.id,
        "endpoint_id": logged.delivery.endpoint_id,
        "event_id": logged.event.id,
        "event_type": logged.event.type,
        "state": logged.delivery.state,
        "tries": logged.delivery.tries,
        "created_at": logged.delivery.created_at,
        "ended_at": logged.delivery.ended_at,
    }


def _attempt_row(attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": attempt.at,
        "milliseconds": attempt.milliseconds,
        "status": attempt.status,
        "answer": attempt.answer,
        "trouble": attempt.trouble,
    }
