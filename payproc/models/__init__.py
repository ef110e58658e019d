"""The tables. Importing this package maps them all."""

from payproc.models.base import Base
from payproc.models.calls import CallState, ProviderCall
from payproc.models.circuits import Circuit
from payproc.models.disputes import Dispute, DisputeEvent
from payproc.models.emails import Email, EmailKind
from payproc.models.idempotency import IdempotencyKey
from payproc.models.jobs import Job, JobState
from payproc.models.ledger import Account, Journal, JournalKind, LedgerEntry, SettlementLine
from payproc.models.notices import Notice, NoticeState
from payproc.models.orders import Order, OrderStatus
from payproc.models.payments import Payment, PaymentEvent, Source
from payproc.models.reconciliation import (
    FindingKind,
    Loop,
    ReconciliationFinding,
    ReconciliationMark,
    ReconciliationRun,
    RunState,
)
from payproc.models.refunds import Refund, RefundEvent
from payproc.models.reviews import Review, ReviewKind
from payproc.models.ticks import Tick
from payproc.models.users import ApiKey, Locale, Role, Scope, User

__all__ = [
    "Account",
    "ApiKey",
    "Base",
    "CallState",
    "Circuit",
    "Dispute",
    "DisputeEvent",
    "Email",
    "EmailKind",
    "FindingKind",
    "IdempotencyKey",
    "Job",
    "JobState",
    "Journal",
    "JournalKind",
    "LedgerEntry",
    "Locale",
    "Loop",
    "Notice",
    "NoticeState",
    "Order",
    "OrderStatus",
    "Payment",
    "PaymentEvent",
    "ProviderCall",
    "ReconciliationFinding",
    "ReconciliationMark",
    "ReconciliationRun",
    "Refund",
    "RefundEvent",
    "Review",
    "ReviewKind",
    "Role",
    "RunState",
    "Scope",
    "SettlementLine",
    "Source",
    "Tick",
    "User",
]
