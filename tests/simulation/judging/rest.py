"""The end of a run: everything mended, everybody heard, until nothing is left to do; and what must be true then."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select

from payproc.database.models import Account, Email, EmailKind, Job, JobState, LedgerEntry, Payment, Refund
from payproc.domain.states import OPEN, REFUND_OPEN, PaymentStatus, RefundStatus
from payproc.jobs import Kind
from payproc.operations import clock
from payproc.operations.doctor import broken_invariants
from payproc.providers.stripe import STRIPE
from payproc.reconcile.schedule import asked_methods
from sandbox.stripe.account.outcomes import Action
from sandbox.stripe.account.refunds import Ending
from sandbox.wallets.transactions import Gateway, State
from tasks import relay
from tests.simulation.world.fate import Death
from tests.simulation.world.shop import Shop
from tests.simulation.world.workers import work

# A session ends after a day; an open payment is asked about for ten days, and then a person is.
_DAYS = (1, 1, 4, 7, 1, 1)
_ROUNDS = [timedelta(minutes=10), timedelta(hours=2), *map(timedelta, _DAYS)]


def come_to_rest(shop: Shop) -> None:
    """Let nothing go wrong any more, and time pass, until all work is done."""
    shop.fate.relent()
    shop.bank.faults.clear()
    shop.post.troubles = 0
    for by in _ROUNDS:
        _let_pass(shop, by)
        if by >= timedelta(days=1) and not _is_anything_open(shop):
            break
    # What the last of it has cost is told on the day after.
    _tick_everything(shop)
    _do_everything(shop)
    _let_pass(shop, timedelta(days=2))
    _tick_everything(shop)
    _do_everything(shop)


def _let_pass(shop: Shop, by: timedelta) -> None:
    shop.pass_time(by)
    _let_banks_decide(shop)
    _bring_everything(shop)
    _do_everything(shop)


def _is_anything_open(shop: Shop) -> bool:
    with shop.app.database.transaction() as session:
        soon = select(func.count()).where(Job.state == JobState.READY, Job.due_at <= func.now() + timedelta(days=1))
        open_ones = select(func.count()).where(Payment.status.in_(OPEN))
        given_back = select(func.count()).where(Refund.status.in_(REFUND_OPEN))
        return any(session.scalar(query) for query in (soon, open_ones, given_back))


def _let_banks_decide(shop: Shop) -> None:
    for session in shop.listed("checkout.session"):
        shop.at_gateway(f"sessions/{session['id']}/{Action.SETTLE}")
    for refund in shop.listed("refund"):
        shop.at_gateway(f"refunds/{refund['id']}/{Ending.SUCCEED}")


def _bring_everything(shop: Shop) -> None:
    for event in shop.listed("event"):
        if event["id"] not in shop.delivered | shop.dropped:
            shop.deliver(event)
    while shop.wallets.postman.deliver_next():
        pass


def _tick_everything(shop: Shop) -> None:
    for kind in Kind:
        # What it would ask is asked at the end.
        if kind.policy.clock and kind is not Kind.CHECK_INVARIANTS:
            with shop.app.database.transaction() as session:
                clock.tick(session, kind, now=shop.clock.now)


def _do_everything(shop: Shop) -> None:
    for _ in range(500):
        if not relay.dispatch_due(shop.app) and not shop.broker.waiting:
            return
        while shop.broker.waiting:
            try:
                work(shop.app, shop.broker.waiting.pop(0))
            except Death:
                raise AssertionError("somebody died at the end of all faults") from None
    raise AssertionError("the work is never done")


def broken_promises(shop: Shop) -> list[str]:
    """Return what is not as it must be when everything is at rest."""
    return [
        *_broken_invariants(shop),
        *_cards(shop),
        *_wallets(shop),
        *_refunds(shop),
        *_receipts(shop),
        *_balances(shop),
    ]


def _broken_invariants(shop: Shop) -> list[str]:
    with shop.app.database.transaction() as session:
        return [f"{broken.name}: {broken.sentence}" for broken in broken_invariants(session)]


def cheap_promises(shop: Shop) -> list[str]:
    """Return what is not as it must be after any step: the doctor's questions, all of them."""
    with shop.fate.spared():
        return _broken_invariants(shop)


_TAKEN = (PaymentStatus.COMPLETED, PaymentStatus.REFUNDED)


def _cards(shop: Shop) -> Iterator[str]:
    asked = {review.payment_id for review in shop.open_reviews()}
    paid = Counter(
        session["client_reference_id"]
        for session in shop.listed("checkout.session")
        if session["payment_status"] == "paid"
    )
    begun = Counter(session["client_reference_id"] for session in shop.listed("checkout.session"))
    for payment in (each for each in shop.payments() if each.payment_method == STRIPE):
        yield from _agrees(payment, debits=paid.pop(payment.id, 0), asked=payment.id in asked)
        if begun[payment.id] > 1:
            yield f"{payment.id} has {begun[payment.id]} sessions at Stripe"
    yield from (f"Stripe was paid for {payment}, which is none of ours" for payment in paid)


def _wallets(shop: Shop) -> Iterator[str]:
    asked = {review.payment_id for review in shop.open_reviews()}
    ours = {each.reference: each for each in shop.payments() if each.payment_method in asked_methods(shop.app)}
    for gateway in Gateway:
        for transaction in shop.wallets.ledger.all_of(gateway):
            payment = ours.pop(transaction.reference, None)
            if payment is None:
                yield f"{gateway} has {transaction.reference}, which is none of ours"
                continue
            if transaction.charge_calls > 1:
                yield f"{payment.id} was pushed {transaction.charge_calls} times"
            if payment.status in _TAKEN and transaction.told_amount != transaction.amount and payment.id not in asked:
                yield f"{payment.id} is {payment.status}, and {gateway} says another amount"
            debits = transaction.debits if transaction.state is not State.REVERSED else 0
            yield from _agrees(payment, debits=debits, asked=payment.id in asked)
    yield from (f"{each.id} is {each.status}, and no wallet has it" for each in ours.values() if each.status in _TAKEN)


def _agrees(payment: Payment, *, debits: int, asked: bool) -> Iterator[str]:
    """Debits are completed payments, or a person has been asked."""
    if debits > 1:
        yield f"{payment.id} was charged {debits} times"
    if (debits == 1) is not (payment.status in _TAKEN) and not asked:
        yield f"{payment.id} is {payment.status}, was charged {debits} times, and nobody is asked"
    if payment.status in OPEN and not asked:
        yield f"{payment.id} is {payment.status} at the end, and nobody is asked"


def _refunds(shop: Shop) -> Iterator[str]:
    asked = {review.payment_id for review in shop.open_reviews()}
    given: dict[str, list[int]] = defaultdict(list)
    intents = {each.stripe_payment_intent_id: each.id for each in shop.payments() if each.stripe_payment_intent_id}
    for refund in shop.listed("refund"):
        if refund["status"] == "succeeded":
            given[intents.get(refund["payment_intent"], refund["payment_intent"])].append(refund["amount"])
    ours: dict[str, list[int]] = defaultdict(list)
    cards = {each.id for each in shop.payments() if each.payment_method == STRIPE}
    for mine in shop.refunds():
        if mine.status is RefundStatus.SUCCEEDED and mine.payment_id in cards:
            ours[mine.payment_id].append(mine.amount_minor)
    for payment_id in given.keys() | ours.keys():
        if sorted(given[payment_id]) != sorted(ours[payment_id]) and payment_id not in asked:
            yield f"{payment_id}: Stripe gave back {given[payment_id]}, and we say {ours[payment_id]}"


def _receipts(shop: Shop) -> Iterator[str]:
    """One receipt for each payment that was ever completed, under one Message-ID however often it was handed over."""
    told: dict[str, set[str]] = defaultdict(set)
    for letter in shop.post.taken:
        if letter["subject"].startswith("Receipt"):
            for payment in shop.payments():
                if payment.reference in letter["subject"]:
                    told[payment.id].add(letter["message-id"])
    with shop.app.database.transaction() as session:
        written = select(Email.payment_id, Email.id).where(Email.kind == EmailKind.RECEIPT)
        staged = {row.payment_id: row.id for row in session.execute(written)}
    # Three days of a server that takes none are given up, and a person is asked.
    given_up = {job.subject for job in shop.dead_jobs()}
    for payment in shop.payments():
        if len(told[payment.id]) > 1:
            yield f"{payment.id} had {len(told[payment.id])} receipts"
        has_none = payment.status is PaymentStatus.COMPLETED and not told[payment.id]
        if has_none and staged.get(payment.id) not in given_up:
            yield f"{payment.id} is completed and had no receipt (staged: {payment.id in staged})"


def _balances(shop: Shop) -> Iterator[str]:
    """What Stripe says it holds for us is what our books say it owes us."""
    if shop.open_reviews():
        # A difference that somebody is asked about is no broken promise.
        return
    held: Counter[str] = Counter()
    for line in shop.listed("balance_transaction"):
        held[line["currency"]] += line["net"]
    with shop.app.database.transaction() as session:
        query = (
            select(LedgerEntry.currency, func.sum(LedgerEntry.amount_minor))
            .where(LedgerEntry.account == Account.RECEIVABLE, LedgerEntry.provider == STRIPE)
            .group_by(LedgerEntry.currency)
        )
        owed = {currency: int(amount) for currency, amount in session.execute(query)}
    for currency in held.keys() | owed.keys():
        if held[currency] != owed.get(currency, 0):
            yield f"Stripe holds {held[currency]} {currency}, and our books say {owed.get(currency, 0)}"
