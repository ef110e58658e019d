"""The JSON shapes of what comes after a payment, with the fields of API version 2026-10-28.endive."""

from sandbox.store import Json
from sandbox.stripe.objects import new_id
from sandbox.stripe.store import Kind


def refund(charge: Json, given: Json, *, amount: int, created: int) -> Json:
    """Return a refund that has not decided yet; nothing of the charge's metadata is copied, as at Stripe."""
    return {
        "id": new_id("re"),
        "object": Kind.REFUND,
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"type": charge["payment_method_details"]["type"]},
        "failure_balance_transaction": None,
        "failure_reason": None,
        "instructions_email": given.get("instructions_email"),
        "metadata": {key: value for key, value in given.get("metadata", {}).items() if value},
        "next_action": None,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "pending_reason": None,
        "presentment_details": None,
        "reason": given.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending",
        "transfer_reversal": None,
    }
