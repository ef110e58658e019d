"""What came of tries, written down: the attempts, how their deliveries and jobs stand, and what it says of endpoints.

Locks are taken in one order, here and wherever an endpoint is changed: endpoints in the order of their ids, then jobs,
then deliveries. A batch of which all was taken, at an endpoint that takes everything, locks no endpoint.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

import structlog
from sqlalchemy import String, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import rows_within, transaction_time
from payproc.database.models import DeliveryState, EndpointState, User, WebhookEndpoint
from payproc.outgoing.mail import outbox
from payproc.outgoing.webhooks import endings
from payproc.outgoing.webhooks.sending import retries
from payproc.outgoing.webhooks.sending.pending import Pending
from payproc.outgoing.webhooks.sending.sender import AttemptResult

log = structlog.get_logger()

# Before that nothing is held for longer than it takes to look again.
_HELD_AFTER = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A try that was made, and its job."""

    job: jobs.Claimed
    pending: Pending
    tried: AttemptResult


def note(session: Session, outcomes: Sequence[Outcome], *, operator_mail: str | None) -> None:
    """Write down what came of tries. Raises LeaseLost where another run has claimed one of their jobs."""
    endpoints = _locked(session, outcomes)
    ends = {each.job.id: _state_after(each, endpoints) for each in outcomes}
    done = [each.job for each in outcomes if ends[each.job.id] is not DeliveryState.PENDING]
    if done:
        jobs.finish_all(session, done)
    if later := [_later(each) for each in outcomes if ends[each.job.id] is DeliveryState.PENDING]:
        jobs.retry_all_later(session, later)
    _write(session, outcomes, [ends[each.job.id] for each in outcomes])
    for endpoint_id, told in _by_endpoint(outcomes).items():
        if endpoint_id in endpoints:
            _judge(session, endpoints[endpoint_id], told, operator_mail=operator_mail)


def _by_endpoint(outcomes: Sequence[Outcome]) -> Mapping[str, Sequence[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        found[each.pending.endpoint.id].append(each)
    return found


_LOCK = (
    select(WebhookEndpoint)
    .where(WebhookEndpoint.id == any_(bindparam("ids", type_=ARRAY(String))))
    .order_by(WebhookEndpoint.id)
    # As in `endpoints.locked`.
    .with_for_update(key_share=True)
)


def _locked(session: Session, outcomes: Sequence[Outcome]) -> dict[str, WebhookEndpoint]:
    """Lock the endpoints of which there is something to write down."""
    ids = {
        each.pending.endpoint.id
        for each in outcomes
        if not each.tried.is_delivered or each.pending.endpoint.failing_since is not None
    }
    found = session.scalars(_LOCK, {"ids": sorted(ids)}).all() if ids else ()
    return {endpoint.id: endpoint for endpoint in found}


def _state_after(outcome: Outcome, endpoints: Mapping[str, WebhookEndpoint]) -> DeliveryState:
    if outcome.tried.is_delivered:
        return DeliveryState.DELIVERED
    # By what it is now: it may have been disabled or deleted during the call.
    endpoint = endpoints[outcome.pending.endpoint.id]
    match endpoint.state:
        case EndpointState.DISABLED | EndpointState.DELETED:
            return DeliveryState.FAILED
        case EndpointState.ENABLED | EndpointState.PAUSED:
            gives_up = outcome.tried.is_gone or retries.wait_after(outcome.job.attempts, retry_after=None) is None
            return DeliveryState.FAILED if gives_up else DeliveryState.PENDING
        case _:
            assert_never(endpoint.state)


def _later(outcome: Outcome) -> jobs.Later:
    wait = retries.wait_after(outcome.job.attempts, retry_after=outcome.tried.retry_after)
    assert wait is not None
    return jobs.Later(job=outcome.job, after=wait, error=_trouble(outcome.tried))


def _trouble(tried: AttemptResult) -> str:
    return tried.trouble or f"answered {tried.status}"


_WRITE_ATTEMPTS = """
    INSERT INTO webhook_attempts (delivery_id, number, at, milliseconds, status, answer, trouble)
    SELECT * FROM unnest(
        CAST(%(ids)s AS text[]), CAST(%(numbers)s AS int[]), CAST(%(ats)s AS timestamptz[]),
        CAST(%(milliseconds)s AS int[]), CAST(%(statuses)s AS int[]), CAST(%(answers)s AS text[]),
        CAST(%(troubles)s AS text[])
    )
"""
_WRITE_DELIVERIES = """
    UPDATE webhook_deliveries SET state = told.state, tries = told.number,
        ended_at = CASE WHEN told.state = 'pending' THEN NULL ELSE now() END
    FROM unnest(CAST(%(ids)s AS text[]), CAST(%(numbers)s AS int[]), CAST(%(states)s AS text[]))
        AS told (id, number, state)
    WHERE webhook_deliveries.id = told.id
"""


def _write(session: Session, outcomes: Sequence[Outcome], states: Sequence[DeliveryState]) -> None:
    told = {
        "ids": [each.pending.delivery_id for each in outcomes],
        "numbers": [each.pending.tries + 1 for each in outcomes],
        "states": [state.value for state in states],
        "ats": [each.tried.at for each in outcomes],
        "milliseconds": [each.tried.milliseconds for each in outcomes],
        "statuses": [each.tried.status for each in outcomes],
        "answers": [each.tried.answer for each in outcomes],
        "troubles": [each.tried.trouble for each in outcomes],
    }
    rows_within(session, _WRITE_DELIVERIES, told)
    rows_within(session, _WRITE_ATTEMPTS, told)


def _judge(
    session: Session, endpoint: WebhookEndpoint, outcomes: Sequence[Outcome], *, operator_mail: str | None
) -> None:
    """Write down what tries say of their endpoint, which is locked: that it is well, that it fails, or that it ends."""
    if any(each.tried.is_delivered for each in outcomes):
        _note_that_it_is_well(session, endpoint)
        return
    if endpoint.failing_since is None:
        endpoint.failing_since = min(each.tried.at for each in outcomes)
    if endpoint.state not in (EndpointState.ENABLED, EndpointState.PAUSED):
        return
    if any(each.tried.is_gone for each in outcomes):
        _disable(session, endpoint, "it answered 410: gone", operator_mail=operator_mail)
    elif transaction_time(session) - endpoint.failing_since > retries.GIVEN_UP_AFTER:
        days = retries.GIVEN_UP_AFTER.days
        reason = f"for {days} days it took nothing; the last time: {_trouble(outcomes[-1].tried)}"
        _disable(session, endpoint, reason, operator_mail=operator_mail)


def _note_that_it_is_well(session: Session, endpoint: WebhookEndpoint) -> None:
    if endpoint.failing_since is None:
        return
    failed_for = transaction_time(session) - endpoint.failing_since
    endpoint.failing_since = None
    # Or one that refuses every tenth would have all that waits looked at for each of them.
    if failed_for > _HELD_AFTER:
        endings.go_on(session, endpoint)


def _disable(session: Session, endpoint: WebhookEndpoint, reason: str, *, operator_mail: str | None) -> None:
    endings.disable(session, endpoint, reason=reason)
    log.warning("webhook endpoint disabled", endpoint=endpoint.id, reason=reason)
    recipient = session.get_one(User, endpoint.shop_id).email if endpoint.shop_id else operator_mail
    if recipient:
        outbox.stage_endpoint_disabled(session, endpoint.id, recipient=recipient)


_END = """
    UPDATE webhook_deliveries SET state = 'failed', ended_at = now() WHERE id = ANY (%(ids)s) AND state = 'pending'
"""


def end_without_try(session: Session, delivery_ids: Sequence[str]) -> None:
    """End deliveries that nobody is there for, whose jobs the caller has just finished."""
    rows_within(session, _END, {"ids": sorted(delivery_ids)})


def put_off(session: Session, held: Sequence[jobs.Later], pending: Mapping[str, Pending]) -> None:
    """Put off what was not sent, as if it had not begun: it waits for its endpoint, and that is no try.

    Raises LeaseLost where another run has claimed one of their jobs.
    """
    ids = {pending[each.job.subject].endpoint.id for each in held}
    # Until this commits nobody resumes one of them, who would not see that these wait; and who has, is seen here.
    locked = session.scalars(_LOCK.with_for_update(read=True), {"ids": sorted(ids)}).all()
    now_as_then = {
        endpoint.id for endpoint in locked if endpoint.state is EndpointState.PAUSED or endpoint.failing_since
    }
    jobs.await_turns(session, [_as_soon(each, pending[each.job.subject], now_as_then) for each in held])


def _as_soon(later: jobs.Later, pending: Pending, now_as_then: set[str]) -> jobs.Later:
    waits = pending.endpoint.state is EndpointState.PAUSED or pending.endpoint.failing_since
    if waits and pending.endpoint.id not in now_as_then:
        return jobs.Later(job=later.job, after=retries.spread(retries.AFTER[0]), error=later.error)
    return later
