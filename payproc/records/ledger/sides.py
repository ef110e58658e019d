"""Which accounts are moved by what we know, and by a line of a provider's balance: values alone, no row."""

from collections.abc import Sequence
from typing import assert_never

from payproc.database.models import Account, JournalKind
from payproc.domain.money import Currency, Money
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.records.ledger.booking import Posting, moved
from payproc.records.ledger.matching import OwnJournal


def of_own(kind: JournalKind, money: Money) -> list[Posting]:
    """Return what our own knowledge moves. Raises ValueError for a kind that is not booked by it."""
    match kind:
        case JournalKind.SALE:
            return moved(money, debit=Account.RECEIVABLE, credit=Account.SALES)
        case JournalKind.SALE_UNDONE:
            return moved(money, debit=Account.SALES, credit=Account.RECEIVABLE)
        case JournalKind.REFUND:
            return moved(money, debit=Account.REFUNDS, credit=Account.RECEIVABLE)
        case JournalKind.REFUND_UNDONE:
            return moved(money, debit=Account.RECEIVABLE, credit=Account.REFUNDS)
        case _:
            raise ValueError(f"{kind} is not booked by our own knowledge")


def of_line(line: SettlementLine, *, share: Money | None) -> list[Posting]:
    """Return what a line moves, its fee with it; `share` is how much of it we had booked."""
    fee = moved(Money.of(line.fee, line.currency), debit=Account.FEES, credit=Account.RECEIVABLE)
    return [*gross(line, share=share), *fee]


def shares(lines: Sequence[SettlementLine], answers: Sequence[OwnJournal]) -> list[Money | None]:
    """Say how much of what we booked each line is for: of several the last is for what the others leave."""
    if not answers:
        return [None for _ in lines]
    first, *others = (own.money for own in answers)
    left = sum(others, start=first)
    found: list[Money | None] = []
    for line in lines[:-1]:
        share = Money.of(line.gross, line.currency)
        found.append(share)
        left -= share
    return [*found, left]


def summed(postings: Sequence[Posting]) -> list[Posting]:
    """Add up what moves the same account in the same currency; what comes to nothing is left out."""
    sums: dict[tuple[Account, Currency], Money] = {}
    for posting in postings:
        place = posting.account, posting.money.currency
        sums[place] = sums[place] + posting.money if place in sums else posting.money
    return [Posting(account=account, money=money) for (account, _), money in sums.items() if money.amount_minor]


def gross(line: SettlementLine, *, share: Money | None) -> list[Posting]:
    """Bring the receivable to where the line says it is, from where our books have it."""
    whole, counter = Money.of(line.gross, line.currency), _counter(line.kind)
    if share is None:
        return moved(whole, debit=Account.RECEIVABLE, credit=counter)
    if share.currency == whole.currency:
        return moved(whole - share, debit=Account.RECEIVABLE, credit=counter)
    return [
        *moved(share, debit=Account.CONVERSION, credit=Account.RECEIVABLE),
        *moved(whole, debit=Account.RECEIVABLE, credit=Account.CONVERSION),
    ]


def _counter(kind: LineKind) -> Account:
    match kind:
        case LineKind.CHARGE | LineKind.CHARGE_FAILURE | LineKind.REFUND | LineKind.REFUND_FAILURE | LineKind.OTHER:
            return Account.SUSPENSE
        case LineKind.DISPUTE:
            return Account.DISPUTES
        case LineKind.FEE:
            return Account.FEES
        case LineKind.PAYOUT:
            return Account.PAYOUTS
        case _:
            assert_never(kind)
