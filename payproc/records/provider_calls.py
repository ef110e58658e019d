"""Attempt, call, outcome: the rows that make a call safe to repeat."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.models import CallState, Payment, ProviderCall
from payproc.providers.requests import Operation, Payer, PreparedCall, StoredCall

# Stripe may forget a key after 24 hours, and then the same key executes anew. From an hour before that on, a retry
# looks for what the first sending made.
_KEY_IS_TRUSTED = timedelta(hours=23)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A call that is committed and may be sent."""

    id: str
    call: StoredCall
    # Written down just now: no earlier run can have sent it.
    fresh: bool

    @property
    def key_may_be_forgotten(self) -> bool:
        """Whether the provider may have dropped the key since the first sending."""
        return datetime.now(UTC) - self.call.first_sent_at > _KEY_IS_TRUSTED


def record_attempt(
    session: Session,
    operation: Operation,
    subject: str,
    *,
    job: jobs.Claimed,
    payment: Payment,
    prepare: Callable[[], PreparedCall],
    payer: Payer | None = None,
) -> Attempt:
    """Return the unanswered call of this operation, or write down a new one that `prepare` makes.

    A new one is a new attempt under a new key, and comes only after an answer or a definite refusal. Two workers
    asking at once get the same row, so the same key and the same parameters.

    It is `job` that will send it: its lease is taken up anew. Raises LeaseLost where another run has claimed it.
    """
    jobs.secure(session, job)
    last = _last_call(session, operation, subject)
    fresh = last is None or last.state is not CallState.SENT
    if fresh:
        fresh = _write_call(session, operation, subject, payment=payment, last=last, parameters=prepare().parameters)
        last = _last_call(session, operation, subject)
    assert last is not None
    return Attempt(
        id=last.id,
        fresh=fresh,
        call=StoredCall(
            parameters=last.parameters,
            idempotency_key=last.idempotency_key,
            first_sent_at=last.created_at,
            dialect=payment.dialect,
            payer=payer or Payer(),
        ),
    )


def record_doubt(
    session: Session, operation: Operation, subject: str, *, payment: Payment, prepare: Callable[[], PreparedCall]
) -> bool:
    """Write the next call of this operation down as one that may have been sent; return whether there was none such.

    Whoever comes to send it then asks first, as after a worker that died with it in hand.
    """
    last = _last_call(session, operation, subject)
    if last is not None and last.state is CallState.SENT:
        return False
    return _write_call(session, operation, subject, payment=payment, last=last, parameters=prepare().parameters)


def _write_call(
    session: Session,
    operation: Operation,
    subject: str,
    *,
    payment: Payment,
    last: ProviderCall | None,
    parameters: dict[str, Any],
) -> bool:
    number = last.attempt + 1 if last else 1
    written = session.scalar(
        insert(ProviderCall)
        .values(
            provider=payment.payment_method,
            operation=operation,
            subject=subject,
            attempt=number,
            idempotency_key=f"{payment.environment}:{operation}:{subject}:{number}",
            parameters=parameters,
            state=CallState.SENT,
        )
        .on_conflict_do_nothing()
        .returning(ProviderCall.id)
    )
    return written is not None


def record_answer(session: Session, attempt: Attempt, answer: str) -> None:
    """Close a call with the provider's id or word for what it did."""
    _close_call(session, attempt, CallState.ANSWERED, answer)


def record_refusal(session: Session, attempt: Attempt, reason: str) -> None:
    """Close a call that was surely not executed; the next attempt may send new parameters under a new key."""
    _close_call(session, attempt, CallState.REFUSED, reason)


def state_of(session: Session, operation: Operation, subject: str) -> CallState | None:
    """Return how the last call of this operation stands; None when there was none."""
    last = _last_call(session, operation, subject)
    return last.state if last else None


def is_repeatable(session: Session, operation: Operation, subject: str) -> bool:
    """Whether the last call of this operation has no answer and its provider surely still knows its key."""
    last = _last_call(session, operation, subject)
    return last is not None and last.state is CallState.SENT and datetime.now(UTC) - last.created_at <= _KEY_IS_TRUSTED


def _last_call(session: Session, operation: Operation, subject: str) -> ProviderCall | None:
    return session.scalar(
        select(ProviderCall)
        .where(ProviderCall.operation == operation, ProviderCall.subject == subject)
        .order_by(ProviderCall.attempt.desc())
        .limit(1)
    )


def _close_call(session: Session, attempt: Attempt, state: CallState, answer: str) -> None:
    row = session.get_one(ProviderCall, attempt.id, with_for_update=True)
    row.state = state
    row.answer = answer
    row.answered_at = session.scalars(select(func.now())).one()
