"""What endpoints are sent, as the OpenAPI document says it. Each example is made by what makes the real ones."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from payproc.database.models import Dispute, Order, OrderStatus, Payment, Refund
from payproc.domain.events import EventType
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import DisputeStatus, PaymentStatus, RefundStatus
from payproc.outgoing.webhooks import payload
from payproc.outgoing.webhooks.sending import signing

_AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_SECOND_PART = "01kaw5m0v7e1cbb4wsy0s9p6jd"
_IDS = {prefix: f"{prefix}_{_SECOND_PART}" for prefix in ("evt", "pay", "ref", "dsp", "ord", "rev", "whe", "usr")}
_CUSTOMER, _SHOP = "usr_01kaw5m0v7e1cbb4wsy0s9p6jc", _IDS["usr"]
_MONEY = Money.of(125075, "pkr")

_HEADERS = {
    "webhook-id": ("The event's id: the same at every try.", _IDS["evt"]),
    "webhook-timestamp": ("When this try was sent, in seconds since 1970.", "1769860800"),
    "webhook-signature": (
        "`v1,` and the HMAC-SHA256 of id, timestamp and body, in base64; two of them while a secret is rotated.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
_PAYMENT_STATUS = {
    EventType.PAYMENT_CREATED: PaymentStatus.PENDING,
    EventType.PAYMENT_REOPENED: PaymentStatus.COMPLETED,
}


def webhooks() -> dict[str, Any]:
    """Return the section `webhooks`: for each type of event what is posted."""
    return {event_type: {"post": _operation(event_type)} for event_type in EventType}


def _operation(event_type: EventType) -> dict[str, Any]:
    return {
        "tags": ["events"],
        "summary": event_type.purpose,
        "operationId": f"webhook_{event_type.replace('.', '_')}",
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
                "example": value,
            }
            for name, (description, value) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _schema(event_type), "example": example(event_type)}},
        },
        "responses": {
            "2XX": {"description": "It was taken. Anything else, a redirect too, and it is sent again."},
            "410": {"description": "Nothing is wanted any more: the endpoint is disabled."},
        },
    }


def _schema(event_type: EventType) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event_type.value},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {
                "type": "object",
                "required": sorted(example(event_type)["data"]),
                "description": "How what it is about stood then. More names may come.",
            },
        },
    }


def example(event_type: EventType) -> dict[str, Any]:
    """Return a body as an endpoint is sent it."""
    data = payload.text_of(_data(event_type))
    body: dict[str, Any] = json.loads(signing.body_of(event_type, at=_AT, data=data))
    return body


def _data(event_type: EventType) -> payload.Data:
    about, _, word = event_type.partition(".")
    match about:
        case "payment":
            status = _PAYMENT_STATUS.get(event_type) or PaymentStatus(word)
            return payload.of_payment(_payment(status)) | {"sequence": 1 if status is PaymentStatus.PENDING else 3}
        case "refund":
            return payload.of_refund(_refund(RefundStatus(word)), _payment(PaymentStatus.COMPLETED)) | {"sequence": 4}
        case "dispute":
            dispute = _dispute(DisputeStatus.LOST if word == "closed" else DisputeStatus.NEEDS_RESPONSE)
            return payload.of_dispute(dispute, _payment(PaymentStatus.COMPLETED)) | {"sequence": 5}
        case "order":
            paid_by = _IDS["pay"] if event_type is EventType.ORDER_PAID else None
            return payload.of_order(_order(OrderStatus(word)), payment_id=paid_by) | {"sequence": 1}
        case "review":
            data = payload.of_review(_IDS["rev"], kind="paid_late", subject=_IDS["pay"], payment_id=_IDS["pay"])
            return data | {"sequence": 1}
        case "payout":
            return payload.of_payout("po_1", "stripe", _MONEY) | {"sequence": 1}
        case _:
            return {"endpoint_id": _IDS["whe"]}


def _payment(status: PaymentStatus) -> Payment:
    has_failed = status in (PaymentStatus.FAILED, PaymentStatus.CANCELLED)
    is_paid = status in (PaymentStatus.COMPLETED, PaymentStatus.REFUNDED)
    return Payment(
        id=_IDS["pay"],
        user_id=_CUSTOMER,
        shop_id=_SHOP,
        order_id=_IDS["ord"],
        status=status,
        amount_minor=_MONEY.amount_minor,
        currency=_MONEY.currency.code,
        payment_method=PaymentMethod("jazz_cash"),
        reference="P7K2M9Q4R8T3V6X5Y2Z4",
        description="Two mangoes",
        meta={},
        phone="0300****567",
        provider_receipt="T20260131120005" if is_paid else None,
        failure_code="insufficient_funds" if has_failed else None,
        failure_message="There is not enough money in the wallet." if has_failed else None,
        live_mode=True,
        created_at=_AT - timedelta(minutes=2),
        completed_at=_AT if is_paid else None,
    )


def _refund(status: RefundStatus) -> Refund:
    has_ended = status in (RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELLED)
    return Refund(
        id=_IDS["ref"],
        payment_id=_IDS["pay"],
        status=status,
        amount_minor=_MONEY.amount_minor,
        currency=_MONEY.currency.code,
        pending_reason=None,
        failure_code="declined" if status is RefundStatus.FAILED else None,
        failure_message=None,
        created_at=_AT - timedelta(minutes=1),
        settled_at=_AT if has_ended else None,
    )


def _dispute(status: DisputeStatus) -> Dispute:
    return Dispute(
        id=_IDS["dsp"],
        payment_id=_IDS["pay"],
        status=status,
        amount_minor=_MONEY.amount_minor,
        currency=_MONEY.currency.code,
        reason="fraudulent",
        evidence_due_at=_AT + timedelta(days=9),
        created_at=_AT,
        closed_at=_AT if status is DisputeStatus.LOST else None,
    )


def _order(status: OrderStatus) -> Order:
    return Order(
        id=_IDS["ord"],
        reference="A-17",
        user_id=_CUSTOMER,
        shop_id=_SHOP,
        status=status,
        amount_minor=_MONEY.amount_minor,
        currency=_MONEY.currency.code,
        description="Two mangoes",
        meta={},
        created_at=_AT - timedelta(minutes=5),
        expires_at=None,
    )
