"""A line in the log for each move of a payment, a refund or a dispute: from, to, and who said so."""

from collections.abc import Mapping
from typing import Any, assert_never

import structlog
from sqlalchemy.orm import Session

from payproc.database.engine import after_commit
from payproc.database.models import DisputeEvent, PaymentEvent, RefundEvent
from payproc.domain.states import Effect

log = structlog.get_logger()


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
