"""The tables. Importing this package maps them all."""

from payproc.database.models.base import Base
from payproc.database.models.disputes import Dispute, DisputeEvent
from payproc.database.models.idempotency import IdempotencyKey
from payproc.database.models.identity.users import ApiKey, Role, Scope, User
from payproc.database.models.jobs import Job, JobState, Tick, Watermark
from payproc.database.models.ledger import (
    Account,
    Journal,
    JournalKind,
    LedgerDraft,
    LedgerEntry,
    SettlementLine,
    SettlementMatch,
)
from payproc.database.models.notices import Notice, NoticeState
from payproc.database.models.orders import Order, OrderStatus
from payproc.database.models.outgoing.emails import Email, EmailKind
from payproc.database.models.outgoing.events import (
    DeliveryState,
    EndpointState,
    Event,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from payproc.database.models.payments import Payment, PaymentEvent
from payproc.database.models.provider_calls import CallState, Circuit, ProviderCall, PushShare
from payproc.database.models.reconciliation import (
    FindingKind,
    Loop,
    ReconciliationFinding,
    ReconciliationRun,
    RunState,
    SeenKey,
    SeenKind,
)
from payproc.database.models.refunds import Refund, RefundEvent
from payproc.database.models.reviews import Review, ReviewKind

__all__ = [
    "Account",
    "ApiKey",
    "Base",
    "CallState",
    "Circuit",
    "DeliveryState",
    "Dispute",
    "DisputeEvent",
    "Email",
    "EmailKind",
    "EndpointState",
    "Event",
    "FindingKind",
    "IdempotencyKey",
    "Job",
    "JobState",
    "Journal",
    "JournalKind",
    "LedgerDraft",
    "LedgerEntry",
    "Loop",
    "Notice",
    "NoticeState",
    "Order",
    "OrderStatus",
    "Payment",
    "PaymentEvent",
    "ProviderCall",
    "PushShare",
    "ReconciliationFinding",
    "ReconciliationRun",
    "Refund",
    "RefundEvent",
    "Review",
    "ReviewKind",
    "Role",
    "RunState",
    "Scope",
    "SeenKey",
    "SeenKind",
    "SettlementLine",
    "SettlementMatch",
    "Tick",
    "User",
    "Watermark",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
