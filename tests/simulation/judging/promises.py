"""What must be true when everything is at rest: the gateways' truth is ours, or a person has been asked."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from sqlalchemy import select

from payproc.database.models import CallState, Email, EmailKind, Payment, PaymentEvent, ProviderCall
from payproc.domain.provenance import Source
from payproc.domain.states import OPEN, Fact, PaymentStatus, RefundStatus
from payproc.operations.doctor import broken_invariants
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.requests import Operation
from payproc.providers.stripe import STRIPE
from payproc.reconcile.schedule import asked_methods
from sandbox.wallets.transactions import Gateway, State, Transaction
from tests.simulation import staff, truth
from tests.simulation.judging.balances import unbalanced
from tests.simulation.shop import Shop


def broken_promises(shop: Shop) -> list[str]:
    """Return what is not as it must be when everything is at rest."""
    return [
        *_broken_invariants(shop),
        *_cards(shop),
        *_wallets(shop),
        *_heard_and_not_taken(shop),
        *_refunds(shop),
        *_receipts(shop),
        *_refunds_of_wallets(shop),
        *unbalanced(shop),
    ]


def _broken_invariants(shop: Shop) -> list[str]:
    with shop.app.database.transaction() as session:
        return [f"{broken.name}: {broken.sentence}" for broken in broken_invariants(session)]


def cheap_promises(shop: Shop) -> list[str]:
    """Return what is not as it must be after any step: the doctor's questions, all of them."""
    with shop.fate.spared():
        return _broken_invariants(shop)


_TAKEN = (PaymentStatus.COMPLETED, PaymentStatus.REFUNDED)


def _asked(shop: Shop) -> set[str]:
    """Return the payments that a person has been asked about, and those whose mistake cannot be undone yet."""
    asked = {review.payment_id for review in shop.open_reviews() if review.payment_id}
    return asked | {each.id for each in staff.mistaken(shop)}


def _cards(shop: Shop) -> Iterator[str]:
    asked = _asked(shop)
    for payment in (each for each in shop.payments() if each.payment_method == STRIPE):
        sessions = truth.sessions_of(shop, payment)
        begun = sum(each["client_reference_id"] == payment.id for each in sessions)
        if begun > 1:
            yield f"{payment.id} has {begun} sessions at Stripe"
        debits = [each for each in sessions if each["payment_status"] == "paid"]
        ours = sum(truth.is_what_pays(payment, each) for each in debits)
        yield from _agrees(payment, debits=ours, asked=payment.id in asked)
        if payment.id not in asked:
            yield from _taken_beside(shop, payment)
    strange = [each for each in shop.listed("checkout.session") if not each["metadata"].get("payment_id")]
    yield from (f"Stripe has {each['id']}, which names no payment of ours" for each in strange)


def _taken_beside(shop: Shop, payment: Payment) -> Iterator[str]:
    """Tell what was taken for a payment by another session, and was never given back: a bank may have returned that."""
    for charge in truth.charges_beside(shop, payment):
        given = sum(each["amount"] for each in shop.listed("refund") if each["charge"] == charge["id"])
        if given < charge["amount"]:
            yield f"Stripe was paid {charge['id']} for {payment.id} beside ours, and nobody is asked"


def _wallets(shop: Shop) -> Iterator[str]:
    asked = _asked(shop)
    unnoticed = _told_and_not_noticed(shop)
    ours = {each.reference: each for each in shop.payments() if each.payment_method in asked_methods(shop.app)}
    for gateway in Gateway:
        for transaction in shop.wallets.ledger.all_of(gateway):
            payment = ours.pop(transaction.reference, None)
            if payment is None:
                yield f"{gateway} has {transaction.reference}, which is none of ours"
                continue
            if transaction.charge_calls > 1:
                yield f"{payment.id} was pushed {transaction.charge_calls} times"
            is_known = payment.id in asked and payment.id not in unnoticed
            if payment.status in _TAKEN and transaction.told_amount != payment.amount_minor and not is_known:
                yield f"{payment.id} is {payment.status}, and {gateway} says another amount"
            if transaction.state is not State.REVERSED:
                yield from _agrees(payment, debits=transaction.debits, asked=payment.id in asked)
            elif payment.status in (*OPEN, PaymentStatus.COMPLETED) and payment.id not in asked:
                yield f"{payment.id} is {payment.status}, was given back by {gateway}, and nobody is asked"
    unknown = [each for each in ours.values() if each.status in _TAKEN and each.id not in asked]
    yield from (f"{each.id} is {each.status}, and no wallet has it" for each in unknown)


def _heard_and_not_taken(shop: Shop) -> Iterator[str]:
    """What a gateway has taken, and has told us of, is completed: that a statement asks about it later is too late."""
    event = PaymentEvent
    heard = select(event.payment_id).where(event.fact == Fact.PAID, event.source != Source.OPERATOR)
    with shop.app.database.transaction() as session:
        told = set(session.scalars(heard))
    for payment in shop.payments():
        is_taken = payment.status in _TAKEN or truth.standing(shop, payment) is not truth.Standing.PAID
        if payment.id in told and not is_taken:
            yield f"{payment.id} is {payment.status}, and we were told that it was paid"


def _told_and_not_noticed(shop: Shop) -> set[str]:
    """Return the payments whose amount a wallet has told us, and no mismatch was noted: a statement's word is too late.

    JazzCash's notice alone tells none.
    """
    noted = select(PaymentEvent.payment_id).where(PaymentEvent.fact == Fact.MISMATCH)
    call = ProviderCall
    answered = select(call.subject).where(call.operation == Operation.START, call.state == CallState.ANSWERED)
    told = Payment.id.in_(answered) | (Payment.payment_method == EASY_PAISA)
    with shop.app.database.transaction() as session:
        return set(session.scalars(select(Payment.id).where(told, Payment.id.not_in(noted))))


def _agrees(payment: Payment, *, debits: int, asked: bool) -> Iterator[str]:
    """Debits are completed payments, or a person has been asked."""
    if debits > 1:
        yield f"{payment.id} was charged {debits} times"
    if (debits == 1) is not (payment.status in _TAKEN) and not asked:
        yield f"{payment.id} is {payment.status}, was charged {debits} times, and nobody is asked"
    if payment.status in OPEN and not asked:
        yield f"{payment.id} is {payment.status} at the end, and nobody is asked"


def _refunds(shop: Shop) -> Iterator[str]:
    asked = _asked(shop)
    given: dict[str, list[int]] = defaultdict(list)
    intents = {each.stripe_payment_intent_id: each.id for each in shop.payments() if each.stripe_payment_intent_id}
    for refund in shop.listed("refund"):
        # What was taken beside us is given back beside us.
        if refund["status"] == "succeeded" and refund["payment_intent"] in intents:
            given[intents[refund["payment_intent"]]].append(refund["amount"])
    ours: dict[str, list[int]] = defaultdict(list)
    cards = {each.id for each in shop.payments() if each.payment_method == STRIPE}
    for mine in shop.refunds():
        if mine.status is RefundStatus.SUCCEEDED and mine.payment_id in cards:
            ours[mine.payment_id].append(mine.amount_minor)
    for payment_id in given.keys() | ours.keys():
        if sorted(given[payment_id]) != sorted(ours[payment_id]) and payment_id not in asked:
            yield f"{payment_id}: Stripe gave back {given[payment_id]}, and we say {ours[payment_id]}"


def _refunds_of_wallets(shop: Shop) -> Iterator[str]:
    asked = _asked(shop)
    given: Counter[str] = Counter()
    for mine in shop.refunds():
        if mine.status is RefundStatus.SUCCEEDED:
            given[mine.payment_id] += mine.amount_minor
    for payment in shop.payments():
        found = truth.at_wallet(shop, payment) if payment.payment_method != STRIPE else None
        if found is None or payment.completed_at is None or payment.id in asked:
            continue
        if given[payment.id] != (theirs := _given_back(found)):
            yield f"{payment.id}: {found.gateway} gave back {theirs}, and we say {given[payment.id]}"


def _given_back(found: Transaction) -> int:
    return found.amount if found.state is State.REVERSED else found.refunded


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
