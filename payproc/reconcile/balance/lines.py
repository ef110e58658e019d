"""What each line of a provider's balance is about, and whether our books explain it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, literal, or_, select
from sqlalchemy.orm import Session

from payproc.database.models import (
    Dispute,
    FindingKind,
    Payment,
    ReconciliationRun,
    Refund,
    SeenKind,
)
from payproc.database.models import SettlementLine as KeptLine
from payproc.domain.money import Money
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.domain.states import OPEN, REFUND_OPEN, RefundStatus
from payproc.providers.listing import Listing
from payproc.reconcile import findings
from payproc.reconcile.findings import Seen
from payproc.records.ledger import journal, matching
from payproc.records.ledger.journal import Recorded
from payproc.records.ledger.matching import OwnJournal

# Whose a line is, the sweep may still find out: until then it is not booked against suspense.
_PATIENCE = timedelta(days=3)
# A bank debit's line is written when the debit is submitted, up to seven days before its end (Stripe's "ACH Direct
# Debit" and "Bacs Direct Debit payments", November 2026).
_LONGEST_OPEN = timedelta(days=7)
# Both sides round once.
_ROUNDING_MINOR = 1


@dataclass(frozen=True, kw_only=True)
class MatchedLine:
    """A line and what we booked that it answers. `waits`: its payment or refund may still come to its end here."""

    line: SettlementLine
    about: Payment | Refund | Dispute | None = None
    own: OwnJournal | None = None
    waits: bool = False


class LedgerLookup:
    """Our rows behind one page of lines, fetched together, with the payments of those that met nothing yet locked.

    Who books a sale or a refund holds its payment's lock: under the same one a line finds it, or is found by it.
    """

    def __init__(
        self, session: Session, run: ReconciliationRun, page: Sequence[SettlementLine], listing: Listing
    ) -> None:
        self._session, self._provider = session, run.provider
        self._end = run.window_end
        self._matches = matching.matches_of(session, run.provider, [line.id for line in page])
        self.known = self._known(page)
        self._charge, self._intent = (getattr(Payment, each) for each in (listing.lines_name, listing.listed_by))
        payment_ids = set(session.scalars(select(Payment.id).where(self._is_named(page))))
        payment_ids |= set(session.scalars(select(Refund.payment_id).where(self._is_refund(page))))
        self._busy = self._lock(page, payment_ids)
        # Read under the locks.
        self._payments = self._named_payments(payment_ids)
        found = session.scalars(select(Refund).where(self._is_refund(page)).execution_options(populate_existing=True))
        self._refunds = {refund.provider_refund_id: refund for refund in found}
        told = select(Dispute).where(Dispute.provider == run.provider, Dispute.provider_dispute_id.in_(_sources(page)))
        self._disputes = {dispute.provider_dispute_id: dispute for dispute in session.scalars(told)}
        self._own = matching.own_journals(session, payment_ids)

    def _known(self, page: Sequence[SettlementLine]) -> set[str]:
        kept = select(KeptLine.line_id).where(
            KeptLine.provider == self._provider,
            KeptLine.line_id.in_([line.id for line in page]),
            # One that was kept before its payout was named has that to learn.
            KeptLine.payout.is_not(None) | literal(all(line.payout is None for line in page)),
        )
        return set(self._session.scalars(kept))

    def _is_named(self, page: Sequence[SettlementLine]) -> ColumnElement[bool]:
        intents = {line.payment_source for line in page if line.payment_source}
        named = or_(self._charge.in_(_sources(page)), self._intent.in_(intents))
        return (Payment.payment_method == self._provider) & named

    def _is_refund(self, page: Sequence[SettlementLine]) -> ColumnElement[bool]:
        return Refund.provider_refund_id.in_(_sources(page))

    def _lock(self, page: Sequence[SettlementLine], payment_ids: set[str]) -> set[str]:
        """Lock payments of lines that met nothing yet; return those that somebody else holds."""
        if all(line.id in self._matches for line in page):
            return set()
        # A page is of many payments, and other runs lock theirs in an order of their own: nobody waits here for them.
        free = select(Payment).where(Payment.id.in_(payment_ids)).with_for_update(skip_locked=True)
        locked = self._session.scalars(free.execution_options(populate_existing=True))
        return payment_ids - {payment.id for payment in locked}

    def _named_payments(self, payment_ids: set[str]) -> dict[str, Payment]:
        found = self._session.scalars(select(Payment).where(Payment.id.in_(payment_ids))).all()
        columns = (self._intent.key, self._charge.key)
        return {name: payment for column in columns for payment in found if (name := getattr(payment, column))}

    def match(self, line: SettlementLine) -> MatchedLine:
        """Say what a line is about."""
        match line.kind:
            case LineKind.CHARGE | LineKind.CHARGE_FAILURE:
                return self._of_payment(line)
            case LineKind.REFUND | LineKind.REFUND_FAILURE:
                return self._of_refund(line)
            case LineKind.DISPUTE:
                return MatchedLine(line=line, about=self._disputes.get(line.source or ""))
            case LineKind.FEE | LineKind.PAYOUT | LineKind.OTHER:
                return MatchedLine(line=line)

    def _of_payment(self, line: SettlementLine) -> MatchedLine:
        payment = self._payments.get(line.source or "") or self._payments.get(line.payment_source or "")
        if payment is None:
            return MatchedLine(line=line, waits=self._is_young(line, _PATIENCE))
        of_payment = [each for each in self._own if each.payment_id == payment.id]
        own = None if self._is_of_another_try(line, payment) else self._answered(line, of_payment)
        return MatchedLine(line=line, about=payment, own=own, waits=self._may_end(line, payment, own))

    def _is_of_another_try(self, line: SettlementLine, payment: Payment) -> bool:
        # A debit that did not arrive has its line, too, and the intent of the try that paid.
        charge = getattr(payment, self._charge.key)
        return line.kind is LineKind.CHARGE and charge is not None and line.source != charge

    def _of_refund(self, line: SettlementLine) -> MatchedLine:
        refund = self._refunds.get(line.source)
        if refund is None:
            payment = self._payments.get(line.payment_source or "")
            return MatchedLine(line=line, about=payment, waits=self._is_young(line, _PATIENCE))
        own = self._answered(line, [each for each in self._own if each.key == f"{each.kind}:{refund.id}"])
        return MatchedLine(line=line, about=refund, own=own, waits=self._may_end(line, refund, own))

    def _answered(self, line: SettlementLine, of_subject: Sequence[OwnJournal]) -> OwnJournal | None:
        kind, match = matching.ANSWERED[line.kind], self._matches.get(line.id)
        # What has met another line is not answered a second time.
        fitting = (each for each in of_subject if each.kind is kind and each.match == match)
        return next(fitting, None)

    def meet(self, own: OwnJournal) -> None:
        """Remember that a line has met it just now: no other line of the page does."""
        self._own.remove(own)

    def _may_end(self, line: SettlementLine, row: Payment | Refund, own: OwnJournal | None) -> bool:
        """Whether what the line answers may still be booked, so that it need not go against suspense first."""
        if findings.payment_id_of(row) in self._busy:
            return True
        if own is not None or not self._is_young(line, _LONGEST_OPEN):
            return False
        return self._is_open(row) or self._stands(line, row)

    def _is_open(self, row: Payment | Refund) -> bool:
        return row.status in (OPEN if isinstance(row, Payment) else REFUND_OPEN)

    def _stands(self, line: SettlementLine, row: Payment | Refund) -> bool:
        # The bank has sent it back, and we have not been told.
        if line.kind not in (LineKind.CHARGE_FAILURE, LineKind.REFUND_FAILURE):
            return False
        return row.completed_at is not None if isinstance(row, Payment) else row.status is RefundStatus.SUCCEEDED

    def _is_young(self, line: SettlementLine, age: timedelta) -> bool:
        return line.created_at > self._end - age


def _sources(page: Sequence[SettlementLine]) -> set[str]:
    return {line.source for line in page if line.source}


def book_all(session: Session, run: ReconciliationRun, page: Sequence[SettlementLine], listing: Listing) -> None:
    """Book a page of lines, but for those that wait, and write down what our books cannot explain of them."""
    ledger = LedgerLookup(session, run, page, listing)
    charges = {line.payment_source for line in page if line.payment_source and line.kind is LineKind.CHARGE}
    names = _sources(page) | charges
    findings.note(session, run, [Seen(kind=SeenKind.SOURCE, theirs=name) for name in names])
    done = Counter(_book(session, run, ledger, ledger.match(line)) for line in page)
    for what, times in done.items():
        findings.count(run, "lines", what, by=times)


def match_again(session: Session, run: ReconciliationRun, page: Sequence[SettlementLine], listing: Listing) -> None:
    """Let lines that were booked alone meet what they answer, where it is there now."""
    ledger = LedgerLookup(session, run, page, listing)
    for line in page:
        matched = ledger.match(line)
        if matched.own is not None:
            findings.count(run, "lines", _book(session, run, ledger, matched))


def _book(session: Session, run: ReconciliationRun, ledger: LedgerLookup, matched: MatchedLine) -> str:
    line, own, is_known = matched.line, matched.own, matched.line.id in ledger.known
    if matched.waits and not is_known:
        return "waiting"
    found = _unexplained(line, own)
    if found is not None:
        assert matched.about is not None, "what is booked is of a row"
        kind, sentence = found
        detail = f"Line {line.id} ({line.category}) of {matched.about.id}: {sentence}."
        findings.tell(session, run, kind, matched.about, theirs=line.id, at=line.created_at, detail=detail)
    answers = [] if own is None or own.match is not None or matched.waits else [own]
    if is_known and not answers:
        return Recorded.KNOWN
    if run.dry_run:
        return "would be booked"
    for each in answers:
        ledger.meet(each)
    payment_id = findings.payment_id_of(matched.about) if matched.about else None
    return journal.record_line(session, run.provider, line, answers=answers, payment_id=payment_id)


def _unexplained(line: SettlementLine, own: OwnJournal | None) -> tuple[FindingKind, str] | None:
    if own is None:
        return None
    gross, booked = (Money.of(abs(each.amount_minor), each.currency.code) for each in (_gross(line), own.money))
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


def _gross(line: SettlementLine) -> Money:
    return Money.of(line.gross, line.currency)
