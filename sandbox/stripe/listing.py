"""Lists and expansion: how objects are read, as opposed to how they change."""

from typing import TypeAlias

from sandbox.store import Json
from sandbox.stripe.errors import RefusedError, missing
from sandbox.stripe.simulator import Simulator, public
from sandbox.stripe.store import Kind, Query

# What Stripe's messages call an object of each kind.
NOUNS = {
    Kind.CUSTOMER: "customer",
    Kind.SESSION: "checkout.session",
    Kind.PAYMENT_INTENT: "payment_intent",
    Kind.CHARGE: "charge",
    Kind.BALANCE_TRANSACTION: "balance transaction",
    Kind.EVENT: "event",
}
# Which parameter its message blames for an unknown id in the address.
ID_PARAMS = {Kind.SESSION: "session", Kind.PAYMENT_INTENT: "intent"}

EXPANDABLE = {
    "balance_transaction": Kind.BALANCE_TRANSACTION,
    "customer": Kind.CUSTOMER,
    "latest_charge": Kind.CHARGE,
    "payment_intent": Kind.PAYMENT_INTENT,
}
DEEPEST = 4
OPERATORS = {
    "eq": "created = ?",
    "gt": "created > ?",
    "gte": "created >= ?",
    "lt": "created < ?",
    "lte": "created <= ?",
}
# Stripe forgets events after thirty days, in seconds.
EVENT_WINDOW = 30 * 24 * 3600


def retrieve(simulator: Simulator, kind: Kind, object_id: str) -> Json:
    """Return the stored object, or refuse with Stripe's 404."""
    body = simulator.store.get(kind, object_id)
    if body is None or (kind is Kind.EVENT and body["created"] <= simulator.now() - EVENT_WINDOW):
        raise missing(NOUNS[kind], object_id, param=ID_PARAMS.get(kind, "id"))
    return body


Condition: TypeAlias = tuple[str, tuple[object, ...]]


def _customer_conditions(_simulator: Simulator, _given: Json) -> list[Condition]:
    # A deleted customer can still be retrieved by id but is in no list.
    return [("json_extract(body, '$.deleted') IS NULL", ())]


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
    Kind.CHARGE: ("customer", "payment_intent"),
    Kind.EVENT: ("type",),
}
CONDITIONS = {Kind.CUSTOMER: _customer_conditions, Kind.EVENT: _event_conditions}


def listed(simulator: Simulator, kind: Kind, given: Json, *, url: str) -> Json:
    """Return the list object for the parameters, newest first whichever way it is paged."""
    if "starting_after" in given and "ending_before" in given:
        raise RefusedError(
            "You may only specify one of these parameters: starting_after, ending_before.",
            param="ending_before",
        )
    conditions: list[Condition] = [(OPERATORS[name], (bound,)) for name, bound in given.get("created", {}).items()]
    if kind in CONDITIONS:
        conditions += CONDITIONS[kind](simulator, given)
    query = Query(
        kind=kind,
        limit=given.get("limit", 10),
        matches={f"$.{name}": given[name] for name in EQUALS[kind] if name in given},
        clauses=tuple(clause for clause, _ in conditions),
        values=tuple(value for _, values in conditions for value in values),
        after_seq=_cursor(simulator, kind, given, "starting_after"),
        before_seq=_cursor(simulator, kind, given, "ending_before"),
    )
    page = simulator.store.page(query)
    data = [public(row) for row in page.rows]
    return {"object": "list", "data": data, "has_more": page.has_more, "url": url}


def _cursor(simulator: Simulator, kind: Kind, given: Json, param: str) -> int | None:
    if param not in given:
        return None
    seq = simulator.store.seq(kind, given[param])
    if seq is None:
        raise missing(NOUNS[kind], given[param], param=param, status=400)
    return seq


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
        found = simulator.store.get(EXPANDABLE[name], body[name])
        body[name] = body[name] if found is None else public(found)
    if rest and body[name] is not None:
        _expand(simulator, body[name], rest, path)


def line_items(simulator: Simulator, session_id: str) -> Json:
    """Return the list object of a session's lines."""
    session = retrieve(simulator, Kind.SESSION, session_id)
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return {"object": "list", "data": session["_line_items"], "has_more": False, "url": url}
