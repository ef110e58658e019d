"""What an event says: JSON text, written down when it happens and never again.

Amounts are there in both forms, as the API's are; no secret, no whole phone number, nothing that is the staff's alone.
"""

from datetime import UTC, datetime
from typing import Any

import simplejson

from payproc.database.models import Dispute, Order, Payment, Refund
from payproc.domain.money import Money

Data = dict[str, Any]

# How PostgreSQL writes what `_moment` would.
MOMENT_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


def text_of(data: Data) -> str:
    """Write it as JSON; a Decimal keeps its digits."""
    return simplejson.dumps(data, use_decimal=True, default=_moment, separators=(",", ":"))


def _moment(value: object) -> str:
    assert isinstance(value, datetime), value
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _amounts(money: Money) -> Data:
    return {
        "amount": money.major,
        "amount_minor": money.amount_minor,
        "currency": money.currency.code,
    }


def of_payment(payment: Payment, *, decline_reason: str | None) -> Data:
    """Say how a payment stands, and why in our words where it failed."""
    return {
        "id": payment.id,
        "user_id": payment.user_id,
        "shop_id": payment.shop_id,
        "order_id": payment.order_id,
        "status": payment.status,
        **_amounts(payment.money),
        "payment_method": payment.payment_method,
        "reference": payment.reference,
        "description": payment.description,
        "metadata": payment.meta,
        "phone": payment.phone,
        "provider_receipt": payment.provider_receipt,
        "decline_reason": decline_reason,
        "failure_code": payment.failure_code,
        "failure_message": payment.failure_message,
        "live_mode": payment.live_mode,
        "created_at": payment.created_at,
        "completed_at": payment.completed_at,
        "expires_at": payment.expires_at,
    }


def of_refund(refund: Refund, payment: Payment) -> Data:
    """Say how a refund stands; the reason is its customer's, or the shop's."""
    return {
        "id": refund.id,
        "payment_id": refund.payment_id,
        "order_id": payment.order_id,
        "status": refund.status,
        **_amounts(refund.money),
        "pending_reason": refund.pending_reason,
        "failure_code": refund.failure_code,
        "failure_message": refund.failure_message,
        "live_mode": payment.live_mode,
        "created_at": refund.created_at,
        "settled_at": refund.settled_at,
    }


def of_dispute(dispute: Dispute, payment: Payment) -> Data:
    """Say how a dispute stands, and until when it must be answered at its provider."""
    return {
        "id": dispute.id,
        "payment_id": dispute.payment_id,
        "order_id": payment.order_id,
        "status": dispute.status,
        **_amounts(dispute.money),
        "reason": dispute.reason,
        "evidence_due_at": dispute.evidence_due_at,
        "live_mode": payment.live_mode,
        "created_at": dispute.created_at,
        "closed_at": dispute.closed_at,
    }


def of_order(order: Order, *, payment_id: str | None) -> Data:
    """Say how an order stands, and which payment paid it."""
    return {
        "id": order.id,
        "reference": order.reference,
        "user_id": order.user_id,
        "shop_id": order.shop_id,
        "status": order.status,
        **_amounts(order.money),
        "description": order.description,
        "metadata": order.meta,
        "payment_id": payment_id,
        "created_at": order.created_at,
        "expires_at": order.expires_at,
    }


def of_review(review_id: str, *, kind: str, subject: str, payment_id: str | None) -> Data:
    """Say what a person has to decide about. The question itself stands where it is decided."""
    return {"id": review_id, "kind": kind, "subject": subject, "payment_id": payment_id}


def of_payout(payout: str, provider: str, money: Money) -> Data:
    """Say what a provider sent to the bank, or what came back; the amount is without a sign."""
    return {"id": payout, "provider": provider, **_amounts(money)}
