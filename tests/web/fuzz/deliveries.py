"""Deliveries as providers make them, and what becomes of them in the hands of somebody else."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import stripe
from hypothesis import strategies as st

from payproc.providers.jazz_cash.signature import SECURE_HASH, secure_hash
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.wallet_world import SECRETS
from tests.web.fuzz.front import PAYMENTS, Front
from tests.web.fuzz.spoiling import spoiled_body, spoiled_fields, spoiled_value

# Of nobody, and nowhere to be read again.
PAYERS_MPIN, PAYERS_PHONE, PAYERS_CNIC = "481516", "03451234567", "739164"
# Under published names: another one makes of a notice a reason to ask.
_PAYER = {"ppmpf_1": PAYERS_MPIN, "ppmpf_2": PAYERS_PHONE, "ppmpf_3": PAYERS_CNIC}
_EVENTS = (
    *("checkout.session.completed", "checkout.session.expired", "checkout.session.async_payment_failed"),
    *("payment_intent.succeeded", "payment_intent.payment_failed", "charge.refunded", "refund.updated"),
    *("charge.dispute.created", "charge.dispute.closed", "radar.early_fraud_warning.created", "payout.failed"),
    *("customer.created", "v2.core.event"),
)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What arrives. `signed`: by the provider's own secret, over just these bytes.

    `told` is what JazzCash signed of it, in these bytes or before they were changed; nothing where another signed.
    """

    path: str
    method: str = "POST"
    body: bytes = b""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    signed: bool = False
    told: Mapping[str, str] = field(default_factory=dict)


def stripe_event(draw: Any, front: Front) -> Delivery:
    """Draw an event of Stripe's: of any kind, about a payment of ours or about nothing."""
    kind, named = draw(st.sampled_from(_EVENTS)), draw(st.sampled_from(front.known["stripe_id"]))
    said = {
        "id": f"evt_{draw(st.integers(0, 10**9))}",
        "object": "event",
        "type": kind,
        "livemode": False,
        "created": int(time.time()),
        "api_version": "2026-10-28.endive",
        "data": {"object": _stripe_object(kind, named)},
    }
    text = json.dumps(spoiled_value(draw, said) if draw(st.integers(0, 3)) else said)
    secret = draw(st.sampled_from((WEBHOOK_SECRET, WEBHOOK_SECRET, WEBHOOK_SECRET, "whsec_anothers_0123456789")))
    header = stripe.WebhookSignature.generate_signature_header(text, secret, int(time.time()))
    return Delivery(
        path=f"{PAYMENTS}/webhook/stripe",
        body=text.encode(),
        headers={"stripe-signature": header, "content-type": "application/json"},
        signed=secret == WEBHOOK_SECRET,
    )


def _stripe_object(kind: str, named: str) -> dict[str, Any]:
    marks = {"payment_id": named, "refund_id": "ref_of_nobody"}
    return {
        "id": f"x_{named}",
        "object": kind.rpartition(".")[0].replace("charge.dispute", "dispute"),
        "status": "complete" if "session" in kind else "succeeded",
        "payment_status": "paid",
        "amount": 1999,
        "amount_total": 1999,
        "amount_received": 1999,
        "amount_refunded": 1999,
        "currency": "usd",
        "client_reference_id": named,
        "metadata": marks,
        "payment_intent": f"pi_{named}",
        "charge": f"ch_{named}",
        "created": int(time.time()),
        "livemode": False,
        "reason": "fraudulent",
        "refunds": {"object": "list", "data": []},
        "last_payment_error": {"code": "card_declined", "message": "no"},
        "evidence_details": {"due_by": int(time.time()), "has_evidence": False},
        "balance_transactions": [],
    }


def jazz_cash(draw: Any, front: Front) -> Delivery:
    """Draw what JazzCash signs: its server's notice, as JSON, or what the browser brings back, as a form."""
    by_browser = draw(st.booleans())
    told = {
        "pp_Version": "2.0",
        "pp_TxnType": "MWALLET",
        "pp_TxnRefNo": draw(st.sampled_from(front.known["reference"])),
        "pp_TxnDateTime": "20261124120000",
        "pp_ResponseCode": draw(st.sampled_from(("000", "121", "124", "199", "abc"))),
        "pp_ResponseMessage": f"Thank you, {PAYERS_PHONE}",
        "pp_RetreivalReferenceNo": "261124123456",
        **({"pp_Amount": "125050"} if by_browser else {"pp_Password": SECRETS.jazz_cash_password}),
        **_PAYER,
    }
    if draw(st.booleans()):
        told = spoiled_fields(draw, told)
    salt = draw(st.sampled_from((*[SECRETS.jazz_cash_integrity_salt] * 3, "another8salt")))
    signed = told | {SECURE_HASH: _hash(told, salt)}
    text = urlencode(signed, errors="replace") if by_browser else json.dumps(signed)
    where = draw(st.sampled_from(("return", "notify")))
    return Delivery(
        path=f"{PAYMENTS}/jazz-cash/{where}",
        body=text.encode(),
        headers={"content-type": "application/x-www-form-urlencoded" if by_browser else "application/json"},
        signed=salt == SECRETS.jazz_cash_integrity_salt,
        told=told if salt == SECRETS.jazz_cash_integrity_salt else {},
    )


def _hash(told: dict[str, str], salt: str) -> str:
    try:
        return secure_hash(told, salt)
    except UnicodeEncodeError:
        return "0" * 64


def guide_notice(draw: Any, front: Front) -> Delivery:
    """Draw a notice in the guide's words, which nobody signs, to either wallet."""
    named = draw(st.sampled_from(front.known["reference"]))
    said: dict[str, Any]
    if draw(st.booleans()):
        said = {"pp_txn_id": named, "pp_bill_reference": named, "pp_response_code": "000", "pp_mpin": PAYERS_MPIN}
        where = "jazz-cash"
    else:
        said = {"transactionId": named, "transactionStatus": "success", "responseCode": "0000", "phone": PAYERS_PHONE}
        where = "easy-paisa"
    said = spoiled_value(draw, said) if draw(st.booleans()) else said
    return Delivery(path=f"{PAYMENTS}/{where}/notify", body=json.dumps(said).encode())


def by_address(draw: Any, front: Front) -> Delivery:
    """Draw what stands in the address alone: Easypaisa's notice, and the browsers that come back."""
    named = draw(st.sampled_from(front.known["reference"]))
    place = f"{front.gateway}/easypay-service/rest/v1/order-status/{SECRETS.easy_paisa_account_number}/{named}"
    said = [
        ("easy-paisa", "notify", f"url={quote(place, safe='')}"),
        ("easy-paisa", "return", f"auth_token={named}&postBackURL=x"),
        ("easy-paisa", "return", f"status=0000&desc=ok&orderRefNumber={named}"),
        ("jazz-cash", "return", f"pp_bill_reference={named}&pp_mpin={PAYERS_MPIN}"),
    ]
    wallet, where, query = draw(st.sampled_from(said))
    if draw(st.booleans()):
        query = spoiled_body(draw, query.encode()).decode("latin-1")[:5000]
    method = draw(st.sampled_from(("GET", "GET", "POST")))
    return Delivery(path=f"{PAYMENTS}/{wallet}/{where}", method=method, query=query)


_HEADERS = ("stripe-signature", "content-type", "user-agent", "content-encoding", "cookie", "x-forwarded-for", "origin")


def in_other_hands(draw: Any, delivery: Delivery) -> Delivery:
    """Leave a delivery as it is, or change its bytes or its headers: then nobody has signed it."""
    match draw(st.sampled_from(("leave", "leave", "body", "headers", "both"))):
        case "leave":
            return delivery
        case "body":
            return _otherwise_said(draw, delivery)
        case "headers":
            return _otherwise_headed(draw, delivery)
        case _:
            return _otherwise_headed(draw, _otherwise_said(draw, delivery))


def _otherwise_said(draw: Any, delivery: Delivery) -> Delivery:
    body = spoiled_body(draw, delivery.body)
    return replace(delivery, body=body, signed=delivery.signed and body == delivery.body)


def _otherwise_headed(draw: Any, delivery: Delivery) -> Delivery:
    name = draw(st.sampled_from(_HEADERS))
    # JazzCash's hash stands in the body.
    signed = delivery.signed and (name != "stripe-signature" or name not in delivery.headers)
    if draw(st.booleans()):
        kept = {each: value for each, value in delivery.headers.items() if each != name}
        return replace(delivery, headers=kept, signed=signed)
    # A server hands each octet on as one letter.
    said = draw(st.text(st.characters(max_codepoint=255), max_size=40))
    stripes = ("t=1,v1=", "t=٣,v1=00", "t=-1,v1=", "v1=,t=", f"t={'9' * 5000},v1=00", "t=1e3,v1=é")
    value = draw(st.sampled_from(stripes)) if name == "stripe-signature" and draw(st.booleans()) else said
    return replace(delivery, headers=delivery.headers | {name: value}, signed=signed)
