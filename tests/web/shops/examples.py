"""An example of each event, made by what makes the real ones: `python -m tests.web.shops.examples` writes them down."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from payproc.database.models import Dispute, Order, OrderStatus, Payment, Refund
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import DisputeStatus, PaymentStatus, RefundStatus
from payproc.outgoing.decline_reasons import decline_reason
from payproc.outgoing.webhooks import payload
from payproc.outgoing.webhooks.event_types import EventType
from payproc.outgoing.webhooks.sending import signing
from tests.support.databases import ROOT

EXAMPLES = ROOT / "web" / "docs" / "webhooks.json"
_AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_SECOND_PART = "01kaw5m0v7e1cbb4wsy0s9p6jd"
_IDS = {prefix: f"{prefix}_{_SECOND_PART}" for prefix in ("evt", "pay", "ref", "dsp", "ord", "rev", "whe", "usr")}
_CUSTOMER, _SHOP = "usr_01kaw5m0v7e1cbb4wsy0s9p6jc", _IDS["usr"]
_MONEY = Money.of(125075, "pkr")

_PAYMENT_STATUS = {
    EventType.PAYMENT_CREATED: PaymentStatus.PENDING,
    EventType.PAYMENT_REOPENED: PaymentStatus.COMPLETED,
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
            payment = _payment(status)
            said = payload.of_payment(payment, decline_reason=decline_reason(payment))
            return said | {"sequence": 1 if status is PaymentStatus.PENDING else 3}
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


if __name__ == "__main__":
    EXAMPLES.write_text(json.dumps({each: example(each) for each in EventType}, indent=2) + "\n", encoding="utf-8")
