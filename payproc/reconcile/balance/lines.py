"""What each line of a provider's balance is about, and whether our books explain it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from payproc.database.models import (
    Dispute,
    FindingKind,
    Journal,
    JournalKind,
    Payment,
    ReconciliationRun,
    Refund,
    SeenKind,
)
from payproc.database.models import SettlementLine as KeptLine
from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.domain.states import REFUND_OPEN
from payproc.reconcile import findings
from payproc.reconcile.findings import Seen
from payproc.records.ledger import journal

# Whose a line is, the sweep may still find out: until then it is not booked against suspense.
_PATIENCE = timedelta(days=3)
# Both sides round once.
_ROUNDING_MINOR = 1


@dataclass(frozen=True, kw_only=True)
class MatchedLine:
    """A line and what our books moved for it. `waits`: its payment or refund has not come to its end here."""

    line: SettlementLine
    about: Payment | Refund | Dispute | None = None
    booked: Money | None = None
    waits: bool = False


class LedgerLookup:
    """Our rows behind one page of lines, fetched together."""

    def __init__(
        self, session: Session, run: ReconciliationRun, page: Sequence[SettlementLine], *, listed_by: Reference
    ) -> None:
        sources = {line.source for line in page if line.source}
        column = getattr(Payment, listed_by)
        of_provider = select(Payment).where(Payment.payment_method == run.provider)
        self._payments = {
            getattr(payment, listed_by): payment for payment in session.scalars(of_provider.where(column.in_(sources)))
        }
        found = session.scalars(select(Refund).where(Refund.provider_refund_id.in_(sources)))
        self._refunds = {refund.provider_refund_id: refund for refund in found}
        told = select(Dispute).where(Dispute.provider == run.provider, Dispute.provider_dispute_id.in_(sources))
        self._disputes = {dispute.provider_dispute_id: dispute for dispute in session.scalars(told)}
        kept = select(KeptLine.line_id).where(
            KeptLine.provider == run.provider,
            KeptLine.line_id.in_([line.id for line in page]),
            # One that was kept before its payout was named has that to learn.
            KeptLine.payout.is_not(None) | literal(all(line.payout is None for line in page)),
        )
        self.known = set(session.scalars(kept))
        self._booked = set(session.scalars(select(Journal.key).where(Journal.key.in_(self._keys()))))
        self._old = run.window_end - _PATIENCE

    def _keys(self) -> list[str]:
        kinds = (JournalKind.REFUND, JournalKind.REFUND_UNDONE)
        return [f"{kind}:{refund.id}" for refund in self._refunds.values() for kind in kinds]

    def match(self, line: SettlementLine) -> MatchedLine:
        """Say what a line is about."""
        match line.kind:
            case LineKind.CHARGE:
                return self._charge(line)
            case LineKind.REFUND:
                return self._refund(line, JournalKind.REFUND)
            case LineKind.REFUND_FAILURE:
                return self._refund(line, JournalKind.REFUND_UNDONE)
            case LineKind.DISPUTE:
                return MatchedLine(line=line, about=self._disputes.get(line.source or ""))
            case LineKind.FEE | LineKind.PAYOUT | LineKind.OTHER:
                return MatchedLine(line=line)

    def _charge(self, line: SettlementLine) -> MatchedLine:
        payment = self._payments.get(line.source)
        if payment is None:
            return MatchedLine(line=line, waits=self._is_young(line.created_at))
        return MatchedLine(line=line, about=payment, booked=payment.money, waits=payment.completed_at is None)

    def _refund(self, line: SettlementLine, booked_as: JournalKind) -> MatchedLine:
        refund = self._refunds.get(line.source)
        if refund is None:
            return MatchedLine(line=line, waits=self._is_young(line.created_at))
        is_booked = f"{booked_as}:{refund.id}" in self._booked
        booked = refund.money if is_booked else None
        waits = refund.status in REFUND_OPEN or (booked_as is JournalKind.REFUND_UNDONE and self._stands(refund))
        return MatchedLine(line=line, about=refund, booked=booked, waits=waits)

    def _stands(self, refund: Refund) -> bool:
        # The bank has sent it back, and we have not been told: booked now, it would be booked once more then.
        return f"{JournalKind.REFUND}:{refund.id}" in self._booked and (
            f"{JournalKind.REFUND_UNDONE}:{refund.id}" not in self._booked
        )

    def _is_young(self, moment: datetime) -> bool:
        return moment > self._old


def book_all(session: Session, run: ReconciliationRun, page: Sequence[SettlementLine], *, listed_by: Reference) -> None:
    """Book a page of lines, but for those that wait, and write down what our books cannot explain of them."""
    ledger = LedgerLookup(session, run, page, listed_by=listed_by)
    sources = {line.source for line in page if line.source}
    findings.note(session, run, [Seen(kind=SeenKind.SOURCE, theirs=source) for source in sources])
    done = Counter(_book(session, run, ledger.match(line), known=ledger.known) for line in page)
    for what, times in done.items():
        findings.count(run, "lines", what, by=times)


def _book(session: Session, run: ReconciliationRun, matched: MatchedLine, *, known: set[str]) -> str:
    line = matched.line
    if matched.waits:
        return "waiting"
    found = _unexplained(line, matched.booked)
    if found is not None:
        assert matched.about is not None, "what is booked is of a row"
        kind, sentence = found
        detail = f"Line {line.id} ({line.category}) of {matched.about.id}: {sentence}."
        findings.tell(session, run, kind, matched.about, theirs=line.id, at=line.created_at, detail=detail)
    if line.id in known:
        return "known"
    if run.dry_run:
        return "would be booked"
    payment_id = findings.payment_id_of(matched.about) if matched.about else None
    new = journal.record_line(session, run.provider, line, booked=matched.booked, payment_id=payment_id)
    return "booked" if new else "known"


def _unexplained(line: SettlementLine, booked: Money | None) -> tuple[FindingKind, str] | None:
    if booked is None:
        return None
    gross = Money.of(abs(line.gross), line.currency)
    if gross.currency == booked.currency:
        if gross == booked:
            return None
        return FindingKind.LEDGER_IMBALANCE, f"{gross} there, and {booked} in our books"
    if line.exchange_rate is None:
        return FindingKind.FX_UNEXPLAINED, f"{booked} became {gross} without a rate"
    # The rate is of whole units; the two currencies may have other numbers of decimals.
    expected = (booked.major * line.exchange_rate).scaleb(gross.currency.exponent)
    if abs(expected - gross.amount_minor) <= _ROUNDING_MINOR:
        return None
    sentence = f"{booked} became {gross}, and its rate of {line.exchange_rate} says otherwise"
    return FindingKind.FX_UNEXPLAINED, sentence
