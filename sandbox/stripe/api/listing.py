"""Lists and expansion: how objects are read, as opposed to how they change."""

from typing import TypeAlias

from sandbox.store import Json
from sandbox.stripe.errors import RefusedError, missing
from sandbox.stripe.simulator import Simulator, public
from sandbox.stripe.store import Kind, Place, Query

# What Stripe's messages call an object of each kind.
NOUNS = {
    Kind.CUSTOMER: "customer",
    Kind.SESSION: "checkout.session",
    Kind.PAYMENT_INTENT: "payment_intent",
    Kind.CHARGE: "charge",
    Kind.BALANCE_TRANSACTION: "balance transaction",
    Kind.REFUND: "refund",
    Kind.DISPUTE: "dispute",
    Kind.PAYOUT: "payout",
    Kind.WEBHOOK_ENDPOINT: "webhook endpoint",
    Kind.EVENT: "event",
}
# Which parameter its message blames for an unknown id in the address.
ID_PARAMS = {Kind.SESSION: "session", Kind.PAYMENT_INTENT: "intent"}

EXPANDABLE = frozenset(
    {
        "balance_transaction",
        "charge",
        "customer",
        "failure_balance_transaction",
        "latest_charge",
        "payment_intent",
        "source",
    }
)
DEEPEST = 4
# The column or expression that each range of moments is about.
MOMENTS = {"created": "created", "arrival_date": "json_extract(body, '$.arrival_date')"}
OPERATORS = {
    "eq": "=",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
}
# Stripe forgets events after thirty days, in seconds.
EVENT_WINDOW = 30 * 24 * 3600


def retrieve(simulator: Simulator, kind: Kind, object_id: str) -> Json:
    """Return the stored object, or refuse with Stripe's 404."""
    body = simulator.store.get(kind, object_id)
    if body is None or _forgotten(simulator, kind, body["created"]):
        raise missing(NOUNS[kind], object_id, param=ID_PARAMS.get(kind, "id"))
    return body


def _forgotten(simulator: Simulator, kind: Kind, created: int) -> bool:
    return kind is Kind.EVENT and created <= simulator.now() - EVENT_WINDOW


Condition: TypeAlias = tuple[str, tuple[object, ...]]


def _customer_conditions(_simulator: Simulator, _given: Json) -> list[Condition]:
    # A deleted customer can still be retrieved by id but is in no list.
    return [("json_extract(body, '$.deleted') IS NULL", ())]


def _line_conditions(simulator: Simulator, given: Json) -> list[Condition]:
    if "payout" in given and simulator.store.get(Kind.PAYOUT, given["payout"]) is None:
        raise missing("payout", given["payout"], param="payout")
    return []


UNDELIVERED = "EXISTS (SELECT 1 FROM deliveries WHERE deliveries.event_id = objects.id AND state <> 'delivered')"


def _event_conditions(simulator: Simulator, given: Json) -> list[Condition]:
    conditions: list[Condition] = [("created > ?", (simulator.now() - EVENT_WINDOW,))]
    if "types" in given:
        if "type" in given:
            raise RefusedError("You may only specify one of these parameters: type, types.", param="types")
        marks = ", ".join("?" for _ in given["types"])
        conditions.append((f"json_extract(body, '$.type') IN ({marks})", tuple(given["types"])))
    if "delivery_success" in given:
        conditions.append((f"NOT {UNDELIVERED}" if given["delivery_success"] else UNDELIVERED, ()))
    return conditions


# Parameters that must equal the field of the same name.
EQUALS = {
    Kind.CUSTOMER: ("email",),
    Kind.SESSION: ("customer", "payment_intent", "status"),
    Kind.PAYMENT_INTENT: ("customer",),
    Kind.CHARGE: ("customer", "payment_intent", "transfer_group"),
    Kind.REFUND: ("charge", "payment_intent"),
    Kind.DISPUTE: ("charge", "payment_intent"),
    Kind.BALANCE_TRANSACTION: ("currency", "payout", "source", "type"),
    Kind.PAYOUT: ("destination", "status"),
    Kind.EVENT: ("type",),
    Kind.WEBHOOK_ENDPOINT: (),
}
# A line knows its payout only for the filter's sake: Stripe shows it in the list alone.
HIDDEN = frozenset({"payout"})
CONDITIONS = {
    Kind.BALANCE_TRANSACTION: _line_conditions,
    Kind.CUSTOMER: _customer_conditions,
    Kind.EVENT: _event_conditions,
}


def listed(simulator: Simulator, kind: Kind, given: Json, *, url: str) -> Json:
    """Return the list object for the parameters, newest first whichever way it is paged."""
    if "starting_after" in given and "ending_before" in given:
        raise RefusedError(
            "You may only specify one of these parameters: starting_after, ending_before.",
            param="ending_before",
        )
    conditions = _within(given)
    if kind in CONDITIONS:
        conditions += CONDITIONS[kind](simulator, given)
    query = Query(
        kind=kind,
        limit=given.get("limit", 10),
        matches={f"$.{'_' if name in HIDDEN else ''}{name}": given[name] for name in EQUALS[kind] if name in given},
        clauses=tuple(clause for clause, _ in conditions),
        values=tuple(value for _, values in conditions for value in values),
        after=_cursor(simulator, kind, given, "starting_after"),
        before=_cursor(simulator, kind, given, "ending_before"),
    )
    page = simulator.store.page(query)
    data = [public(row) for row in page.rows]
    return {"object": "list", "data": data, "has_more": page.has_more, "url": url}


def _within(given: Json) -> list[Condition]:
    return [
        (f"{column} {OPERATORS[name]} ?", (bound,))
        for moment, column in MOMENTS.items()
        for name, bound in given.get(moment, {}).items()
    ]


def _cursor(simulator: Simulator, kind: Kind, given: Json, param: str) -> Place | None:
    if param not in given:
        return None
    place = simulator.store.place(kind, given[param])
    if place is None or _forgotten(simulator, kind, place[0]):
        raise missing(NOUNS[kind], given[param], param=param, status=400)
    return place


def with_pending(simulator: Simulator, event: Json) -> Json:
    """Return the event with the number of deliveries still to come, which changes after it is made."""
    with simulator.store.transaction() as connection:
        row = connection.execute(
            "SELECT count(*) AS n FROM deliveries WHERE event_id = ? AND state IN ('pending', 'sending')",
            (event["id"],),
        ).fetchone()
    return {**event, "pending_webhooks": row["n"]}


def expanded(simulator: Simulator, body: Json, paths: list[str]) -> Json:
    """Return the object with the ids at the dotted paths replaced by the objects they name."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise RefusedError("You cannot expand more than 4 levels of a property.", param="expand")
        _expand(simulator, body, steps, path)
    return body


def _expand(simulator: Simulator, body: Json, steps: list[str], path: str) -> None:
    name, rest = steps[0], steps[1:]
    if name == "data" and body.get("object") == "list":
        for row in body["data"]:
            _expand(simulator, row, rest, path)
        return
    if name == "line_items" and body.get("object") == Kind.SESSION and not rest:
        body["line_items"] = line_items(simulator, body["id"])
        return
    if name not in EXPANDABLE or name not in body:
        raise RefusedError(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(body[name], str):
        found = simulator.store.find(body[name])
        body[name] = body[name] if found is None else public(found)
    if rest and body[name] is not None:
        _expand(simulator, body[name], rest, path)


def line_items(simulator: Simulator, session_id: str) -> Json:
    """Return the list object of a session's lines."""
    session = retrieve(simulator, Kind.SESSION, session_id)
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return {"object": "list", "data": session["_line_items"], "has_more": False, "url": url}
