"""Our books are what the providers' balances say, line by line, in every currency and on every account."""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from payproc.database.models import Account, Journal, JournalKind, LedgerEntry, SettlementLine, SettlementMatch
from payproc.domain.settlement import LineKind
from payproc.providers.stripe import STRIPE
from sandbox.wallets.statement import statement
from sandbox.wallets.transactions import Gateway
from tests.simulation.portals import METHODS, moved_by
from tests.simulation.shop import Shop

_OWN = (JournalKind.SALE, JournalKind.SALE_UNDONE, JournalKind.REFUND, JournalKind.REFUND_UNDONE)


def unbalanced(shop: Shop) -> Iterator[str]:
    """Tell where the books and a provider's balance differ, and nobody is asked about it."""
    yield from _lines_of_stripe(shop)
    for gateway in Gateway:
        yield from _lines_of_a_wallet(shop, gateway)
    for provider in (STRIPE, *METHODS.values()):
        yield from _accounts(shop, provider)
        yield from _unanswered(shop, provider)


def _lines_of_stripe(shop: Shop) -> Iterator[str]:
    """Every line of Stripe's balance is in the books as it is: charges, fees, refunds, disputes, payouts."""
    kept = _kept(shop, STRIPE)
    waits = bool(shop.open_reviews())
    for line in shop.listed("balance_transaction"):
        theirs = line["amount"], line["fee"], line["net"]
        ours = kept.pop(line["id"], None)
        if ours != theirs and not (ours is None and waits):
            yield f"Stripe's {line['type']} {line['id']} moved {theirs}, and our books have {ours}"
    yield from (f"our books have {each} of Stripe, and Stripe has not" for each in kept)


def _lines_of_a_wallet(shop: Shop, gateway: Gateway) -> Iterator[str]:
    """Every movement of a payment that is ours is in the books as it is, or as a statement told it first."""
    kept, asked = _kept(shop, METHODS[gateway]), _references_asked_about(shop)
    for line in statement(shop.wallets.ledger.all_of(gateway)).splitlines()[1:]:
        told = moved_by(line)
        if told is None:
            continue
        ours = kept.pop(told.id, None)
        if ours != told.moved and told.id not in shop.lied_about and told.reference not in asked:
            yield f"{gateway}'s {told.id} moved {told.moved}, and our books have {ours}"
    yield from (f"our books have {each} of {gateway}, and it has not" for each in kept)


def _references_asked_about(shop: Shop) -> set[str]:
    asked = {review.payment_id for review in shop.open_reviews()}
    return {each.reference for each in shop.payments() if each.id in asked}


def _kept(shop: Shop, provider: str) -> dict[str, tuple[int, int, int]]:
    """Return what each line that is in the books has moved, in minor units: gross, fee and net."""
    line = SettlementLine
    query = select(line.line_id, line.gross, line.fee, line.net).where(line.provider == provider)
    with shop.app.database.transaction() as session:
        return {line_id: (gross, fee, net) for line_id, gross, fee, net in session.execute(query)}


def _accounts(shop: Shop, provider: str) -> Iterator[str]:
    """What a provider owes us, and what it cost, is the sum of its lines and of what no line has answered yet."""
    with shop.app.database.transaction() as session:
        expected = _said_by_lines(session, provider)
        for (_, currency), amount in _unmet(session, provider).items():
            expected[Account.RECEIVABLE, currency] += amount
        entry = LedgerEntry
        sums = (
            select(entry.account, entry.currency, func.sum(entry.amount_minor))
            .where(entry.provider == provider, entry.account.in_(_SAID_BY_LINES))
            .group_by(entry.account, entry.currency)
        )
        booked = {(account, currency): int(amount) for account, currency, amount in session.execute(sums)}
    for place in sorted(expected.keys() | booked.keys()):
        account, currency = place
        if expected[place] != (ours := booked.get(place, 0)):
            yield f"{provider}'s lines say {expected[place]} {currency} of {account}, and our books {ours}"


_SAID_BY_LINES = (Account.RECEIVABLE, Account.FEES, Account.DISPUTES, Account.PAYOUTS)


def _said_by_lines(session: Session, provider: str) -> Counter[tuple[Account, str]]:
    said: Counter[tuple[Account, str]] = Counter()
    line = SettlementLine
    lines = select(line.kind, line.currency, line.gross, line.fee, line.net).where(line.provider == provider)
    for kind, currency, gross, fee, net in session.execute(lines):
        said[Account.RECEIVABLE, currency] += net
        said[Account.FEES, currency] += fee - (gross if kind is LineKind.FEE else 0)
        said[Account.DISPUTES, currency] -= gross if kind is LineKind.DISPUTE else 0
        said[Account.PAYOUTS, currency] -= gross if kind is LineKind.PAYOUT else 0
    return said


def _unmet(session: Session, provider: str) -> Counter[tuple[str | None, str]]:
    """Sum up what we have booked of each payment by our own knowledge, and no line has answered."""
    entry, met = LedgerEntry, SettlementMatch.journal_id
    unmet = (
        select(Journal.payment_id, entry.currency, func.sum(entry.amount_minor))
        .join(Journal, Journal.id == entry.journal_id)
        .where(entry.provider == provider, entry.account == Account.RECEIVABLE, Journal.kind.in_(_OWN))
        .where(~exists().where(met == Journal.id))
        .group_by(Journal.payment_id, entry.currency)
    )
    return Counter({(payment, currency): int(amount) for payment, currency, amount in session.execute(unmet)})


def _unanswered(shop: Shop, provider: str) -> Iterator[str]:
    """What we say was sold or given back, the provider's balance says as well, or a person has been asked."""
    asked = {review.payment_id for review in shop.open_reviews()}
    with shop.app.database.transaction() as session:
        unmet = _unmet(session, provider)
    for (payment, currency), amount in unmet.items():
        if amount and payment not in asked:
            yield f"{payment}: our books move {amount} {currency} that no line of {provider} has answered"
