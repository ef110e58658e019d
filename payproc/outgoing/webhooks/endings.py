"""What becomes of an endpoint's deliveries when it goes on, or is called no more."""

from datetime import timedelta

from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import rows_within
from payproc.database.models import EndpointState, WebhookEndpoint

# Of what had waited, so many a second are due: what happens now does not stand behind all of it.
_APART = timedelta(milliseconds=5)
_PENDING = "SELECT id FROM webhook_deliveries WHERE endpoint_id = %(endpoint)s AND state = 'pending'"
_END = """
    UPDATE webhook_deliveries SET state = 'failed', ended_at = now() WHERE id = ANY (ARRAY (
        SELECT id FROM webhook_deliveries WHERE endpoint_id = %(endpoint)s AND state = 'pending' ORDER BY id FOR UPDATE
    ))
"""
_RESUME = jobs.bringing_forward_apart(jobs.Kind.DELIVER_WEBHOOK, _PENDING)
# What has been tried waits for its next try: one that is never taken would be tried at each success of another.
_GO_ON = jobs.bringing_forward_apart(jobs.Kind.DELIVER_WEBHOOK, f"{_PENDING} AND tries = 0")
_WITHDRAW = jobs.withdrawing(jobs.Kind.DELIVER_WEBHOOK, _PENDING)


def resume(session: Session, endpoint: WebhookEndpoint) -> None:
    """Make due all that waits for an endpoint, whose row is locked: one after the other, oldest first."""
    session.flush()
    rows_within(session, _RESUME, {"endpoint": endpoint.id, "apart": _APART})


def go_on(session: Session, endpoint: WebhookEndpoint) -> None:
    """Make due what was held while an endpoint was down, whose row is locked: one after the other, oldest first."""
    session.flush()
    rows_within(session, _GO_ON, {"endpoint": endpoint.id, "apart": _APART})


def disable(session: Session, endpoint: WebhookEndpoint, *, reason: str) -> None:
    """Call an endpoint, whose row is locked, no more, until its owner enables it again."""
    endpoint.state, endpoint.disabled_reason = EndpointState.DISABLED, reason
    end(session, endpoint)


def end(session: Session, endpoint: WebhookEndpoint) -> None:
    """End what waits for an endpoint, whose row is locked, as failed. What is under way says for itself how it ends."""
    session.flush()
    rows_within(session, _WITHDRAW, {"endpoint": endpoint.id})
    rows_within(session, _END, {"endpoint": endpoint.id})
