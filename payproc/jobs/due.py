"""What is due: found and leased by one statement, which reads nothing else, however much lies ahead."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, Integer, Interval, Row, String, Uuid, bindparam, func, select, text
from sqlalchemy.orm import Session

from payproc.database.engine import Database
from payproc.database.models import Job, JobState
from payproc.jobs.kinds import Kind, Turn

# A kind that this release does not know waits for one that does: during a roll-back there are such rows.
_KINDS = {turn: [kind.value for kind in Kind if kind.policy.turn is turn] for turn in Turn}
_A_MESSAGE = max(kind.policy.batch for kind in Kind if kind.policy.turn is Turn.LATER)
# A queue in which so many are dispatched and not begun gets no more, and how many are sent for at once. So a payment
# that starts finds three messages before it, at most, of what nobody waits for; and however much starts, those have
# their share.
_ENOUGH = {Turn.FIRST: 1000, Turn.LATER: _A_MESSAGE}
_MOST_LATER_AT_ONCE = 2 * _A_MESSAGE
# Whose jobs share what a message costs. While a message of theirs that was sent just now is not begun its worker is
# busy: another would not be begun sooner, and would hold few. One that was lost keeps nobody waiting for long.
_SHARING = [kind for kind in Kind if kind.policy.turn is Turn.FIRST and kind.policy.batch > 1]
JUST_NOW = timedelta(milliseconds=200)
# While the server was away no worker could renew a lease. Each notices within a second that it is back, and has this
# long for what it had begun before.
_TIME_TO_RENEW = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """A due job as the relay sends it."""

    job_id: str
    kind: Kind
    queue: str
    subject: str
    token: UUID
    until: datetime  # by the database's clock; then its message is stale
    crashes: int


# From top to bottom: all that is leased, and how much of it waits in each queue; the queues that get no more; those
# queues and kinds of which something waits unleased, by a jump along the index from one to the next; of each the oldest
# that are due, unless its queue has enough; what was given up; of all these the oldest. Rows that wait for a full queue
# are not read, nor what is due tomorrow: a look at them, forty times a second, would take more than a core.
#
# What is dispatched and not begun is nobody's as soon as its lease is over.
_DISPATCH = text("""
WITH RECURSIVE leased AS MATERIALIZED (
    SELECT id, queue, kind, leased_until, started_at FROM jobs WHERE state = 'ready' AND leased_until IS NOT NULL
), waiting AS MATERIALIZED (
    SELECT queue, kind = ANY (:later) AS is_later, count(*) AS jobs, max(leased_until) AS last_until
    FROM leased WHERE leased_until >= now() AND started_at IS NULL
    GROUP BY 1, 2
), held AS MATERIALIZED (
    SELECT queue, is_later FROM waiting WHERE jobs >= CASE WHEN is_later THEN :enough_later ELSE :enough_first END
    UNION ALL
    SELECT queue, is_later FROM unnest(:queues, :lengths) AS list (queue, length), unnest('{t,f}'::bool[]) AS is_later
    WHERE length > coalesce((SELECT sum(jobs) FROM waiting WHERE waiting.queue = list.queue), 0)
    UNION ALL
    SELECT waiting.queue, false
    FROM waiting JOIN unnest(:sharing_queues, :sharing_kinds, :batches) AS sharing (queue, kind, batch)
        ON sharing.queue = waiting.queue
    WHERE NOT is_later AND last_until > now() + :lease - :just_now AND batch > (
        SELECT count(*) FROM (
            SELECT FROM jobs
            WHERE state = 'ready' AND leased_until IS NULL AND due_at <= now()
                AND jobs.queue = sharing.queue AND jobs.kind = sharing.kind
            LIMIT sharing.batch
        ) AS due
    )
), sorts AS (
    (
        SELECT queue, kind, due_at FROM jobs WHERE state = 'ready' AND leased_until IS NULL
        ORDER BY queue, kind, due_at LIMIT 1
    )
    UNION ALL
    SELECT next.* FROM sorts CROSS JOIN LATERAL (
        SELECT queue, kind, due_at FROM jobs
        WHERE state = 'ready' AND leased_until IS NULL AND (queue, kind) > (sorts.queue, sorts.kind)
        ORDER BY queue, kind, due_at LIMIT 1
    ) AS next
), wanted AS MATERIALIZED (
    SELECT queue, kind, kind = ANY (:later) AS is_later FROM sorts
    WHERE due_at <= now() AND kind = ANY (:known) AND (queue, kind = ANY (:later)) NOT IN (SELECT * FROM held)
), given_up AS MATERIALIZED (
    SELECT id FROM leased
    WHERE leased_until < now() AND kind = ANY (:known) AND (queue, kind = ANY (:later)) NOT IN (SELECT * FROM held)
), found AS (
    SELECT oldest.*, is_later FROM wanted CROSS JOIN LATERAL (
        SELECT id, due_at FROM jobs
        WHERE state = 'ready' AND leased_until IS NULL AND due_at <= now()
            AND jobs.queue = wanted.queue AND jobs.kind = wanted.kind
        ORDER BY due_at LIMIT CASE WHEN is_later THEN :most_later ELSE :most_first END
        FOR UPDATE SKIP LOCKED
    ) AS oldest
    UNION ALL
    SELECT * FROM (
        SELECT id, due_at, kind = ANY (:later) AS is_later FROM jobs
        WHERE id = ANY (ARRAY (SELECT id FROM given_up))
            AND state = 'ready' AND leased_until < now() AND due_at <= now()
            AND (started_at IS NULL OR started_at > pg_postmaster_start_time()
                OR pg_postmaster_start_time() < now() - :time_to_renew)
        ORDER BY due_at FOR UPDATE SKIP LOCKED
    ) AS oldest
), numbered AS (
    SELECT id, is_later, row_number() OVER (PARTITION BY is_later ORDER BY due_at) AS place FROM found
)
UPDATE jobs SET leased_until = now() + :lease, lease_token = :token
WHERE id = ANY (ARRAY (
    SELECT id FROM numbered WHERE place <= CASE WHEN is_later THEN :most_later ELSE :most_first END
))
RETURNING id, kind, queue, subject, lease_token, leased_until, strikes AS crashes
""").bindparams(
    bindparam("known", [kind.value for kind in Kind], ARRAY(String)),
    bindparam("later", _KINDS[Turn.LATER], ARRAY(String)),
    bindparam("sharing_queues", [kind.policy.queue for kind in _SHARING], ARRAY(String)),
    bindparam("sharing_kinds", [kind.value for kind in _SHARING], ARRAY(String)),
    bindparam("batches", [kind.policy.batch for kind in _SHARING], ARRAY(Integer)),
    bindparam("just_now", JUST_NOW, Interval),
    bindparam("enough_first", _ENOUGH[Turn.FIRST]),
    bindparam("enough_later", _ENOUGH[Turn.LATER]),
    bindparam("most_later", type_=Integer),
    bindparam("most_first", type_=Integer),
    bindparam("queues", type_=ARRAY(String)),
    bindparam("lengths", type_=ARRAY(Integer)),
    bindparam("time_to_renew", _TIME_TO_RENEW, Interval),
    bindparam("lease", type_=Interval),
    bindparam("token", type_=Uuid),
)

# What was staged moments ago, in a queue that is not known to have enough. Whatever else comes due finds the relay's
# next pass, a quarter of a second later at most; so this may be narrow, and touches nothing that was done before.
_FRESH = f"""
SELECT queue FROM jobs
WHERE state = 'ready' AND due_at > now() - interval '1 second' AND due_at <= now() AND leased_until IS NULL
    AND kind IN ({", ".join(f"'{kind}'" for kind in _KINDS[Turn.FIRST])}) AND NOT queue = ANY (%s::text[])
LIMIT 1
"""  # noqa: S608 (our own words)
# What a message is made of.
_SENT: tuple[Any, ...] = (Job.id, Job.kind, Job.queue, Job.subject, Job.lease_token, Job.leased_until, Job.crashes)


@contextmanager
def looking(database: Database) -> Iterator[Callable[[Collection[str]], str | None]]:
    """Give a look that costs next to nothing, for a moment of many looks.

    It returns a queue, but none of those it is told, for which work has just come due that somebody waits for. It holds
    a connection meanwhile. Raises one of PASSING_TROUBLE.
    """
    with database.asking(_FRESH) as ask:
        yield lambda held: ask(f"{{{','.join(held)}}}")


def dispatch(
    session: Session,
    *,
    limit: int,
    lease: timedelta,
    token: UUID | None = None,
    messages: Mapping[str, int] | None = None,
) -> list[Dispatched]:
    """Lease due jobs for sending, oldest first and up to `limit` of each turn. Two relays never get the same one.

    `token` names what was leased here, for `recall`; a new one unless given. `messages` says how many wait in each
    queue at the broker: where they are more than what is leased, some are stale, nobody takes them, and none is added.
    """
    told = messages or {}
    rows = session.execute(
        _DISPATCH,
        {
            "most_first": limit,
            "most_later": min(limit, _MOST_LATER_AT_ONCE),
            "lease": lease,
            "token": token or uuid4(),
            "queues": list(told),
            "lengths": list(told.values()),
        },
    )
    # PostgreSQL returns them in the order of its pages; their ids are in that of their making. The share of what nobody
    # waits for is sent first, or much that starts would make it stale in the list.
    found = (_dispatched(row) for row in rows)
    return sorted(found, key=lambda each: (each.kind.policy.turn is Turn.FIRST, each.job_id))


def recall(session: Session, token: UUID) -> list[Dispatched]:
    """Return what was leased under this token and has not begun: its commit may have gone unheard, or its message."""
    leased = select(*_SENT).where(Job.state == JobState.READY, Job.leased_until >= func.now(), Job.lease_token == token)
    return [_dispatched(row) for row in session.execute(leased.where(Job.started_at.is_(None)))]


def _dispatched(row: Row[*tuple[Any, ...]]) -> Dispatched:
    return Dispatched(
        job_id=row.id,
        kind=Kind(row.kind),
        queue=row.queue,
        subject=row.subject,
        token=row.lease_token,
        until=row.leased_until.astimezone(UTC),
        crashes=row.crashes,
    )
