"""The JSON shapes of what comes after a payment, with the fields of API version 2026-10-28.endive."""

from sandbox.store import Json
from sandbox.stripe.account.objects import new_id
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


def fraud_warning(charge: Json, *, actionable: bool, created: int) -> Json:
    """Return what a card's network fears of a charge; there is one of each, and it keeps its id."""
    return {
        "id": f"issfr_{charge['id']}",
        "object": "radar.early_fraud_warning",
        "actionable": actionable,
        "charge": charge["id"],
        "created": created,
        "fraud_type": "unauthorized_use_of_card",
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }


# The words of evidence; those that hold files at Stripe take any id here.
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def dispute(charge: Json, *, amount: int, reason: str, created: int, due_by: int) -> Json:
    """Return a dispute whose status is still to be said; `due_by` is when an answer must be there, in unix seconds."""
    return {
        "id": new_id("dp"),
        "object": Kind.DISPUTE,
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": None,
        },
        "intended_submission_method": None,
        "is_charge_refundable": False,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": None},
        },
        "reason": reason,
        "status": None,
    }


BANK_ACCOUNT = "ba_sandbox"


def payout(amount: int, currency: str, *, created: int) -> Json:
    """Return an automatic payout that has set out; amounts are in the minor unit."""
    return {
        "id": new_id("po"),
        "object": Kind.PAYOUT,
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": created,
        "automatic": True,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": BANK_ACCOUNT,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "in_transit",
        "trace_id": None,
        "type": "bank_account",
    }
