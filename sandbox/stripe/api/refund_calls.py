"""The calls about refunds."""

from functools import partial

from sandbox.store import Json
from sandbox.stripe.account.refunds import Ending, end_refund, refund_charge
from sandbox.stripe.api import schemas
from sandbox.stripe.api.calls import Call, Operation, merged, reading, takes, tell
from sandbox.stripe.api.listing import retrieve
from sandbox.stripe.errors import RefusedError, missing
from sandbox.stripe.store import Kind

REFUNDS = "/v1/refunds"


def check_target(call: Call) -> None:
    """Refuse a refund of nothing, or of two things."""
    named = [name for name in ("charge", "payment_intent") if name in call.given]
    if not named:
        raise RefusedError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    if len(named) > 1:
        raise RefusedError("You may only specify one of these parameters: charge, payment_intent.", param="charge")


def create_refund(call: Call) -> Json:
    """Give back a charge, or what an intent collected."""
    return refund_charge(call.simulator, _target(call), call.given, tell=partial(tell, call))


def update_refund(call: Call) -> Json:
    """Change the metadata, which is all that can be changed."""
    refund = retrieve(call.simulator, Kind.REFUND, call.object_id)
    refund["metadata"] = merged(refund["metadata"], call.given.get("metadata", {}))
    call.simulator.save(refund)
    for event_type in ("refund.updated", "charge.refund.updated"):
        tell(call, event_type, refund)
    return refund


def cancel_refund(call: Call) -> Json:
    """Take back a refund that waits for its customer; no other can be."""
    refund = retrieve(call.simulator, Kind.REFUND, call.object_id)
    if refund["status"] != "requires_action":
        raise RefusedError(
            f"You cannot cancel this refund because it has a status of {refund['status']}."
            " Only a refund with one of the following statuses may be canceled: requires_action."
        )
    return end_refund(call.simulator, call.object_id, Ending.CANCEL)


def _target(call: Call) -> Json:
    store = call.simulator.store
    if "charge" in call.given:
        charge = store.get(Kind.CHARGE, call.given["charge"])
        if charge is None:
            raise missing("charge", call.given["charge"], param="charge")
        return charge
    intent = store.get(Kind.PAYMENT_INTENT, call.given["payment_intent"])
    if intent is None:
        raise missing("payment_intent", call.given["payment_intent"], param="payment_intent")
    charge = store.get(Kind.CHARGE, intent["latest_charge"] or "")
    if intent["status"] != "succeeded" or charge is None:
        raise RefusedError(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
    return charge


REFUND_OPERATIONS: tuple[Operation, ...] = (
    Operation(method="POST", path=REFUNDS, schema=takes(schemas.REFUND), check=check_target, run=create_refund),
    *reading(REFUNDS, Kind.REFUND, schemas.ABOUT_A_CHARGE),
    Operation(method="POST", path=f"{REFUNDS}/{{id}}", schema=takes(schemas.METADATA), run=update_refund),
    Operation(method="POST", path=f"{REFUNDS}/{{id}}/cancel", schema=takes(schemas.RETRIEVE), run=cancel_refund),
)
