"""The JSON shapes, with the fields of API version 2026-10-28.endive that a merchant reads.

All but `livemode`, which the simulator adds when it stores an object.
"""

import secrets
import string
from enum import StrEnum

from sandbox.store import Json
from sandbox.stripe.config import API_VERSION
from sandbox.stripe.store import Kind

ALPHABET = string.ascii_letters + string.digits


class Method(StrEnum):
    """How the pretend customer pays."""

    CARD = "card"
    # A delayed method: Stripe answers "processing" and learns the outcome days later.
    BANK_DEBIT = "us_bank_account"


def new_id(prefix: str) -> str:
    """Return an id that looks like Stripe's: the prefix and 24 characters."""
    # One call for all of its bytes: tests make ids by the hundred thousand.
    return f"{prefix}_{''.join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(24))}"


def customer(given: Json, *, created: int) -> Json:
    """Return a new customer."""
    return {
        "id": new_id("cus"),
        "object": Kind.CUSTOMER,
        "address": given.get("address"),
        "balance": 0,
        "created": created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": given.get("description") or None,
        "discount": None,
        "email": given.get("email") or None,
        "invoice_prefix": None,
        "metadata": {key: value for key, value in given.get("metadata", {}).items() if value},
        "name": given.get("name") or None,
        "phone": given.get("phone") or None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
    }


def line_items(given: list[Json], *, currency: str) -> list[Json]:
    """Return the lines of a session; amounts are in the minor unit."""
    return [_line_item(line, currency) for line in given]


def _line_item(line: Json, currency: str) -> Json:
    price = line["price_data"]
    total = price["unit_amount"] * line["quantity"]
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": currency,
        "description": price["product_data"]["name"],
        "price": {
            "id": new_id("price"),
            "object": "price",
            "active": False,
            "currency": currency,
            "type": "one_time",
            "unit_amount": price["unit_amount"],
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": line["quantity"],
    }


def session(given: Json, *, lines: list[Json], currency: str, created: int, base_url: str) -> Json:
    """Return a new open session; `base_url` is where the hosted page is served."""
    session_id = new_id("cs_test")
    total = sum(line["amount_total"] for line in lines)
    email = given.get("customer_email")
    return {
        "id": session_id,
        "object": Kind.SESSION,
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": given.get("allow_promotion_codes"),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": given.get("billing_address_collection"),
        "cancel_url": given.get("cancel_url"),
        "client_reference_id": given.get("client_reference_id"),
        "client_secret": None,
        "created": created,
        "currency": currency,
        "currency_conversion": None,
        "customer": given.get("customer"),
        "customer_creation": None if given.get("customer") else "if_required",
        "customer_details": {"email": email} if email else None,
        "customer_email": email,
        "expires_at": given.get("expires_at", created + 24 * 3600),
        "invoice": None,
        "invoice_creation": {"enabled": False},
        "locale": given.get("locale"),
        "metadata": given.get("metadata", {}),
        "mode": given["mode"],
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_types": _method_types(given),
        "payment_status": "unpaid" if total else "no_payment_required",
        "presentment_details": None,
        "recovered_from": None,
        "setup_intent": None,
        "status": "open",
        "submit_type": given.get("submit_type"),
        "subscription": None,
        "success_url": given["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{base_url}/c/pay/{session_id}",
    }


def _method_types(given: Json) -> list[str]:
    asked = given.get("allowed_payment_method_types") or given.get("payment_method_types")
    return asked or [Method.CARD, Method.BANK_DEBIT]


def payment_intent(session: Json, given: Json, *, created: int) -> Json:
    """Return the intent a session makes once its customer tries to pay; `given` is payment_intent_data."""
    intent_id = new_id("pi")
    return {
        "id": intent_id,
        "object": Kind.PAYMENT_INTENT,
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_received": 0,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": given.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_secret_{secrets.token_hex(8)}",
        "confirmation_method": "automatic",
        "created": created,
        "currency": session["currency"],
        "customer": session["customer"],
        "description": given.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        # Only payment_intent_data reaches the intent: the session's own metadata is not copied.
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "payment_method": None,
        "payment_method_types": session["payment_method_types"],
        "processing": None,
        "receipt_email": given.get("receipt_email"),
        "setup_future_usage": given.get("setup_future_usage"),
        "statement_descriptor": given.get("statement_descriptor"),
        "statement_descriptor_suffix": given.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_group": given.get("transfer_group"),
    }


def charge(intent: Json, *, method: Method, email: str | None, created: int) -> Json:
    """Return one pending attempt to collect the intent's amount."""
    return {
        "id": new_id("ch"),
        "object": Kind.CHARGE,
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": {"address": None, "email": email, "name": None, "phone": None},
        "calculated_statement_descriptor": "PAYPROC SANDBOX",
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "metadata": dict(intent["metadata"]),
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": new_id("pm"),
        "payment_method_details": {"type": method, method: _method_details(method)},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "status": "pending",
        "transfer_group": intent["transfer_group"],
    }


def _method_details(method: Method) -> Json:
    if method is Method.BANK_DEBIT:
        return {"account_holder_type": "individual", "bank_name": "SANDBOX BANK", "last4": "6789"}
    return {"brand": "visa", "country": "US", "exp_month": 12, "exp_year": 2034, "last4": "4242"}


def collected(charge: Json, line_id: str) -> Json:
    """Return what changes in a charge once its money is there; `line_id` names its balance transaction."""
    return {
        "status": "succeeded",
        "paid": True,
        "captured": True,
        "amount_captured": charge["amount"],
        "balance_transaction": line_id,
        "outcome": {"network_status": "approved_by_network", "type": "authorized"},
    }


def succeeded(charge: Json) -> Json:
    """Return what changes in an intent once a charge has collected it."""
    received = {"status": "succeeded", "amount_received": charge["amount"], "last_payment_error": None}
    return {**received, **paid_with(charge)}


def paid_with(charge: Json) -> Json:
    """Return what an intent knows of the charge that pays it, or is about to."""
    return {"latest_charge": charge["id"], "payment_method": charge["payment_method"]}


def completed(payment_status: str, *, email: str | None) -> Json:
    """Return what changes in a session once its customer is through."""
    return {
        "status": "complete",
        "payment_status": payment_status,
        "url": None,
        "customer_details": {"address": None, "email": email, "name": None, "phone": None},
    }


def event(event_type: str, subject: Json, *, created: int, request_id: str | None, key: str | None) -> Json:
    """Return the event for a change, carrying the object as it was at that moment."""
    return {
        "id": new_id("evt"),
        "object": Kind.EVENT,
        "api_version": API_VERSION,
        "created": created,
        "data": {"object": subject},
        "pending_webhooks": 1,
        "request": {"id": request_id, "idempotency_key": key},
        "type": event_type,
    }


def webhook_endpoint(given: Json, *, created: int) -> Json:
    """Return a new endpoint, which keeps its secret to itself."""
    return {
        "id": new_id("we"),
        "object": Kind.WEBHOOK_ENDPOINT,
        "api_version": given.get("api_version"),
        # Those of Connect name the platform.
        "application": "ca_sandbox" if given.get("connect") else None,
        "created": created,
        "description": given.get("description") or None,
        "enabled_events": given["enabled_events"],
        "metadata": {key: value for key, value in given.get("metadata", {}).items() if value},
        "status": "enabled",
        "url": given["url"],
        "_secret": f"whsec_{new_id('made').removeprefix('made_')}",
    }
