"""Stripe's words and ours, both ways. Pure functions; only fields that have been stable for years are read."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payproc.domain.money import Money
from payproc.domain.phrases import shortened
from payproc.domain.references import Reference, References
from payproc.errors import InvalidRequest
from payproc.providers.answers import Outcome, Redirect, StartResult, Verdict
from payproc.providers.requests import Customer, StartRequest

Json = Mapping[str, Any]

# Our id travels on everything Stripe makes for us, because it copies nothing from a session to its intent.
PAYMENT_ID = "payment_id"
# Whose it is: a payment that a restore has lost is made again out of what stands at Stripe.
USER_ID = "user_id"

# Stripe's own bounds: of a product's name, and of a customer's.
_LONGEST_PRODUCT = 5000
_LONGEST_NAME = 256
# Narrower than what Stripe takes, so that nothing is refused for an address that is only for show.
_EMAIL = re.compile(r"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_LONGEST_EMAIL = 254

_INTENTS = {
    "succeeded": Verdict.PAID,
    "processing": Verdict.PROCESSING,
    "canceled": Verdict.CANCELLED,
    "requires_payment_method": Verdict.PENDING,
    "requires_confirmation": Verdict.PENDING,
    "requires_action": Verdict.PENDING,
    "requires_capture": Verdict.PENDING,
}


def text(value: object) -> str | None:
    """Return a text that a database can hold, or None: JSON also knows NUL and half a surrogate pair."""
    if not isinstance(value, str) or not value or "\0" in value:
        return None
    return value if value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value) else None


def metadata(found: Json) -> Json:
    """Read what we wrote on an object; nothing where there is none."""
    written = found.get("metadata")
    return written if isinstance(written, Mapping) else {}


def marked_payment(found: Json) -> str | None:
    """Return the payment that our own mark on an object names, where it bears one."""
    return text(metadata(found).get(PAYMENT_ID))


def id_of(value: object) -> str | None:
    """Read the id of an object that is named or, where it was expanded, shown."""
    return text(value.get("id")) if isinstance(value, Mapping) else text(value)


def customer_parameters(customer: Customer) -> dict[str, Any]:
    """Words of POST /v1/customers. An address that Stripe might refuse is left out: it is for show, and we are paid."""
    shown = {
        "email": customer.email if _is_email(customer.email) else "",
        "name": shortened(customer.name.strip(), _LONGEST_NAME),
    }
    return {name: value for name, value in shown.items() if value} | {"metadata": {USER_ID: customer.user_id}}


def _is_email(text: str) -> bool:
    return len(text) <= _LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None


def session_parameters(request: StartRequest) -> dict[str, Any]:
    """Words of POST /v1/checkout/sessions.

    No `payment_method_types`: the endive API refuses it, and leaving it out lets the Dashboard decide.
    """
    marks = {PAYMENT_ID: request.payment_id, "reference": request.reference, USER_ID: request.customer.user_id}
    if request.order_id:
        marks["order_id"] = request.order_id
    price = {
        "currency": request.money.currency.code,
        "unit_amount": request.money.amount_minor,
        "product_data": {"name": request.description[:_LONGEST_PRODUCT].strip() or request.reference},
    }
    return {
        "mode": "payment",
        "client_reference_id": request.payment_id,
        # Of nobody we know Stripe's page asks the address itself.
        **({"customer": request.customer.provider_id} if request.customer.provider_id else {}),
        "line_items": [{"price_data": price, "quantity": 1}],
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "metadata": marks,
        "payment_intent_data": {"metadata": marks},
    }


def start_result(session: Json) -> StartResult:
    """Read a created session."""
    return StartResult(
        # Only an open session has a URL; one that was found again may have ended.
        next_action=Redirect(url=url) if (url := text(session.get("url"))) else None,
        references=session_references(session),
        expires_at=moment(session.get("expires_at")),
    )


def moment(seconds: object) -> datetime | None:
    """Read Unix seconds as a time in UTC, or None."""
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def session_references(session: Json) -> References:
    """Read the ids a session carries; its intent is an id, or an object where it was expanded."""
    intent = session.get("payment_intent")
    named = known({Reference.STRIPE_SESSION: session.get("id"), Reference.STRIPE_PAYMENT_INTENT: id_of(intent)})
    return named | intent_references(intent) if isinstance(intent, Mapping) else named


def intent_references(intent: Json) -> dict[Reference, str]:
    """Read the ids a payment intent carries."""
    # A failed try leaves its charge here too: the payment's is the one that paid, or that the bank is still at. The
    # balance shows a bank debit by that name days before it is paid.
    charge = id_of(intent.get("latest_charge")) if intent.get("status") in ("succeeded", "processing") else None
    return known({Reference.STRIPE_PAYMENT_INTENT: intent.get("id"), Reference.STRIPE_CHARGE: charge})


def payment_references(found: Json) -> References:
    """Read what a refund or a dispute names its payment by."""
    return known(
        {
            Reference.STRIPE_PAYMENT_INTENT: id_of(found.get("payment_intent")),
            Reference.STRIPE_CHARGE: id_of(found.get("charge")),
        }
    )


def session_outcome(session: Json) -> Outcome:
    """Read how a session stands. Its intent decides only where it is expanded."""
    paid = money(session.get("amount_total"), session.get("currency"))
    verdict = _session_verdict(session).backed_by(paid)
    return Outcome(
        verdict=verdict,
        references=session_references(session),
        money=paid,
        live_mode=flag(session.get("livemode")),
        **_failure(session.get("payment_intent")) if verdict is Verdict.DECLINED else {},
    )


def failed_session_outcome(session: Json) -> Outcome:
    """Read a session whose delayed payment failed, which only its event says."""
    if _session_verdict(session) is Verdict.PAID:
        return Outcome(verdict=Verdict.UNKNOWN, references=session_references(session))
    return Outcome(
        verdict=Verdict.DECLINED,
        references=session_references(session),
        live_mode=flag(session.get("livemode")),
        failure_code="async_payment_failed",
        failure_message="The delayed payment did not arrive.",
    )


def intent_outcome(intent: Json) -> Outcome:
    """Read how a payment intent stands. A refused card is no end: the session lets the customer try another."""
    paid = money(intent.get("amount_received"), intent.get("currency"))
    verdict = _INTENTS.get(str(intent.get("status")), Verdict.UNKNOWN).backed_by(paid)
    return Outcome(
        verdict=verdict,
        references=intent_references(intent),
        money=paid if verdict is Verdict.PAID else None,
        live_mode=flag(intent.get("livemode")),
        **_failure(intent),
    )


def _session_verdict(session: Json) -> Verdict:
    intent = session.get("payment_intent")
    intent_status = intent.get("status") if isinstance(intent, Mapping) else None
    match session.get("status"), session.get("payment_status"), intent_status:
        # The intent is where the money is: "expired" beside "succeeded" is a contradiction, and it was paid.
        case (_, "paid", _) | (_, _, "succeeded"):
            return Verdict.PAID
        case "open", "unpaid", _:
            return Verdict.PENDING
        case "complete", "unpaid", "requires_payment_method" | "canceled":
            return Verdict.DECLINED
        case "complete", "unpaid", _:
            return Verdict.PROCESSING
        case "expired", "unpaid", _:
            return Verdict.EXPIRED
        case _:
            return Verdict.UNKNOWN


def money(amount: object, code: object) -> Money | None:
    """Read an amount in minor units with its currency; None where either is none of ours."""
    if not isinstance(amount, int) or isinstance(amount, bool) or not isinstance(code, str):
        return None
    try:
        return Money.of(amount, code)
    except InvalidRequest:
        # A currency outside our table was never ours to ask for; without money the payment stays as it is.
        return None


def _failure(intent: object) -> dict[str, str | None]:
    error = intent.get("last_payment_error") if isinstance(intent, Mapping) else None
    if not isinstance(error, Mapping):
        return {}
    code = text(error.get("decline_code")) or text(error.get("code"))
    return {"failure_code": code, "failure_message": text(error.get("message"))}


def flag(value: object) -> bool | None:
    """Read a yes or a no; None for whatever is neither."""
    return value if isinstance(value, bool) else None


def known(references: Mapping[Reference, object]) -> dict[Reference, str]:
    """Keep the ids that are there."""
    return {reference: named for reference, value in references.items() if (named := text(value))}
