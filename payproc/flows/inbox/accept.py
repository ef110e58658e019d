"""Keep what providers tell us: verify, store once, answer. What it says is read later, by `apply`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Notice as NoticeRow
from payproc.database.models import NoticeState
from payproc.domain.ids import Prefix, new_id
from payproc.domain.payment_methods import PaymentMethod
from payproc.flows.inbox import hints
from payproc.providers.listing import RemoteEvent
from payproc.providers.notices import Hint, Ignored, Proven, RawNotice

# What helps to tell where a delivery came from; never cookies or authorization.
_KEPT_HEADERS = ("stripe-signature", "content-type", "user-agent")

# One statement is atomic by itself: notice and job in one round trip, without BEGIN and COMMIT. This is the hot path
# (docs/performance.md has the figures).
_STORE = """
WITH stored AS (
    INSERT INTO notices (id, provider, key, kind, body, headers, state, reason, settled_at)
    VALUES (%(id)s, %(provider)s, %(key)s, %(kind)s, %(body)s, %(headers)s::jsonb, %(state)s::text, %(reason)s::text,
            CASE WHEN %(state)s::text = 'ignored' THEN now() END)
    ON CONFLICT (provider, key) DO NOTHING
    RETURNING id
), staged AS (
    INSERT INTO jobs (id, kind, queue, subject, dedupe_key)
    SELECT %(job)s::text, 'notice.apply', 'notices', id, 'notice.apply:' || id
    FROM stored WHERE %(state)s::text <> 'ignored'
)
SELECT id FROM stored
"""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What became of a delivery.

    `notice_id` is None where nothing new was kept; `proven` where it was the provider's own. `answer` is what the
    provider wants to hear; None for our usual words.
    """

    notice_id: str | None
    proven: bool
    answer: Mapping[str, str] | None = None


def accept_notice(
    app: Application, method: PaymentMethod, raw: RawNotice, *, admits_hint: Callable[[], bool] = lambda: True
) -> Accepted:
    """Verify a delivery and keep it, with the job that will apply it; or take a hint, where the caller admits it.

    Raises BadSignature or NoticeMalformed, and then nothing is kept; a database error means the provider must
    deliver again.
    """
    verified = app.provider(method).verify_notice(raw)
    match verified.notice:
        case Hint() as hint:
            # Who sends too many is told the same as everybody, and nothing is looked up.
            if admits_hint():
                hints.take_hint(app, method, hint, body=verified.redacted, received_at=raw.received_at)
            return Accepted(notice_id=None, proven=False, answer=hint.answer)
        case Proven() | Ignored() as notice:
            parameters = _statement_parameters(method, raw, notice, verified.redacted)
            stored: str | None = app.database.single_statement(_STORE, parameters)
            if isinstance(notice, Ignored):
                return Accepted(notice_id=stored, proven=False)
            return Accepted(notice_id=stored, proven=True, answer=notice.answer)
        case _:
            assert_never(verified.notice)


def _statement_parameters(
    method: PaymentMethod, raw: RawNotice, notice: Proven | Ignored, body: bytes
) -> dict[str, Any]:
    reason = notice.reason if isinstance(notice, Ignored) else None
    return {
        "id": new_id(Prefix.NOTICE),
        "job": new_id(Prefix.JOB),
        "provider": method,
        "key": notice.key,
        "kind": notice.kind,
        "body": body,
        "headers": json.dumps({name: raw.headers[name] for name in _KEPT_HEADERS if name in raw.headers}),
        "state": (NoticeState.NEW if reason is None else NoticeState.IGNORED).value,
        "reason": reason,
    }


def keep_listed(app: Application, session: Session, method: PaymentMethod, event: RemoteEvent) -> bool:
    """Keep a notice that the provider's own list has, unless it has arrived; return whether it was kept here.

    It was fetched with our key over our own connection, so it needs no signature.
    """
    reading = app.provider(method).parse_stored(event.body)
    ignored = isinstance(reading, Ignored)
    kept = session.scalar(
        insert(NoticeRow)
        .values(
            provider=method,
            key=reading.key,
            kind=reading.kind,
            body=event.body,
            headers={"listed": "by the provider"},
            state=NoticeState.IGNORED if ignored else NoticeState.NEW,
            reason=reading.reason if isinstance(reading, Ignored) else None,
            settled_at=func.now() if ignored else None,
        )
        .on_conflict_do_nothing(index_elements=[NoticeRow.provider, NoticeRow.key])
        .returning(NoticeRow.id)
    )
    if kept is not None and not ignored:
        jobs.stage(session, jobs.Kind.APPLY_NOTICE, kept)
    return kept is not None


def unknown_keys(session: Session, method: PaymentMethod, keys: Sequence[str]) -> set[str]:
    """Return those of a provider's keys under which no notice has arrived."""
    known = select(NoticeRow.key).where(NoticeRow.provider == method, NoticeRow.key.in_(keys))
    return set(keys) - set(session.scalars(known))
