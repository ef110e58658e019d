"""The tables. Importing this package maps them all."""

from payproc.models.base import Base
from payproc.models.calls import CallState, ProviderCall
from payproc.models.circuits import Circuit
from payproc.models.emails import Email, EmailKind
from payproc.models.idempotency import IdempotencyKey
from payproc.models.jobs import Job, JobState
from payproc.models.notices import Notice, NoticeState
from payproc.models.orders import Order, OrderStatus
from payproc.models.payments import Payment, PaymentEvent, Source
from payproc.models.refunds import Refund, RefundStatus
from payproc.models.reviews import Review, ReviewKind
from payproc.models.ticks import Tick
from payproc.models.users import ApiKey, Role, Scope, User

__all__ = [
    "ApiKey",
    "Base",
    "CallState",
    "Circuit",
    "Email",
    "EmailKind",
    "IdempotencyKey",
    "Job",
    "JobState",
    "Notice",
    "NoticeState",
    "Order",
    "OrderStatus",
    "Payment",
    "PaymentEvent",
    "ProviderCall",
    "Refund",
    "RefundStatus",
    "Review",
    "ReviewKind",
    "Role",
    "Scope",
    "Source",
    "Tick",
    "User",
]
