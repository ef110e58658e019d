"""The sweep, both ways: what the provider lists against our rows, and our rows that it did not list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from payproc.database.models import Dispute, FindingKind, Payment, ReconciliationRun, Refund, SeenKind
from payproc.domain.provenance import Provenance, Source
from payproc.domain.settlement import RemoteDispute, RemoteRefund
from payproc.providers.listing import Page, RemotePayment, Unreadable
from payproc.reconcile import findings
from payproc.reconcile.classification import Contradiction
from payproc.reconcile.objects import pages
from payproc.reconcile.objects.pages import LocalMatches, NoAnswer
from payproc.reconcile.runs import Batch, Step, Steps, Work
from payproc.records import payments

Row = TypeVar("Row", bound=Payment | Refund | Dispute)
Remote = TypeVar("Remote", bound=RemotePayment | RemoteRefund | RemoteDispute)

# A page of ours may need a call for each: few enough that a slice of work stays far below its lease.
_AT_ONCE = 20


@dataclass(frozen=True, kw_only=True)
class Fetched(Generic[Row, Remote]):
    """A row of ours that no list named, and what asking about it by itself brought."""

    row: Row
    answer: Remote | NoAnswer


@dataclass(frozen=True, kw_only=True)
class Sweep(Generic[Row, Remote]):
    """What payments, refunds and disputes each have of their own in it; the rest is the same for all."""

    noun: str
    model: type[Row]
    # What one of theirs is that we have no row of, though it is of a payment of ours.
    unknown: FindingKind
    list_page: Callable[[Work, str | None], Page[Remote]]
    is_readable: Callable[[Remote], bool]
    # Whether it is a concern of ours where we have no row of it.
    is_concern: Callable[[Remote], bool] = lambda _: True
    # Our rows of a page, by the provider's ids.
    find_ours: Callable[[Session, ReconciliationRun, Sequence[Remote], LocalMatches], Mapping[str, Row]]
    # Which of ours are asked about where no list named them; the last is those made within the window.
    is_due: Callable[[Work, ColumnElement[bool]], ColumnElement[bool]]
    their_id: Callable[[Work, Row], str | None]
    ask: Callable[[Work, Row], Remote | NoAnswer]
    compare: Callable[[Row, Remote], Contradiction | None]
    # What both agree on may still teach us something.
    learn: Callable[[Session, Row, Remote], None] = lambda *_: None
    apply: Callable[[Session, Work, Payment, Remote, Provenance], Row | None]
    # The payment that one of theirs was here before it was forgotten, where it may be written down again.
    lost: Callable[[Session, Work, Remote], Payment | None] = lambda *_: None
    clock: Callable[[], pages.PageClock] = pages.PageClock

    def steps(self) -> Steps:
        """Go through what they list, and then through what is left of ours."""
        return (
            Step(name=f"{self.noun}s", fetch=self._fetch_listed, settle=self._settle_listed),
            Step(name=f"our {self.noun}s", fetch=self._fetch_ours, settle=self._settle_ours),
        )

    def _fetch_listed(self, work: Work, cursor: str | None) -> Batch[Remote]:
        return pages.page_of(work, lambda: self.list_page(work, cursor))

    def _settle_listed(self, session: Session, work: Work, run: ReconciliationRun, batch: Batch[Remote]) -> None:
        unreadable = (_unreadable(each) for each in batch.items if not self.is_readable(each))
        pages.report_unreadable(session, run, [*batch.unreadable, *unreadable])
        readable = [each for each in batch.items if self.is_readable(each)]
        matches = LocalMatches(session, run, readable)
        ours = self.find_ours(session, run, readable, matches)
        findings.note_rows(session, run, {row.id for row in ours.values()})
        about = {each.provider_id: _payment_id(ours.get(each.provider_id) or matches.of(each)) for each in readable}
        pages.lock(session, run, about.values())
        # In the payments' order as well, and then in theirs: what is found is written in one order, whoever finds it.
        for remote in sorted(readable, key=lambda each: (about[each.provider_id], each.provider_id)):
            row = ours.get(remote.provider_id)
            if row is None:
                self._report_unknown(session, work, run, matches.of(remote), remote)
            else:
                self._settle_pair(session, work, run, row, remote)

    def _report_unknown(
        self, session: Session, work: Work, run: ReconciliationRun, payment: Payment | None, remote: Remote
    ) -> None:
        if not self.is_concern(remote):
            return
        money = remote.outcome.money if isinstance(remote, RemotePayment) else remote.money
        of = f" of {payment.id}" if payment else ""
        theirs, at = remote.provider_id, remote.created_at or run.window_begin
        detail = f"{run.provider} has {self.noun} {theirs}{of} over {money}, and we have no such."
        kind = self.unknown if payment else FindingKind.MISSING_LOCAL
        mend: Callable[[], object] | None = None
        if payment:
            mend = partial(self._mend, session, work, run, payment, remote)
        elif lost := self.lost(session, work, remote):
            mend = partial(self._remake, session, work, run, lost, remote)
        findings.tell(session, run, kind, payment, theirs=theirs, at=at, detail=detail, repair=mend)

    def _settle_pair(self, session: Session, work: Work, run: ReconciliationRun, row: Row, remote: Remote) -> None:
        found = self.compare(row, remote)
        if found is None:
            if not run.dry_run:
                self.learn(session, row, remote)
            return
        theirs, at = remote.provider_id, remote.created_at or row.created_at
        detail = f"{_named(row)} ({theirs}): {found.sentence}."
        payment = session.get_one(Payment, findings.payment_id_of(row))
        mend = partial(self._mend, session, work, run, payment, remote) if found.follows else None
        findings.tell(session, run, found.kind, row, theirs=theirs, at=at, detail=detail, repair=mend)

    def _remake(self, session: Session, work: Work, run: ReconciliationRun, lost: Payment, remote: Remote) -> None:
        payments.add_again(session, lost, provenance=Provenance(source=Source.RECONCILE, evidence=run.id))
        self._mend(session, work, run, lost, remote)

    def _mend(self, session: Session, work: Work, run: ReconciliationRun, payment: Payment, remote: Remote) -> None:
        recorded = self.apply(session, work, payment, remote, Provenance(source=Source.RECONCILE, evidence=run.id))
        if recorded is not None:
            # Just imported, it need not be asked for by itself.
            findings.note_rows(session, run, [recorded.id])

    def _fetch_ours(self, work: Work, cursor: str | None) -> Batch[Fetched[Row, Remote]]:
        within = (self.model.created_at >= work.window.begin) & (self.model.created_at < work.window.end)
        due = self.is_due(work, within) & ~findings.is_seen(work.run_id, SeenKind.ROW, ours=self.model.id)
        batch = pages.next_of_ours(work, self.model, due, cursor, limit=_AT_ONCE)
        clock = self.clock()
        fetched: list[Fetched[Row, Remote]] = []
        for row in batch.items:
            if fetched and clock.is_over:
                return Batch(items=fetched, cursor=fetched[-1].row.id)
            fetched.append(self._fetched(work, row))
        return Batch(items=fetched, cursor=batch.cursor)

    def _fetched(self, work: Work, row: Row) -> Fetched[Row, Remote]:
        answer = self.ask(work, row)
        if not isinstance(answer, NoAnswer) and not self.is_readable(answer):
            return Fetched(row=row, answer=NoAnswer.UNREADABLE)
        return Fetched(row=row, answer=answer)

    def _settle_ours(
        self, session: Session, work: Work, run: ReconciliationRun, batch: Batch[Fetched[Row, Remote]]
    ) -> None:
        pages.lock(session, run, (_payment_id(each.row) for each in batch.items))
        for fetched in sorted(batch.items, key=lambda each: (_payment_id(each.row), each.row.id)):
            row, answer = fetched.row, fetched.answer
            if not isinstance(answer, NoAnswer):
                self._settle_pair(session, work, run, row, answer)
            elif answer is NoAnswer.UNREADABLE:
                theirs = Unreadable(name=self.their_id(work, row) or "", created_at=row.created_at)
                pages.report_unreadable(session, run, [theirs])
            elif answer is NoAnswer.ABSENT:
                self._report_missing(session, work, run, row)

    def _report_missing(self, session: Session, work: Work, run: ReconciliationRun, row: Row) -> None:
        theirs = self.their_id(work, row)
        what = f"has no {theirs}" if theirs else "never told us an id of it"
        detail = f"{_named(row)} is {row.status} here, and {run.provider} {what}."
        kind = FindingKind.MISSING_REMOTE
        findings.tell(session, run, kind, row, theirs=theirs or "", at=row.created_at, detail=detail)


def _payment_id(row: Payment | Refund | Dispute | None) -> str:
    return findings.payment_id_of(row) if row is not None else ""


def _unreadable(remote: RemotePayment | RemoteRefund | RemoteDispute) -> Unreadable:
    return Unreadable(name=remote.provider_id, created_at=remote.created_at)


def _named(row: Payment | Refund | Dispute) -> str:
    return row.id if isinstance(row, Payment) else f"{row.id} of {row.payment_id}"
