"""One page of a provider's list as a batch, and the rows of ours that it speaks of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Payment, ReconciliationRun
from payproc.domain.references import Reference, References
from payproc.errors import ProviderUnavailable
from payproc.providers.listing import Page
from payproc.reconcile import findings
from payproc.reconcile.findings import Difference
from payproc.reconcile.runs import Batch, Work

Item = TypeVar("Item")


def page_of(work: Work, ask: Callable[[], Page[Item]]) -> Batch[Item]:
    """Ask for one page, at the run's pace."""
    page = work.pace.ask(ask)
    return Batch(items=page.items, cursor=page.next_cursor, unreadable=page.unreadable)


@dataclass(frozen=True, kw_only=True)
class Shown(Generic[Item]):
    """What asking for one thing brought: None where the provider has no such. Or it has, in words we cannot read."""

    item: Item | None = None
    readable: bool = True


def shown(work: Work, ask: Callable[[], Item | None]) -> Shown[Item]:
    """Ask for one thing, at the run's pace.

    Raises ProviderUnavailable where there was no answer.
    """
    try:
        return Shown(item=work.pace.ask(ask))
    except ProviderUnavailable as trouble:
        # Asked again it would be the same: it must not hold up everything behind it.
        if trouble.code != "unreadable_answer":
            raise
        return Shown(readable=False)


def report_unreadable(session: Session, run: ReconciliationRun, names: Iterable[str]) -> None:
    """Write down what a page had in words that we cannot read."""
    for name in names:
        difference = Difference(
            kind=FindingKind.UNREADABLE,
            theirs=name,
            subject_at=run.window_begin,
            detail=f"{run.provider} has {name}, in words that this release cannot read: look at it in its dashboard.",
        )
        findings.record(session, run, difference)


class Twins:
    """Our payments that a page speaks of, fetched together: by the provider's ids, else by ours that it echoes."""

    def __init__(
        self, session: Session, run: ReconciliationRun, named: Sequence[tuple[References, str | None]]
    ) -> None:
        self._found = list(session.scalars(select(Payment).where(_mentioned(run, named))))
        self._by_id = {payment.id: payment for payment in self._found}
        self._by_reference = {
            (reference, value): payment
            for payment in self._found
            for reference in Reference
            if (value := getattr(payment, reference))
        }

    def of(self, references: References, payment_id: str | None) -> Payment | None:
        """Return the payment that these ids name."""
        for pair in references.items():
            if pair in self._by_reference:
                return self._by_reference[pair]
        return self._by_id.get(payment_id) if payment_id else None


def _mentioned(run: ReconciliationRun, named: Sequence[tuple[References, str | None]]) -> ColumnElement[bool]:
    ways: list[ColumnElement[bool]] = [Payment.id.in_({ours for _, ours in named if ours})]
    for reference in Reference:
        values = {references[reference] for references, _ in named if reference in references}
        if values:
            ways.append(getattr(Payment, reference).in_(values))
    return and_(Payment.payment_method == run.provider, or_(*ways))
