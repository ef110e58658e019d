"""What a call of the API is, and what most of them do: store, tell, retrieve and list."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sandbox.store import Json
from sandbox.stripe.api import schemas
from sandbox.stripe.api.listing import expanded, listed, retrieve
from sandbox.stripe.api.parameters import Group
from sandbox.stripe.simulator import Simulator, public
from sandbox.stripe.store import Kind


@dataclass(frozen=True, kw_only=True)
class Call:
    """One authenticated request with its parameters already read against the schema."""

    simulator: Simulator
    given: Json
    object_id: str
    path: str
    base_url: str
    request_id: str
    idempotency_key: str | None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A row of the API: `schema` may depend on the version asked for, `check` on the clock and account.

    `check` is still validation (nothing is saved under the idempotency key); `run` is execution.
    """

    method: str
    path: str
    schema: Callable[[str], Group]
    run: Callable[[Call], Json]
    check: Callable[[Call], None] = lambda _: None

    @property
    def name(self) -> str:
        """What fault orders and the request log call it, such as `GET /v1/events/{id}`."""
        return f"{self.method} {self.path}"


def save(call: Call, event_type: str, body: Json) -> None:
    """Store the object and tell of the change, naming the request that caused it."""
    call.simulator.save(body)
    tell(call, event_type, body)


def tell(call: Call, event_type: str, body: Json) -> None:
    """Record an event that names the request as its cause."""
    call.simulator.emit(event_type, body, request_id=call.request_id, key=call.idempotency_key)


def merged(metadata: Json, sent: Json) -> Json:
    """Return the metadata with what was sent laid over it; an empty value unsets its key."""
    return {key: value for key, value in {**metadata, **sent}.items() if value}


def retrieving(kind: Kind, call: Call) -> Json:
    """Return the object whose id is in the address."""
    return retrieve(call.simulator, kind, call.object_id)


def listing(kind: Kind, call: Call) -> Json:
    """Return the page of a list that the parameters ask for."""
    return listed(call.simulator, kind, call.given, url=call.path)


def answer(operation: Operation, call: Call) -> Json:
    """Run the operation and return what the caller may see of its result."""
    body = public(operation.run(call))
    return expanded(call.simulator, body, call.given.get("expand", []))


def takes(group: Group) -> Callable[[str], Group]:
    """Return the schema of a call whose parameters are the same in every version."""
    return lambda _version: group


def reading(path: str, kind: Kind, group: Group) -> tuple[Operation, Operation]:
    """Return the two calls that read objects of a kind: the list and the single one."""
    return (
        Operation(method="GET", path=path, schema=takes(group), run=partial(listing, kind)),
        Operation(
            method="GET",
            path=f"{path}/{{id}}",
            schema=takes(schemas.RETRIEVE),
            run=partial(retrieving, kind),
        ),
    )
