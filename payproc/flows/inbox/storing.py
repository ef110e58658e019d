"""The one statement that keeps notices, and with each the job that will apply it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from payproc.database.engine import Database
from payproc.domain.ids import Prefix, new_id
from payproc.domain.payment_methods import PaymentMethod

# A text is prepared by every connection for each number of notices; more than these seldom come at once.
MOST_AT_ONCE = 32

# One statement is atomic by itself: notices and jobs in one round trip, without BEGIN and COMMIT. This is the hot path
# (docs/performance.md has the figures). A job is called as its notice is.
_STORE = """
WITH stored AS (
    INSERT INTO notices (id, provider, key, kind, body, headers, state, reason, settled_at)
    SELECT id, provider, key, kind, body, headers,
           CASE WHEN reason IS NULL THEN 'new' ELSE 'ignored' END, reason, CASE WHEN reason IS NOT NULL THEN now() END
    FROM (VALUES {rows}) AS brought (id, provider, key, kind, body, headers, reason)
    ON CONFLICT (provider, key) DO NOTHING
    RETURNING id, reason
), staged AS (
    INSERT INTO jobs (id, kind, queue, subject, dedupe_key)
    SELECT 'job_' || split_part(id, '_', 2), 'notice.apply', 'notices', id, 'notice.apply:' || id
    FROM stored WHERE reason IS NULL
)
SELECT id FROM stored
"""
_ROW = "(%s, %s, %s, %s, %s, %s::jsonb, %s)"


@dataclass(frozen=True, kw_only=True)
class NewNotice:
    """A notice that is to be kept; `headers` are JSON, and one with a `reason` is ignored for it."""

    provider: PaymentMethod
    key: str
    kind: str
    body: bytes = field(repr=False)
    headers: str
    reason: str | None
    id: str = field(default_factory=lambda: new_id(Prefix.NOTICE))


def store_notices(database: Database, brought: Sequence[NewNotice]) -> frozenset[str]:
    """Keep notices of which nothing is kept yet, all or none of them, and return the ids of those that were new.

    Raises one of PASSING_TROUBLE, or another DBAPIError where one of them cannot be kept.
    """
    # In one order: two processes that are told the same things would wait for each other.
    in_order = sorted(brought, key=lambda notice: (notice.provider, notice.key))
    values = [value for notice in in_order for value in _row(notice)]
    return frozenset(notice_id for (notice_id,) in database.rows(_statement(len(brought)), values))


@cache
def _statement(count: int) -> str:
    return _STORE.format(rows=", ".join([_ROW] * count))


def _row(notice: NewNotice) -> tuple[object, ...]:
    return notice.id, notice.provider, notice.key, notice.kind, notice.body, notice.headers, notice.reason
