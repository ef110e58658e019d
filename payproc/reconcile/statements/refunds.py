"""A statement's refunds against ours. A wallet's refund has no name that we know, so a payment's are paired by amount.

All of a payment's are compared at once, in an order of their own: which line of a file came first decides nothing. A
gateway may give two of ours back in one movement, or one of ours in two: then their sums are what agrees.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import combinations
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, JournalKind, Payment, ReconciliationRun, Refund, SeenKey, SeenKind
from payproc.domain.settlement import RefundVerdict
from payproc.domain.states import REFUND_RESERVING, RefundStatus
from payproc.reconcile import findings
from payproc.reconcile.classification import known_refund
from payproc.reconcile.findings import Seen
from payproc.reconcile.runs import Batch, Work
from payproc.reconcile.statements.fields import LineType, StatementLine
from payproc.reconcile.statements.lines import settlement_line
from payproc.records.ledger import journal, matching
from payproc.records.ledger.matching import OwnJournal

_AT_ONCE = 50
# More of one payment are compared one by one: which of a thousand sums is meant, nobody could tell either.
_MOST_SUMMED = 8

Part = TypeVar("Part", StatementLine, Refund)


def seen_of(payment: Payment, line: StatementLine) -> Seen:
    """Return what a run remembers of a refund line: all of it, so that it is at hand when its payment's turn comes."""
    payload = asdict(line) | {"at": line.at.isoformat()}
    return Seen(kind=SeenKind.REFUND, ours=payment.id, theirs=line.id, payload=payload)


def _line_of(payload: Mapping[str, Any]) -> StatementLine:
    known = {"at": datetime.fromisoformat(payload["at"]), "type": LineType.REFUND, "moved": True}
    return StatementLine(**{**payload, **known})


def fetch(work: Work, cursor: str | None) -> Batch[str]:
    """Find the next payments that have a refund in the statement, or one of ours within its days."""
    told = _refund_lines(work.run_id).with_only_columns(SeenKey.ours.label("payment_id"))
    ours = (
        select(Refund.payment_id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            work.is_of_gateway,
            Refund.status == RefundStatus.SUCCEEDED,
            Refund.created_at >= work.window.begin,
            Refund.settled_at < work.window.end,
        )
    )
    either = told.union(ours).subquery()
    following = select(either.c.payment_id).where(either.c.payment_id > (cursor or "")).order_by(either.c.payment_id)
    with work.app.database.transaction() as session:
        rows = list(session.scalars(following.limit(_AT_ONCE)))
    return Batch(items=rows, cursor=rows[-1] if len(rows) == _AT_ONCE else None)


def _refund_lines(run_id: str) -> Select[SeenKey]:
    return select(SeenKey).where(SeenKey.run_id == run_id, SeenKey.kind == SeenKind.REFUND)


def settle(session: Session, _work: Work, run: ReconciliationRun, batch: Batch[str]) -> None:
    """Compare the refunds of some payments."""
    lines: dict[str, list[StatementLine]] = {}
    for seen in session.scalars(_refund_lines(run.id).where(SeenKey.ours.in_(batch.items))):
        lines.setdefault(seen.ours, []).append(_line_of(seen.payload or {}))
    for payment_id in batch.items:
        payment = session.get_one(Payment, payment_id)
        theirs = sorted(lines.get(payment_id, []), key=lambda line: line.id)
        _compare(session, run, _sides(session, run, payment, theirs))


def _sides(session: Session, run: ReconciliationRun, payment: Payment, lines: list[StatementLine]) -> "_Sides":
    """Set our refunds that this statement may speak of beside it: without those that earlier ones have spoken of."""
    held = select(Refund).where(Refund.payment_id == payment.id, Refund.status.in_(REFUND_RESERVING))
    # Those that succeeded first: between two of one amount it is the one to pair with.
    refunds = sorted(session.scalars(held), key=lambda each: (each.status is not RefundStatus.SUCCEEDED, each.id))
    booked = {own.key: own for own in matching.own_journals(session, [payment.id])}
    matches = matching.matches_of(session, run.provider, [line.id for line in lines])
    journals = {each.id: booked.get(f"{JournalKind.REFUND}:{each.id}") for each in refunds}
    ours = [each for each in refunds if _may_be_meant(journals[each.id], matches)]
    sizes = matching.lines_in(session, matches.values())
    return _Sides(payment=payment, lines=lines, refunds=ours, journals=journals, matches=matches, sizes=sizes)


def _may_be_meant(own: OwnJournal | None, matches: Mapping[str, str]) -> bool:
    return own is None or own.match is None or own.match in matches.values()


def _is_done(refund: Refund) -> bool:
    return refund.status is RefundStatus.SUCCEEDED


@dataclass(frozen=True, kw_only=True)
class _Same:
    """Lines and refunds that are one thing: nearly always one of each."""

    lines: Sequence[StatementLine]
    refunds: Sequence[Refund]


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """The refunds of one payment, there and here; what is found to be one thing leaves both lists."""

    payment: Payment
    lines: list[StatementLine]
    refunds: list[Refund]
    # What is booked of each refund, which lines have met what in earlier imports, and how many did so together.
    journals: Mapping[str, OwnJournal | None]
    matches: Mapping[str, str]
    sizes: Mapping[str, int]

    def met(self) -> Iterator[_Same]:
        """Take out what has met before."""
        for match in sorted(set(self.matches.values())):
            lines = [line for line in self.lines if self.matches.get(line.id) == match]
            refunds = [each for each in self.refunds if (own := self.journals[each.id]) and own.match == match]
            same = self._taken(lines, refunds)
            # Without the others of its match a line says nothing about the sum.
            yield same if len(lines) == self.sizes[match] else _Same(lines=lines, refunds=())

    def pairs(self, fit: Callable[[StatementLine, Refund], bool]) -> Iterator[_Same]:
        """Take out each line with the first refund that fits it."""
        for line in list(self.lines):
            refund = next((each for each in self.refunds if fit(line, each)), None)
            if refund is not None:
                yield self._taken([line], [refund])

    def sums(self) -> Iterator[_Same]:
        """Take out each line that is several refunds, and each refund that is several lines."""
        for line in list(self.lines):
            done = [each for each in self.refunds if _is_done(each)]
            if parts := _adding_up(done, line.gross, lambda refund: refund.amount_minor):
                yield self._taken([line], parts)
        for refund in [each for each in self.refunds if _is_done(each)]:
            if found := _adding_up(self.lines, refund.amount_minor, lambda line: line.gross):
                yield self._taken(found, [refund])

    def _taken(self, lines: Sequence[StatementLine], refunds: Sequence[Refund]) -> _Same:
        for line in lines:
            self.lines.remove(line)
        for refund in refunds:
            self.refunds.remove(refund)
        return _Same(lines=lines, refunds=refunds)

    def unmet(self, refunds: Sequence[Refund]) -> list[OwnJournal]:
        """Return what is booked of refunds, and no line has met yet."""
        booked = (self.journals[each.id] for each in refunds)
        return [own for own in booked if own is not None and own.match is None]


def _adding_up(parts: Sequence[Part], total: int, amount: Callable[[Part], int]) -> Sequence[Part]:
    """Find several parts whose amounts add up to a total; none where there are too many to tell."""
    if len(parts) > _MOST_SUMMED:
        return ()
    several = (each for size in range(2, len(parts) + 1) for each in combinations(parts, size))
    return next((each for each in several if sum(map(amount, each)) == total), ())


def _compare(session: Session, run: ReconciliationRun, sides: _Sides) -> None:
    same = [
        *sides.met(),
        *sides.pairs(lambda line, refund: refund.provider_refund_id == line.transaction_id),
        *sides.pairs(lambda line, refund: refund.amount_minor == line.gross),
        *sides.sums(),
        # What is left on both sides is one thing told in two amounts.
        *sides.pairs(lambda _, refund: _is_done(refund) and _is_within(run, refund)),
    ]
    for each in same:
        _settle_same(session, run, sides, each)
    for line in sides.lines:
        payment, given = sides.payment, f"{run.provider} gave {line.money} of it back"
        detail = f"{payment.id} ({line.transaction_id}): {given}, and we have no refund of that."
        kind = FindingKind.REFUND_MISSING_LOCAL
        findings.tell(session, run, kind, payment, theirs=line.id, at=line.at, detail=detail)
    # Once a person has written it down here, the same file books it.
    if sides.lines:
        findings.count(run, "lines", "waiting", by=len(sides.lines))
    for refund in sides.refunds:
        if _is_done(refund) and _is_within(run, refund):
            _report_missing(session, run, refund)


def _is_within(run: ReconciliationRun, refund: Refund) -> bool:
    return (
        refund.created_at >= run.window_begin and refund.settled_at is not None and refund.settled_at < run.window_end
    )


def _settle_same(session: Session, run: ReconciliationRun, sides: _Sides, same: _Same) -> None:
    if len(same.lines) == 1 and len(same.refunds) == 1:
        _compare_pair(session, run, same.lines[0], same.refunds[0])
    if not all(map(_is_done, same.refunds)):
        findings.count(run, "lines", "waiting", by=len(same.lines))
    elif not run.dry_run:
        lines, answers = [settlement_line(line) for line in same.lines], sides.unmet(same.refunds)
        done = journal.record_lines(session, run.provider, lines, answers=answers, payment_id=sides.payment.id)
        findings.count(run, "lines", done, by=len(lines))


def _compare_pair(session: Session, run: ReconciliationRun, line: StatementLine, refund: Refund) -> None:
    found = known_refund(refund, line.money, RefundVerdict.SUCCEEDED)
    if found is not None:
        detail = f"{refund.id} of {refund.payment_id} ({line.transaction_id}): {found.sentence}."
        findings.tell(session, run, found.kind, refund, theirs=line.id, at=line.at, detail=detail)


def _report_missing(session: Session, run: ReconciliationRun, refund: Refund) -> None:
    detail = (
        f"{refund.id} of {refund.payment_id} succeeded here, and the statement of {run.provider} over its day "
        "has no such refund."
    )
    at = refund.settled_at or refund.created_at
    findings.tell(session, run, FindingKind.MISSING_REMOTE, refund, at=at, detail=detail)
