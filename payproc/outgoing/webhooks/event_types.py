"""What shops are told of: a closed list of words, and what each of them means."""

from enum import StrEnum
from typing import Self, assert_never

from payproc.domain.states import DISPUTE_CLOSED, DisputeStatus, PaymentStatus, RefundStatus


class EventType(StrEnum):
    """A kind of event. Its first word says what it is about, and `purpose` is what the documents say of it."""

    PAYMENT_CREATED = "payment.created", "A payment was taken in; nobody has been charged."
    PAYMENT_PROCESSING = "payment.processing", "Its provider has it, and says neither yes nor no yet."
    PAYMENT_COMPLETED = "payment.completed", "It is paid. The only word by which goods should leave."
    PAYMENT_FAILED = "payment.failed", "It was declined, or a sale was undone; it may be paid after all."
    PAYMENT_CANCELLED = "payment.cancelled", "It was called off or its time ran out; it may be paid after all."
    PAYMENT_REFUNDED = "payment.refunded", "All of it was given back."
    PAYMENT_REOPENED = "payment.reopened", "A refund of it did not arrive: it is paid, and not wholly given back."
    ORDER_PAID = "order.paid", "One of its payments is completed."
    ORDER_EXPIRED = "order.expired", "Its time ran out unpaid."
    REFUND_REQUESTED = "refund.requested", "A refund waits for an operator."
    REFUND_PENDING = "refund.pending", "A refund is on its way."
    REFUND_MANUAL = "refund.manual", "A refund waits for a person who gives it back in the provider's portal."
    REFUND_SUCCEEDED = "refund.succeeded", "The money went back. A bank may still return it."
    REFUND_FAILED = "refund.failed", "The money did not go back."
    REFUND_CANCELLED = "refund.cancelled", "The refund was called off."
    DISPUTE_CREATED = "dispute.created", "The customer's bank asks for the money back, or asks about it."
    DISPUTE_UPDATED = "dispute.updated", "A dispute stands otherwise than before."
    DISPUTE_CLOSED = "dispute.closed", "A dispute has ended."
    REVIEW_OPENED = "review.opened", "A person has to decide something."
    PAYOUT_PAID = "payout.paid", "A provider has sent money to the merchant's bank."
    PAYOUT_FAILED = "payout.failed", "The bank has sent a payout back."
    WEBHOOK_TEST = "webhook.test", "Somebody tries an endpoint. It is about nothing."

    purpose: str

    def __new__(cls, word: str, purpose: str = "") -> Self:
        """Make a member that is its word; `purpose` is left out where one is looked up."""
        kind = str.__new__(cls, word)
        kind._value_ = word
        kind.purpose = purpose
        return kind


def event_of_payment(before: PaymentStatus, now: PaymentStatus) -> EventType:
    """Return what is told of a payment that moved."""
    if (before, now) == (PaymentStatus.REFUNDED, PaymentStatus.COMPLETED):
        return EventType.PAYMENT_REOPENED
    match now:
        case PaymentStatus.PENDING:
            return EventType.PAYMENT_CREATED
        case PaymentStatus.PROCESSING:
            return EventType.PAYMENT_PROCESSING
        case PaymentStatus.COMPLETED:
            return EventType.PAYMENT_COMPLETED
        case PaymentStatus.FAILED:
            return EventType.PAYMENT_FAILED
        case PaymentStatus.REFUNDED:
            return EventType.PAYMENT_REFUNDED
        case PaymentStatus.CANCELLED:
            return EventType.PAYMENT_CANCELLED
        case _:
            assert_never(now)


def event_of_refund(status: RefundStatus) -> EventType:
    """Return what is told of a refund that came to a status."""
    return EventType(f"refund.{status}")


def event_of_dispute(before: DisputeStatus | None, now: DisputeStatus) -> EventType:
    """Return what is told of a dispute that moved; `before` is None of a new one."""
    if before is None:
        return EventType.DISPUTE_CREATED
    return EventType.DISPUTE_CLOSED if now in DISPUTE_CLOSED else EventType.DISPUTE_UPDATED
