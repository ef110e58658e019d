"""The calls about webhook endpoints: where an account's events are brought, which of them, and in which version."""

from sandbox.store import Json
from sandbox.stripe.account.objects import webhook_endpoint
from sandbox.stripe.api import schemas
from sandbox.stripe.api.calls import Call, Operation, merged, reading, takes
from sandbox.stripe.api.listing import retrieve
from sandbox.stripe.errors import RefusedError
from sandbox.stripe.store import Kind, Query

ENDPOINTS = "/v1/webhook_endpoints"
EVERYTHING = "*"
# Of each account and mode.
MOST = 16


def check_endpoint(call: Call) -> None:
    """Refuse an address that a live account may not have, and events that cannot be."""
    given = call.given
    if call.simulator.config.livemode and not given.get("url", "https://").startswith("https://"):
        raise RefusedError("Invalid URL: URL must be HTTPS in live mode", code="url_invalid", param="url")
    for number, name in enumerate(given.get("enabled_events", [])):
        if name != EVERYTHING and "." not in name:
            raise RefusedError(
                f"Invalid enabled_events[{number}]: must be one of the known event types",
                param=f"enabled_events[{number}]",
            )


def check_new_endpoint(call: Call) -> None:
    """Refuse the seventeenth as well."""
    check_endpoint(call)
    if len(call.simulator.store.page(Query(kind=Kind.WEBHOOK_ENDPOINT, limit=MOST)).rows) >= MOST:
        mode = "live" if call.simulator.config.livemode else "test"
        raise RefusedError(f"You have reached the maximum of {MOST} {mode} webhook endpoints.")


def create_endpoint(call: Call) -> Json:
    """Make an endpoint; this answer alone says its secret."""
    endpoint = webhook_endpoint(call.given, created=call.simulator.now())
    call.simulator.save(endpoint)
    return {**endpoint, "secret": endpoint["_secret"]}


def update_endpoint(call: Call) -> Json:
    """Change what was sent. The version is none of it: it stands from the beginning."""
    endpoint, given = retrieve(call.simulator, Kind.WEBHOOK_ENDPOINT, call.object_id), call.given
    for name in ("enabled_events", "url"):
        endpoint[name] = given.get(name, endpoint[name])
    if "description" in given:
        endpoint["description"] = given["description"] or None
    if "disabled" in given:
        endpoint["status"] = "disabled" if given["disabled"] else "enabled"
    endpoint["metadata"] = merged(endpoint["metadata"], given.get("metadata", {}))
    call.simulator.save(endpoint)
    return endpoint


def delete_endpoint(call: Call) -> Json:
    """Forget an endpoint, and with it whatever was still to be brought there."""
    endpoint = retrieve(call.simulator, Kind.WEBHOOK_ENDPOINT, call.object_id)
    call.simulator.store.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": Kind.WEBHOOK_ENDPOINT, "deleted": True}


ENDPOINT_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST", path=ENDPOINTS, schema=takes(schemas.ENDPOINT), check=check_new_endpoint, run=create_endpoint
    ),
    *reading(ENDPOINTS, Kind.WEBHOOK_ENDPOINT, schemas.ENDPOINTS),
    Operation(
        method="POST",
        path=f"{ENDPOINTS}/{{id}}",
        schema=takes(schemas.ENDPOINT_CHANGES),
        check=check_endpoint,
        run=update_endpoint,
    ),
    Operation(method="DELETE", path=f"{ENDPOINTS}/{{id}}", schema=takes(schemas.NOTHING), run=delete_endpoint),
)
