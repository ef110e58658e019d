"""What waits: staged in the transaction that causes the work."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, literal_column, or_, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.deferring import defer, write_deferred
from payproc.database.engine import rows_within
from payproc.database.models import Job
from payproc.domain.ids import Prefix, new_id
from payproc.domain.payment_methods import PaymentMethod
from payproc.jobs.kinds import Kind, Queue, provider_queue, push_queue

# Spelt out, not a parameter: once a statement is prepared, PostgreSQL plans it without its parameters, and then it
# can no longer prove that a partial index fits. ON CONFLICT would fail from the eleventh staging on.
READY = Job.state == literal_column("'ready'")


def stage(
    session: Session,
    kind: Kind,
    subject: str,
    *,
    method: PaymentMethod | None = None,
    due_at: datetime | None = None,
    payload: dict[str, Any] | None = None,
) -> None:
    """Write down work inside the caller's transaction; `due_at` (UTC) defaults to now.

    `method` is whose provider will be called, where that decides the queue.

    The same work already open is brought forward rather than doubled, and learns what the new payload says. If it is
    running this moment, it may have looked before the caller's change: it is marked to run once more.
    """
    # One that was put off must not close what is staged after it.
    write_deferred(session)
    due = func.now() if due_at is None else literal(due_at, Job.due_at.type)
    row = insert(Job).values(
        kind=kind,
        queue=_queue(kind, method),
        subject=subject,
        dedupe_key=_dedupe_key(kind, subject),
        payload=payload or {},
        due_at=due,
    )
    running = Job.started_at.is_not(None)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Job.dedupe_key],
            index_where=READY,
            set_={
                Job.due_at: func.least(Job.due_at, row.excluded.due_at),
                Job.payload: Job.payload.op("||")(row.excluded.payload),
                Job.rerun: or_(Job.rerun, running),
            },
        )
    )


_STAGE_APART = """
    INSERT INTO jobs (id, kind, queue, subject, dedupe_key, due_at)
    SELECT job, %(kind)s, %(queue)s, subject, %(kind)s || ':' || subject, now() + (place - 1) * %(apart)s
    FROM unnest(CAST(%(jobs)s AS text[]), CAST(%(subjects)s AS text[])) WITH ORDINALITY AS wanted (job, subject, place)
    ON CONFLICT (dedupe_key) WHERE state = 'ready' DO UPDATE
    SET due_at = least(jobs.due_at, excluded.due_at), wanted_again = jobs.wanted_again OR jobs.started_at IS NOT NULL
"""


def stage_apart(session: Session, kind: Kind, subjects: Sequence[str], *, apart: timedelta) -> None:
    """Stage much of one kind as `stage` does, but each is due `apart` after the one before it."""
    told = {
        "kind": kind.value,
        "queue": _queue(kind, None),
        "jobs": [new_id(Prefix.JOB) for _ in subjects],
        "subjects": list(subjects),
        "apart": apart,
    }
    rows_within(session, _STAGE_APART, told)


def staging_first(kind: Kind) -> str:
    """Return the end of a statement that makes what work is about, as `created (id, job)`: the work, due now.

    None of it can be open. Only for kinds whose queue is the same for all of them.
    """
    return f"""
        INSERT INTO jobs (id, kind, queue, subject, dedupe_key)
        SELECT job, '{kind}', '{_queue(kind, None)}', id, '{kind}:' || id FROM created ORDER BY id
    """  # noqa: S608 (our own words)


# A part of a statement that makes what the work is about, in `created`: then nothing of the kind can be open already.
STAGED = """staged AS (
    INSERT INTO jobs (id, kind, queue, subject, dedupe_key, payload, due_at)
    SELECT %(job_id)s, %(job_kind)s, %(job_queue)s, %(job_subject)s, %(job_dedupe_key)s, %(job_payload)s,
        coalesce(%(job_due_at)s, now())
    FROM created
)"""


def first_job(
    kind: Kind,
    subject: str,
    *,
    method: PaymentMethod,
    due_at: datetime | None = None,
    payload: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the parameters of `STAGED`: the first work about something new, as `stage` would write it down."""
    return {
        "job_id": new_id(Prefix.JOB),
        "job_kind": kind.value,
        "job_queue": _queue(kind, method),
        "job_subject": subject,
        "job_dedupe_key": _dedupe_key(kind, subject),
        "job_payload": json.dumps(payload or {}),
        "job_due_at": due_at,
    }


_TO_PROVIDERS = ", ".join(f"'{kind}'" for kind in Kind if not isinstance(kind.policy.queue, Queue))
# Of the jobs that wait those that nobody else holds this moment, locked. Whoever holds one sends it or begins it, and
# it looks for itself then. To wait for them, with other rows of jobs locked, could mean that each waits for the other.
_FREE = """ANY (ARRAY (
    SELECT id FROM jobs WHERE {} AND state = 'ready' AND started_at IS NULL
    ORDER BY id FOR UPDATE SKIP LOCKED
))"""
_BRING_FORWARD = f"UPDATE jobs SET due_at = least(due_at, now()) WHERE id = {_FREE}"  # noqa: S608 (our own words)
_WITHDRAW = """
    UPDATE jobs SET state = 'done', finished_at = now(), leased_until = NULL, lease_token = NULL WHERE id = {}
"""
_WITHDRAW_BY_KEYS = _WITHDRAW.format(_FREE.format("dedupe_key = ANY (CAST(%(keys)s AS text[]))"))


# Of what waits for a provider after a failed try, whatever is not due soon anyhow. A job waits ten minutes at most, and
# half as long again; polls that are due later than that have not failed.
_GO_ON = f"""
    UPDATE jobs SET due_at = now() + random() * %(spread)s
    WHERE id = ANY (ARRAY (
        SELECT id FROM jobs
        WHERE state = 'ready' AND leased_until IS NULL AND queue = ANY (%(queues)s)
            AND kind IN ({_TO_PROVIDERS}) AND due_at BETWEEN now() + %(spread)s AND now() + interval '15 minutes'
            AND last_error IS NOT NULL
        ORDER BY id FOR UPDATE SKIP LOCKED
    ))
"""  # noqa: S608 (our own words)


def go_on(session: Session, method: PaymentMethod, *, within: timedelta) -> None:
    """Make due what waits since its last try at a provider failed: not all at once, but spread over `within`."""
    queues = [provider_queue(method), push_queue(method)]
    rows_within(session, _GO_ON, {"queues": queues, "spread": within})


def bringing_forward(kind: Kind, subjects: str) -> str:
    """Return the statement, for `rows_within`, that makes the work about these subjects, a query of ours, due now.

    What has begun looks for itself.
    """
    return _BRING_FORWARD.format(f"kind = '{kind}' AND subject IN ({subjects})")


_BRING_FORWARD_APART = """
    UPDATE jobs SET due_at = least(jobs.due_at, now() + numbered.place * %(apart)s)
    FROM (
        SELECT free.id, row_number() OVER (ORDER BY free.due_at, free.id) - 1 AS place
        FROM jobs AS free WHERE free.id = {}
    ) AS numbered
    WHERE jobs.id = numbered.id
"""


def bringing_forward_apart(kind: Kind, subjects: str) -> str:
    """Return what `bringing_forward` does, but one job is due `apart` after the other, in the order they were due."""
    return _BRING_FORWARD_APART.format(_FREE.format(_about(kind, subjects)))


def withdrawing(kind: Kind, subjects: str) -> str:
    """Return the statement, for `rows_within`, that closes the work about these subjects, a query of ours.

    What has begun looks for itself.
    """
    return _WITHDRAW.format(_FREE.format(_about(kind, subjects)))


def _about(kind: Kind, subjects: str) -> str:
    # By the key of what is open, which is an index: the kind alone may be a million rows.
    return f"dedupe_key = ANY (ARRAY (SELECT '{kind}:' || about.id FROM ({subjects}) AS about))"  # noqa: S608 (our own words)


# By the indexes of what is unleased and of what is leased: of what is ready, a million may be polls of next week. The
# first of them in the order of an index, or PostgreSQL might look for any one from the table's beginning.
_OPEN = text("""
    SELECT EXISTS (
        (
            SELECT FROM jobs WHERE state = 'ready' AND leased_until IS NULL AND queue = :queue AND kind = :kind
            ORDER BY queue, kind, due_at LIMIT 1
        )
        UNION ALL
        SELECT FROM jobs WHERE state = 'ready' AND leased_until IS NOT NULL AND queue = :queue AND kind = :kind
    )
""")


def is_open(session: Session, kind: Kind) -> bool:
    """Whether there is work of a kind whose queue is always the same, to be done or under way."""
    found: bool = session.execute(_OPEN, {"queue": _queue(kind, None), "kind": kind.value}).scalar_one()
    return found


def withdraw(session: Session, kind: Kind, subject: str) -> None:
    """Close work that is no longer wanted and has not begun; what runs already finds that out by itself."""
    defer(session, _withdraw_all, _dedupe_key(kind, subject))


def _withdraw_all(session: Session, keys: Sequence[str]) -> None:
    rows_within(session, _WITHDRAW_BY_KEYS, {"keys": list(keys)})


def _queue(kind: Kind, method: PaymentMethod | None) -> str:
    queue = kind.policy.queue
    if isinstance(queue, Queue):
        return queue
    assert method is not None, f"{kind} needs a payment method"
    return queue(method)


def _dedupe_key(kind: Kind, subject: str) -> str:
    return f"{kind}:{subject}"
