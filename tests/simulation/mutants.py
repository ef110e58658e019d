"""Faults put into payproc on purpose, each by one patch: a simulation that misses one proves nothing."""

import re
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import psycopg
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.domain import states
from payproc.domain.states import Effect, Fact, PaymentStatus, Transition
from payproc.flows import start
from payproc.jobs import due
from payproc.records import outcomes, payments, provider_calls, refunded
from payproc.records.ledger import journal

Mutant = Callable[[], AbstractContextManager[Any]]


_LOCK = re.compile(r"\s+FOR (NO KEY )?UPDATE( OF \w+)?( SKIP LOCKED)?")


def _no_row_lock() -> AbstractContextManager[Any]:
    execute = psycopg.Cursor.execute

    def unlocked(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(query, str) and "FROM payments" in query:
            query = _LOCK.sub("", query)
        return execute(cursor, query, *arguments, **options)

    return patch.object(psycopg.Cursor, "execute", unlocked)


def _moved_without_an_event() -> AbstractContextManager[Any]:
    return patch.object(payments, "append_payment_event", lambda *_: None)


def _finished_before_the_effect() -> AbstractContextManager[Any]:
    finish = jobs.finish

    def finish_now(session: Session, job: jobs.Claimed) -> None:
        with Session(session.get_bind()) as other, other.begin():
            finish(other, job)

    return patch.object(jobs, "finish", finish_now)


def _a_key_for_each_sending() -> AbstractContextManager[Any]:
    record = provider_calls.record_attempt

    def under_a_new_key(*arguments: Any, **options: Any) -> provider_calls.Attempt:
        attempt = record(*arguments, **options)
        return replace(attempt, call=replace(attempt.call, idempotency_key=str(uuid.uuid4())))

    return patch.object(provider_calls, "record_attempt", under_a_new_key)


def _a_push_in_doubt_is_sent_again() -> AbstractContextManager[Any]:
    single_shot = start._start_single_shot  # noqa: SLF001 (the place of the fault)

    def always_fresh(app: Any, job: Any, provider: Any, attempt: provider_calls.Attempt) -> None:
        single_shot(app, job, provider, replace(attempt, fresh=True))

    return patch.object(start, "_start_single_shot", always_fresh)


def _any_amount_will_do() -> AbstractContextManager[Any]:
    return patch.object(outcomes, "_paid_mismatch", lambda *_: None)


def _late_money_is_ignored() -> AbstractContextManager[Any]:
    late = {
        (status, Fact.PAID): Transition(effect=Effect.LATE, to=status)
        for status in (PaymentStatus.CANCELLED, PaymentStatus.FAILED)
    }
    return patch.dict(states.TRANSITIONS, late)


def _the_work_of_the_dead_is_left() -> AbstractContextManager[Any]:
    return patch.object(due, "_DISPATCH", due._DISPATCH.replace("leased_until < now()", "false"))  # noqa: SLF001 (the same)


def _refunds_reserve_nothing() -> AbstractContextManager[Any]:
    return patch.object(refunded, "sum_reserved", lambda _payment: select(literal(0)))


def _a_sale_is_not_booked() -> AbstractContextManager[Any]:
    return patch.object(journal, "record_sale", lambda *_: None)


MUTANTS: Mapping[str, Mutant] = {
    "a payment is changed without its row lock": _no_row_lock,
    "a payment is moved without an event": _moved_without_an_event,
    "a job is finished before its effect is committed": _finished_before_the_effect,
    "each sending has a key of its own": _a_key_for_each_sending,
    "a wallet charge in doubt is sent again": _a_push_in_doubt_is_sent_again,
    "what was paid is not compared with what was asked": _any_amount_will_do,
    "money that comes late is ignored": _late_money_is_ignored,
    "what a dead worker had begun is left": _the_work_of_the_dead_is_left,
    "a refund reserves nothing": _refunds_reserve_nothing,
    "a sale is not booked": _a_sale_is_not_booked,
}
