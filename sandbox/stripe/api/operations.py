"""The calls about customers, sessions and events, one function each, and the table that names all there are."""

from functools import partial

from sandbox.store import Json
from sandbox.stripe.account import objects
from sandbox.stripe.account.currencies import check_currency, check_step, check_total
from sandbox.stripe.account.outcomes import Action, NotPossibleError, act
from sandbox.stripe.api import schemas
from sandbox.stripe.api.calls import Call, Operation, listing, merged, reading, save, takes
from sandbox.stripe.api.dispute_calls import DISPUTE_OPERATIONS
from sandbox.stripe.api.endpoint_calls import ENDPOINT_OPERATIONS
from sandbox.stripe.api.listing import retrieve, with_pending
from sandbox.stripe.api.refund_calls import REFUND_OPERATIONS
from sandbox.stripe.errors import RefusedError, missing
from sandbox.stripe.store import Kind

HALF_AN_HOUR = 30 * 60
A_DAY = 24 * 3600


def create_customer(call: Call) -> Json:
    """Make a customer; Stripe does not mind two with one address."""
    customer = objects.customer(call.given, created=call.simulator.now())
    save(call, "customer.created", customer)
    return customer


def update_customer(call: Call) -> Json:
    """Change what was sent; an empty value unsets."""
    customer = _living_customer(call)
    for name, value in call.given.items():
        if name == "metadata":
            customer["metadata"] = merged(customer["metadata"], value)
        elif name != "expand":
            customer[name] = value or None
    save(call, "customer.updated", customer)
    return customer


def delete_customer(call: Call) -> Json:
    """Leave only a stub that says it is deleted."""
    customer = _living_customer(call)
    call.simulator.emit("customer.deleted", customer, request_id=call.request_id)
    stub = {"id": customer["id"], "object": "customer", "deleted": True}
    # The creation time stays in the store, which sorts by it, and out of the answer.
    call.simulator.store.put({**stub, "created": customer["created"]})
    return stub


def retrieve_customer(call: Call) -> Json:
    """Return the customer, or the stub of a deleted one with status 200."""
    customer = retrieve(call.simulator, Kind.CUSTOMER, call.object_id)
    if customer.get("deleted"):
        return {"id": customer["id"], "object": "customer", "deleted": True}
    return customer


def check_session(call: Call) -> None:
    """Refuse sessions that break a rule between parameters."""
    given = call.given
    if given.get("customer") and given.get("customer_email"):
        raise RefusedError("You may only specify one of these parameters: customer, customer_email.", param="customer")
    if not given["line_items"]:
        raise RefusedError("Missing required param: line_items.", code="parameter_missing", param="line_items")
    _check_lines(given["line_items"])
    if "expires_at" in given:
        _check_expiry(given["expires_at"], call.simulator.now())


def create_session(call: Call) -> Json:
    """Open a session, with no intent yet: that comes when the customer tries to pay."""
    given, simulator = call.given, call.simulator
    currency = given["line_items"][0]["price_data"]["currency"].lower()
    lines = objects.line_items(given["line_items"], currency=currency)
    check_total(sum(line["amount_total"] for line in lines), currency)
    if "customer" in given:
        customer = simulator.store.get(Kind.CUSTOMER, given["customer"])
        if customer is None or customer.get("deleted"):
            raise missing("customer", given["customer"], param="customer", status=400)
    session = objects.session(given, lines=lines, currency=currency, created=simulator.now(), base_url=call.base_url)
    session["_line_items"] = lines
    session["_payment_intent_data"] = given.get("payment_intent_data", {})
    simulator.save(session)
    return session


def expire_session(call: Call) -> Json:
    """Close an open session before its customer pays."""
    session = retrieve(call.simulator, Kind.SESSION, call.object_id)
    try:
        return act(call.simulator, call.object_id, Action.EXPIRE).session
    except NotPossibleError:
        raise RefusedError(
            'Only Checkout Sessions with a status in ["open"] can be expired.'
            f" This Checkout Session has a status of {session['status']}.",
            param="session",
        ) from None


def _check_lines(lines: list[Json]) -> None:
    first = lines[0]["price_data"]["currency"].lower()
    for number, line in enumerate(lines):
        here = f"line_items[{number}][price_data]"
        currency = check_currency(line["price_data"]["currency"], param=f"{here}[currency]")
        if currency != first:
            raise RefusedError(
                f"All line items must have the same currency: {first} and {currency}.",
                param=f"{here}[currency]",
            )
        check_step(line["price_data"]["unit_amount"], currency, param=f"{here}[unit_amount]")


def _check_expiry(expires_at: int, now: int) -> None:
    if not now + HALF_AN_HOUR <= expires_at <= now + A_DAY:
        raise RefusedError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            param="expires_at",
        )


def _living_customer(call: Call) -> Json:
    customer = retrieve(call.simulator, Kind.CUSTOMER, call.object_id)
    if customer.get("deleted"):
        raise missing("customer", call.object_id, param="id")
    return customer


def retrieve_event(call: Call) -> Json:
    """Return the event as it was made, with today's count of deliveries to come."""
    return with_pending(call.simulator, retrieve(call.simulator, Kind.EVENT, call.object_id))


def list_events(call: Call) -> Json:
    """List the events of the last thirty days."""
    page = listing(Kind.EVENT, call)
    page["data"] = [with_pending(call.simulator, event) for event in page["data"]]
    return page


CUSTOMERS = "/v1/customers"
SESSIONS = "/v1/checkout/sessions"
EVENTS = "/v1/events"

OPERATIONS: tuple[Operation, ...] = (
    Operation(method="POST", path=CUSTOMERS, schema=takes(schemas.CUSTOMER), run=create_customer),
    Operation(method="GET", path=CUSTOMERS, schema=takes(schemas.CUSTOMERS), run=partial(listing, Kind.CUSTOMER)),
    Operation(method="GET", path=f"{CUSTOMERS}/{{id}}", schema=takes(schemas.RETRIEVE), run=retrieve_customer),
    Operation(method="POST", path=f"{CUSTOMERS}/{{id}}", schema=takes(schemas.CUSTOMER), run=update_customer),
    Operation(method="DELETE", path=f"{CUSTOMERS}/{{id}}", schema=takes(schemas.NOTHING), run=delete_customer),
    Operation(method="POST", path=SESSIONS, schema=schemas.session, check=check_session, run=create_session),
    Operation(
        method="POST",
        path=f"{SESSIONS}/{{id}}/expire",
        schema=takes(schemas.RETRIEVE),
        run=expire_session,
    ),
    *reading(SESSIONS, Kind.SESSION, schemas.SESSIONS),
    *reading("/v1/payment_intents", Kind.PAYMENT_INTENT, schemas.PAYMENT_INTENTS),
    *reading("/v1/charges", Kind.CHARGE, schemas.CHARGES),
    *REFUND_OPERATIONS,
    *reading("/v1/balance_transactions", Kind.BALANCE_TRANSACTION, schemas.BALANCE_TRANSACTIONS),
    *DISPUTE_OPERATIONS,
    *ENDPOINT_OPERATIONS,
    *reading("/v1/payouts", Kind.PAYOUT, schemas.PAYOUTS),
    Operation(method="GET", path=EVENTS, schema=takes(schemas.EVENTS), run=list_events),
    Operation(method="GET", path=f"{EVENTS}/{{id}}", schema=takes(schemas.RETRIEVE), run=retrieve_event),
)
OPERATION_NAMES = frozenset(operation.name for operation in OPERATIONS)
