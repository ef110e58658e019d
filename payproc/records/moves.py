"""What a move of a payment, a refund or a dispute leaves: its event, and a line in the log once it is committed."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from payproc.database.deferring import defer
from payproc.database.engine import after_commit
from payproc.database.models import DisputeEvent, PaymentEvent, RefundEvent
from payproc.domain.states import Effect

log = structlog.get_logger()


def append_payment_event(session: Session, event: PaymentEvent) -> None:
    """Write down what a fact did to a payment whose row the caller has locked, and log it."""
    log_move(session, event, payment_id=event.payment_id)
    defer(session, _write_events, event)


# Numbered as they are given, which is the order of each payment's.
_WRITE_EVENTS = text("""
    INSERT INTO payment_events (payment_id, fact, effect, from_status, to_status, source, evidence, detail)
    SELECT payment, fact, effect, before, after, source, evidence, detail
    FROM unnest(
        CAST(:payment_id AS text[]), CAST(:fact AS text[]), CAST(:effect AS text[]), CAST(:from_status AS text[]),
        CAST(:to_status AS text[]), CAST(:source AS text[]), CAST(:evidence AS text[]), CAST(:detail AS text[])
    ) WITH ORDINALITY AS event (payment, fact, effect, before, after, source, evidence, detail, place)
    ORDER BY place
""")
_EVENT = ("payment_id", "fact", "effect", "from_status", "to_status", "source", "evidence", "detail")


def _write_events(session: Session, events: Sequence[PaymentEvent]) -> None:
    if len(events) == 1:
        # With whatever else is flushed.
        session.add(events[0])
        return
    session.execute(_WRITE_EVENTS, {column: [getattr(event, column) for event in events] for column in _EVENT})


def log_move(session: Session, event: PaymentEvent | RefundEvent | DisputeEvent, *, payment_id: str) -> None:
    """Log what an event moved, once it is committed: a line about what was rolled back would be a lie.

    A process that dies in between loses the line and nothing else; the event is the record.
    """
    if event.effect is Effect.MOVED:
        # The names of the job that moved it: by the commit of a batch another's may stand there.
        names = structlog.contextvars.get_contextvars()
        after_commit(session, lambda: log_committed(event, payment_id=payment_id, names=names))


def log_committed(
    event: PaymentEvent | RefundEvent | DisputeEvent, *, payment_id: str, names: Mapping[str, Any] | None = None
) -> None:
    """Log what an event moved that is committed already; `names` are those of whoever moved it, where it is not us."""
    said, ids = _subject(event, payment_id)
    line = {"from": event.from_status, "to": event.to_status, "source": event.source, "evidence": event.evidence}
    log.bind(**(names or {})).info(said, **ids, **line)


def _subject(event: PaymentEvent | RefundEvent | DisputeEvent, payment_id: str) -> tuple[str, dict[str, str]]:
    match event:
        case PaymentEvent():
            return "payment moved", {"payment": payment_id}
        case RefundEvent():
            return "refund moved", {"refund": event.refund_id, "payment": payment_id}
        case DisputeEvent():
            return "dispute moved", {"dispute": event.dispute_id, "payment": payment_id}
        case _:
            assert_never(event)
