"""What is due: found and leased by one statement, which reads nothing else, however much lies ahead."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from payproc.database.engine import Database
from payproc.jobs.kinds import Kind, Turn


def _quoted(kinds: Iterable[Kind]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)


# A kind that this release does not know waits for one that does: during a roll-back there are such rows.
_KNOWN = _quoted(Kind)
_FIRST, _LATER = (_quoted(kind for kind in Kind if kind.policy.turn is turn) for turn in (Turn.FIRST, Turn.LATER))
_A_MESSAGE = max(kind.policy.batch for kind in Kind if kind.policy.turn is Turn.LATER)
# A queue in which so many are dispatched and not begun gets no more, and how many are sent for at once. So a payment
# that starts finds three messages before it, at most, of what nobody waits for; and however much starts, those have
# their share.
_ENOUGH = {Turn.FIRST: 1000, Turn.LATER: _A_MESSAGE}
_MOST_LATER_AT_ONCE = 2 * _A_MESSAGE
# Whose jobs share what a message costs. While a message of theirs that was sent just now is not begun its worker is
# busy: another would not be begun sooner, and would hold few. One that was lost keeps nobody waiting for long.
_SHARING = [kind for kind in Kind if kind.policy.turn is Turn.FIRST and kind.policy.batch_handler]
_SHARES = ", ".join(f"('{kind.policy.queue}', '{kind}', {kind.policy.batch})" for kind in _SHARING)
_SHARED_QUEUES = ", ".join(f"'{kind.policy.queue}'" for kind in _SHARING)
# Where each job is a message, more than its workers begin within a dispatch's lease would come back as stale messages,
# over and over: with a thousand of them in the list of a worker that began five in a second, twelve of thirteen that it
# fetched were stale. A relay looks again sooner than so many are begun.
_ENOUGH_ALONE = 100
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


# What a message is made of.
_SENT = "id, kind, queue, subject, lease_token, leased_until, strikes"
# From top to bottom: all that is leased, and how much of it waits in each queue; the queues that get no more; those
# queues and kinds of which something waits unleased, by a jump along the index from one to the next; of each the oldest
# that are due, unless its queue has enough; what was given up; of all these the oldest. Rows that wait for a full queue
# are not read, nor what is due tomorrow: a look at them, forty times a second, would take more than a core. What looks
# like an order that nobody wants has each read by its index: of one queue among few PostgreSQL expects to find many
# rows wherever it begins, and reads the table until it has.
#
# What is dispatched and not begun is nobody's as soon as its lease is over.
_DISPATCH = f"""
WITH RECURSIVE leased AS MATERIALIZED (
    SELECT id, queue, kind, leased_until, started_at FROM jobs WHERE state = 'ready' AND leased_until IS NOT NULL
), waiting AS MATERIALIZED (
    SELECT queue, kind IN ({_LATER}) AS is_later, count(*) AS jobs, max(leased_until) AS last_until
    FROM leased WHERE leased_until >= now() AND started_at IS NULL
    GROUP BY 1, 2
), held AS MATERIALIZED (
    SELECT queue, is_later FROM waiting
    WHERE jobs >= CASE WHEN is_later THEN {_ENOUGH[Turn.LATER]}
        WHEN queue IN ({_SHARED_QUEUES}) THEN {_ENOUGH[Turn.FIRST]} ELSE {_ENOUGH_ALONE} END
    UNION ALL
    SELECT queue, is_later
    FROM unnest(%(queues)s::text[], %(lengths)s::int[]) AS list (queue, length), unnest('{{t,f}}'::bool[]) AS is_later
    WHERE length > coalesce((SELECT sum(jobs) FROM waiting WHERE waiting.queue = list.queue), 0)
    UNION ALL
    SELECT waiting.queue, false
    FROM waiting JOIN (VALUES {_SHARES}) AS sharing (queue, kind, batch) ON sharing.queue = waiting.queue
    WHERE NOT is_later AND last_until > now() + %(lease)s - interval '{JUST_NOW.total_seconds()} seconds' AND batch > (
        SELECT count(*) FROM (
            SELECT FROM jobs
            WHERE state = 'ready' AND leased_until IS NULL AND due_at <= now()
                AND jobs.queue = sharing.queue AND jobs.kind = sharing.kind
            ORDER BY due_at LIMIT sharing.batch
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
    SELECT queue, kind, kind IN ({_LATER}) AS is_later FROM sorts
    WHERE due_at <= now() AND kind IN ({_KNOWN}) AND (queue, kind IN ({_LATER})) NOT IN (SELECT * FROM held)
), given_up AS MATERIALIZED (
    SELECT id FROM leased
    WHERE leased_until < now() AND kind IN ({_KNOWN}) AND (queue, kind IN ({_LATER})) NOT IN (SELECT * FROM held)
), found AS (
    SELECT oldest.*, is_later FROM wanted CROSS JOIN LATERAL (
        SELECT id, due_at FROM jobs
        WHERE state = 'ready' AND leased_until IS NULL AND due_at <= now()
            AND jobs.queue = wanted.queue AND jobs.kind = wanted.kind
        ORDER BY due_at LIMIT CASE WHEN is_later THEN %(most_later)s
            WHEN wanted.queue IN ({_SHARED_QUEUES}) THEN %(most_first)s ELSE least(%(most_first)s, {_ENOUGH_ALONE}) END
        FOR UPDATE SKIP LOCKED
    ) AS oldest
    UNION ALL
    SELECT * FROM (
        SELECT id, due_at, kind IN ({_LATER}) AS is_later FROM jobs
        WHERE id = ANY (ARRAY (SELECT id FROM given_up))
            AND state = 'ready' AND leased_until < now() AND due_at <= now()
            AND (started_at IS NULL OR started_at > pg_postmaster_start_time()
                OR pg_postmaster_start_time() < now() - interval '{_TIME_TO_RENEW.total_seconds()} seconds')
        ORDER BY due_at FOR UPDATE SKIP LOCKED
    ) AS oldest
), numbered AS (
    SELECT id, is_later, row_number() OVER (PARTITION BY is_later ORDER BY due_at) AS place FROM found
)
UPDATE jobs SET leased_until = now() + %(lease)s, lease_token = %(token)s
WHERE id = ANY (ARRAY (
    SELECT id FROM numbered WHERE place <= CASE WHEN is_later THEN %(most_later)s ELSE %(most_first)s END
))
RETURNING {_SENT}
"""  # noqa: S608 (our own words)

# What was staged moments ago, in a queue that is not known to have enough. Whatever else comes due finds the relay's
# next pass, a quarter of a second later at most; so this may be narrow, and touches nothing that was done before.
_FRESH = f"""
SELECT queue FROM jobs
WHERE state = 'ready' AND due_at > now() - interval '1 second' AND due_at <= now() AND leased_until IS NULL
    AND kind IN ({_FIRST}) AND NOT queue = ANY (%s::text[])
LIMIT 1
"""  # noqa: S608 (our own words)
_RECALL = f"""
SELECT {_SENT} FROM jobs
WHERE state = 'ready' AND leased_until >= now() AND lease_token = %(token)s AND started_at IS NULL
"""  # noqa: S608 (our own words)


@contextmanager
def looking(database: Database) -> Iterator[Callable[[Collection[str]], str | None]]:
    """Give a look that costs next to nothing, for a moment of many looks.

    It returns a queue, but none of those it is told, for which work has just come due that somebody waits for. It holds
    a connection meanwhile. Raises one of PASSING_TROUBLE.
    """
    with database.asking(_FRESH) as ask:
        yield lambda held: ask(f"{{{','.join(held)}}}")


def dispatch(
    database: Database,
    *,
    limit: int,
    lease: timedelta,
    token: UUID | None = None,
    messages: Mapping[str, int] | None = None,
) -> list[Dispatched]:
    """Lease due jobs for sending, oldest first and up to `limit` of each turn. Two relays never get the same one.

    `token` names what was leased here, for `recall`; a new one unless given. `messages` says how many wait in each
    queue at the broker: where they are more than what is leased, some are stale, nobody takes them, and none is added.
    Raises one of PASSING_TROUBLE, and then some may be leased all the same.
    """
    told = messages or {}
    rows = database.rows_once(
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


def recall(database: Database, token: UUID) -> list[Dispatched]:
    """Return what was leased under this token and has not begun: its commit may have gone unheard, or its message."""
    return [_dispatched(row) for row in database.rows(_RECALL, {"token": token})]


def _dispatched(row: tuple[Any, ...]) -> Dispatched:
    job_id, kind, queue, subject, token, until, crashes = row
    return Dispatched(
        job_id=job_id,
        kind=Kind(kind),
        queue=queue,
        subject=subject,
        token=token,
        until=until.astimezone(UTC),
        crashes=crashes,
    )
