"""A statement's lines in the ledger's words, and our rows behind a batch of them."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from payproc.database import models
from payproc.database.models import JournalKind, Payment
from payproc.domain.references import Reference
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.reconcile.runs import Work
from payproc.reconcile.statements.fields import LineType, StatementLine
from payproc.records.ledger import matching
from payproc.records.ledger.matching import OwnJournal

_BY_THEIR_NAME = (Reference.JAZZ_CASH, Reference.EASY_PAISA)


def settlement_line(line: StatementLine) -> SettlementLine:
    """Put a line into the ledger's words: a refund takes money from the balance, and gives back its part of the fee."""
    sign = 1 if line.type is LineType.SALE else -1
    return SettlementLine(
        id=line.id,
        kind=LineKind.CHARGE if line.type is LineType.SALE else LineKind.REFUND,
        category=line.type,
        currency="pkr",
        gross=sign * line.gross,
        fee=sign * line.fee,
        net=sign * line.net,
        source=line.transaction_id,
        created_at=line.at,
    )


class Known:
    """Our payments that a batch of lines speaks of, and what was booked of them, fetched together."""

    def __init__(self, session: Session, work: Work, lines: Sequence[StatementLine]) -> None:
        self._session = session
        self._work = work
        self._by_reference: dict[str, Payment] = {}
        self._by_their_name: dict[str, list[Payment]] = {}
        self._find(lines)
        found = {payment.id for payment in self._by_reference.values()}
        found |= {payment.id for group in self._by_their_name.values() for payment in group}
        self._kept = self._find_kept(lines)
        sales = matching.own_journals(session, found)
        # In the order of time: one that was undone is met before the one after it.
        self._unmet: dict[str, list[OwnJournal]] = {}
        for own in sales:
            if own.kind is JournalKind.SALE and own.match is None and own.payment_id is not None:
                self._unmet.setdefault(own.payment_id, []).append(own)

    def _find(self, lines: Sequence[StatementLine]) -> None:
        references = {line.reference for line in lines if line.reference}
        for payment in self._payments(Payment.reference.in_(references)):
            self._by_reference[payment.reference] = payment
        left = {line.transaction_id for line in lines if line.reference not in self._by_reference}
        if not left:
            return
        columns = [*(getattr(Payment, reference) for reference in _BY_THEIR_NAME), Payment.provider_receipt]
        for payment in self._payments(or_(*(column.in_(left) for column in columns))):
            names: set[str] = {value for column in columns if (value := getattr(payment, column.key))}
            for name in names & left:
                self._by_their_name.setdefault(name, []).append(payment)

    def _payments(self, which: ColumnElement[bool]) -> list[Payment]:
        return list(self._session.scalars(select(Payment).where(self._work.is_of_gateway, which)))

    def _find_kept(self, lines: Sequence[StatementLine]) -> dict[str, models.SettlementLine]:
        line = models.SettlementLine
        mine = (line.provider == self._work.method) & line.line_id.in_({each.id for each in lines})
        return {kept.line_id: kept for kept in self._session.scalars(select(line).where(mine))}

    def payment_of(self, line: StatementLine) -> Payment | None:
        """Return the payment that a line is about: by our reference, else by the gateway's names of it."""
        found = self._by_reference.get(line.reference)
        if found is not None:
            return found
        # A receipt may be used again by a bank: where it names two payments it names none.
        named = self._by_their_name.get(line.transaction_id, [])
        return named[0] if len(named) == 1 else None

    def kept(self, line: StatementLine) -> models.SettlementLine | None:
        """Return the line as an earlier import booked it."""
        return self._kept.get(line.id)

    def unmet_sale(self, payment: Payment) -> list[OwnJournal]:
        """Return the payment's sale, where no line has met it yet."""
        return self._unmet.get(payment.id, [])[:1]

    def note_charge(self, payment: Payment) -> None:
        """Remember that the sale has met its line just now."""
        self._unmet[payment.id] = self._unmet.get(payment.id, [])[1:]
