"""Keep what providers tell us: verify, store once, answer. What it says is read later, by `apply`."""

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import PASSING_TROUBLE
from payproc.database.models import Notice as NoticeRow
from payproc.database.models import NoticeState
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import BadSignature, NoticeMalformed
from payproc.flows.inbox import hints
from payproc.flows.inbox.storing import NewNotice, store_notices
from payproc.providers.listing import RemoteEvent
from payproc.providers.notices import Hint, Ignored, Proven, RawNotice

# What helps to tell where a delivery came from; never cookies or authorization.
_KEPT_HEADERS = ("stripe-signature", "content-type", "user-agent")


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What became of a delivery.

    `notice_id` is None where nothing new was kept; `proven` where it was the provider's own. `answer` is what the
    provider wants to hear; None for our usual words.
    """

    notice_id: str | None
    proven: bool
    answer: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class _Brought:
    """A delivery that is the provider's own, as it is kept and as it was understood."""

    new: NewNotice
    notice: Proven | Ignored

    def accepted(self, stored: AbstractSet[str]) -> Accepted:
        return Accepted(
            notice_id=self.new.id if self.new.id in stored else None,
            proven=isinstance(self.notice, Proven),
            answer=self.notice.answer if isinstance(self.notice, Proven) else None,
        )


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
            brought = _brought(method, raw, notice, verified.redacted)
            return brought.accepted(store_notices(app.database, [brought.new]))
        case _:
            assert_never(verified.notice)


def accept_notices(
    app: Application, deliveries: Sequence[tuple[PaymentMethod, RawNotice]]
) -> Sequence[Accepted | Exception | None]:
    """Verify deliveries, and keep by one statement those that are the provider's own: at most MOST_AT_ONCE.

    Returns of each what `accept_notice` would return or raise; None where it has to be asked: of a hint, and of all
    that were to be kept where one of them cannot be.
    """
    verified = [_verified(app, method, raw) for method, raw in deliveries]
    brought = [each for each in verified if isinstance(each, _Brought)]
    try:
        stored = store_notices(app.database, [each.new for each in brought]) if brought else frozenset[str]()
    except PASSING_TROUBLE as trouble:
        # The server's doing: to ask it once for each would keep those waiting who come after them.
        return [trouble if isinstance(each, _Brought) else each for each in verified]
    except DBAPIError:
        return [None if isinstance(each, _Brought) else each for each in verified]
    return [each.accepted(stored) if isinstance(each, _Brought) else each for each in verified]


def _verified(app: Application, method: PaymentMethod, raw: RawNotice) -> _Brought | Exception | None:
    try:
        verified = app.provider(method).verify_notice(raw)
    except (BadSignature, NoticeMalformed) as refused:
        return refused
    if isinstance(verified.notice, Hint):
        return None
    return _brought(method, raw, verified.notice, verified.redacted)


def _brought(method: PaymentMethod, raw: RawNotice, notice: Proven | Ignored, body: bytes) -> _Brought:
    new = NewNotice(
        provider=method,
        key=notice.key,
        kind=notice.kind,
        body=body,
        headers=json.dumps({name: raw.headers[name] for name in _KEPT_HEADERS if name in raw.headers}),
        reason=notice.reason if isinstance(notice, Ignored) else None,
    )
    return _Brought(new=new, notice=notice)


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
