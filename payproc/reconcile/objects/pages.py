"""One page of a provider's list as a batch, and the rows of ours that it speaks of."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from payproc.database.held import hold_all
from payproc.database.models import Dispute, FindingKind, Payment, ReconciliationRun, Refund
from payproc.domain.references import Reference
from payproc.domain.settlement import RemoteDispute, RemoteRefund
from payproc.errors import UnreadableAnswer
from payproc.providers.listing import Page, RemotePayment, Unreadable
from payproc.reconcile import findings
from payproc.reconcile.runs import Batch, Work

# The end of a window is not in it.
_LAST_MOMENT = timedelta(seconds=1)
_PAGE_SECONDS = 8

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Payment | Refund | Dispute)
Remote = TypeVar("Remote", bound=RemotePayment | RemoteRefund | RemoteDispute)


def page_of(work: Work, ask: Callable[[], Page[Item]]) -> Batch[Item]:
    """Ask for one page, within the run's rate limit."""
    page = work.rate_limit.ask(ask)
    return Batch(items=page.items, cursor=page.next_cursor, unreadable=page.unreadable)


class PageClock:
    """How long a page has worked: whoever asks about many things one by one ends it after the answer that passes this.

    With one time-out (22 s) behind it and a slice's 15 s before it, the longest page stays below a task's limit (50 s).
    """

    def __init__(self, *, seconds: float = _PAGE_SECONDS) -> None:
        self._ends = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the page should end here, and keep what it has."""
        return time.monotonic() > self._ends


class NoAnswer(Enum):
    """Why asking about one thing brought none."""

    ABSENT = auto()  # the provider has no such
    UNREADABLE = auto()  # it has, in words that we cannot read
    SILENT = auto()  # there is nothing to ask yet


def shown(work: Work, ask: Callable[[], Item | None]) -> Item | NoAnswer:
    """Ask for one thing, within the run's rate limit. Raises ProviderUnavailable where there was no answer."""
    try:
        return work.rate_limit.ask(ask) or NoAnswer.ABSENT
    except UnreadableAnswer:
        # Asked again it would be the same: it must not hold up everything behind it.
        return NoAnswer.UNREADABLE


def next_of_ours(
    work: Work, model: type[Row], wanted: ColumnElement[bool], cursor: str | None, *, limit: int
) -> Batch[Row]:
    """Take the next of our rows, in the order of their ids."""
    query = select(model).where(wanted, model.id > (cursor or "")).order_by(model.id).limit(limit)
    with work.app.database.transaction() as session:
        rows = list(session.scalars(query))
    return Batch(items=rows, cursor=rows[-1].id if len(rows) == limit else None)


def lock(session: Session, run: ReconciliationRun, payment_ids: Iterable[str]) -> None:
    """Lock all payments that a page may move, and their orders, before any of them is moved.

    Two runs, a run and a batch of notices, or a run and whoever pays an order twice, hold several. A dry run moves
    nothing.
    """
    if not run.dry_run:
        hold_all(session, ((Payment.id.key, payment_id) for payment_id in payment_ids))


def report_unreadable(session: Session, run: ReconciliationRun, unreadable: Iterable[Unreadable]) -> None:
    """Write down what a page had in words that we cannot read."""
    for each in unreadable:
        theirs, kind = each.name, FindingKind.UNREADABLE
        detail = f"{run.provider} has {theirs}, in words that this release cannot read: look at it in its dashboard."
        # A run closes what was made within its window: without a time, the last moment that later ones see longest.
        at = each.created_at or run.window_end - _LAST_MOMENT
        findings.tell(session, run, kind, None, theirs=theirs, at=at, detail=detail)


class LocalMatches:
    """Our payments that a page speaks of, fetched together: by the provider's ids, else by ours that it echoes."""

    def __init__(self, session: Session, run: ReconciliationRun, page: Sequence[Remote]) -> None:
        found = session.scalars(select(Payment).where(_mentioned(run, page))).all()
        self._by_id = {payment.id: payment for payment in found}
        self._by_reference = {
            (reference, value): payment
            for payment in found
            for reference in Reference
            if (value := getattr(payment, reference))
        }

    def of(self, remote: Remote) -> Payment | None:
        """Return the payment of ours that this is, or is of."""
        for pair in remote.references.items():
            if pair in self._by_reference:
                return self._by_reference[pair]
        return self._by_id.get(remote.payment_id) if remote.payment_id else None


def _mentioned(run: ReconciliationRun, page: Sequence[Remote]) -> ColumnElement[bool]:
    ways: list[ColumnElement[bool]] = [Payment.id.in_({each.payment_id for each in page if each.payment_id})]
    for reference in Reference:
        values = {each.references[reference] for each in page if reference in each.references}
        if values:
            ways.append(getattr(Payment, reference).in_(values))
    return and_(Payment.payment_method == run.provider, or_(*ways))
