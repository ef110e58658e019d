"""What takes several to happen at the same time, and would hardly ever come of single steps."""

from collections.abc import Callable, Sequence

from payproc.database.models import Payment
from payproc.domain.states import OPEN
from payproc.jobs import Queue
from payproc.operations import actions
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from sandbox.stripe.account.outcomes import Action as AtPage
from sandbox.stripe.account.refunds import Ending
from sandbox.wallets.actions import Action as AtWallet
from sandbox.wallets.transactions import Gateway
from tasks import relay
from tests.simulation import truth
from tests.simulation.actions.befalling import befall
from tests.simulation.actions.choosing import one_of, one_of_the_newest, possible
from tests.simulation.actions.customers import ask_for_a_wallets_refund, take_card_payment, take_wallet_payment
from tests.simulation.actions.gateways import bring_the_last_word, end
from tests.simulation.actions.operators import settle
from tests.simulation.fate import Blow
from tests.simulation.shop import Shop
from tests.simulation.workers import Message, work


def race_for_a_payment(shop: Shop, who: int, how: int) -> None:
    """Have a poll and a notice find out at the same time that a payment was paid, interlocked at some statement."""
    payable = {each["id"] for each in shop.listed("checkout.session") if each["status"] == "open"}
    begun = [each for each in shop.payments() if each.status in OPEN and each.stripe_session_id in payable]
    payment = one_of_the_newest(begun, who)
    shop.at_gateway(f"sessions/{payment.stripe_session_id}/{AtPage.PAY}")
    told = [event for event in shop.undelivered() if event["data"]["object"]["id"] == payment.stripe_session_id]
    shop.deliver(one_of(told, how))
    with shop.app.database.transaction() as session:
        actions.ask_again(session, session.merge(payment))
    relay.dispatch_due(shop.app)
    asking = [each for each in shop.broker.waiting if each.is_about(payment.id)]
    telling = [each for each in shop.broker.waiting if each.queue == Queue.NOTICES]
    one, other = one_of(asking, -1), one_of(telling, -1)
    if how % 2:
        one, other = other, one

    def beside(*_: object) -> None:
        shop.broker.waiting.remove(other)
        work(shop.app, other)

    shop.broker.waiting.remove(one)

    def meanwhile() -> None:
        befall(shop, beside, who, how)

    if how // 2 % 2:
        shop.fate.interrupt_lock(meanwhile)
    else:
        shop.fate.interrupt(meanwhile, after=how // 4 % 20)
    try:
        work(shop.app, one)
    finally:
        shop.fate.relent()


_ENDINGS: Sequence[Sequence[Ending]] = ((), (Ending.FAIL,), (Ending.CANCEL,), (Ending.FAIL, Ending.CANCEL))


def give_back_before_all_is_heard(shop: Shop, who: int, how: int) -> None:
    """Have a payment paid after a refused card or by a slow bank, and given back whole; of each the last word first."""
    session = one_of_the_newest([each for each in shop.listed("checkout.session") if each["status"] == "open"], who)
    tries = (AtPage.DECLINE, AtPage.PAY) if how % 2 else (AtPage.DECLINE, AtPage.PAY_LATER, AtPage.SETTLE)
    for act in tries:
        shop.at_gateway(f"sessions/{session['id']}/{act}")
    bring_the_last_word(shop, session["id"])
    _work_on_notices(shop)
    intent = next(each for each in shop.listed("checkout.session") if each["id"] == session["id"])["payment_intent"]
    charge = one_of([each for each in shop.listed("charge") if each["payment_intent"] == intent], -1)
    possible(shop.give_back_at_stripe(charge["id"], charge["amount"]))
    refund = shop.listed("refund")[-1]["id"]
    for ending in _ENDINGS[how // 2 % len(_ENDINGS)]:
        end(shop, refund, ending)
    bring_the_last_word(shop, refund)
    _work_on_notices(shop)


# After the answer, before the commit and after it; the others of five fall somewhere before.
_AFTER_THE_CALL = 3


def die_with_a_charge_in_hand(shop: Shop, who: int, how: int) -> None:
    """Begin a payment and die of it, mostly once its gateway has it: the call must not be carried out twice.

    Others may begin with it, in the same message.
    """
    (take_wallet_payment, take_card_payment)[how // 5 % 2](shop, who, how)
    relay.dispatch_due(shop.app)
    newest = shop.payments()[-1]
    message = one_of([each for each in shop.broker.waiting if each.is_about(newest.id)], 0)
    shop.broker.waiting.remove(message)
    if how % 5 < _AFTER_THE_CALL:
        shop.fate.doom_call(once=_is_there(shop, newest), after=how % 5)
    else:
        shop.fate.doom(Blow.DEATH, after=3 + how % 7)
    try:
        work(shop.app, message)
    finally:
        shop.fate.relent()


def give_back_in_the_portal(shop: Shop, who: int, how: int) -> None:
    """Have an owner ask for the money of a wallet's payment, an operator decide, and mostly a person give it back."""
    before = {each.id for each in shop.refunds()}
    ask_for_a_wallets_refund(shop, who, how)
    asked = next(each for each in shop.refunds() if each.id not in before)
    for _ in range(2):
        # Whether it may be, and whether it was.
        for review in [each for each in shop.open_reviews() if each.subject == asked.id]:
            settle(shop, review, 2 * (how // 2))
        relay.dispatch_due(shop.app)
        for message in [each for each in shop.broker.waiting if each.is_about(asked.id)]:
            shop.broker.waiting.remove(message)
            work(shop.app, message)


def settle_during_its_start(shop: Shop, who: int, how: int) -> None:
    """Have a payment come to its end while the call that begins it has not been answered yet."""
    if how % 2:
        take_card_payment(shop, who, how // 2)
        method, what = STRIPE, one_of(_AT_STRIPE, how // 2)
    else:
        # The fifth number asks nobody, and waits.
        take_wallet_payment(shop, who - who % 2, 4)
        method, what = JAZZ_CASH, one_of(_AT_JAZZ_CASH, how // 2)
    payment = [each for each in shop.payments() if each.payment_method == method][-1]
    relay.dispatch_due(shop.app)
    message = one_of([each for each in shop.broker.waiting if each.is_about(payment.id)], 0)

    def beside(*_: object) -> None:
        what(shop, payment)

    shop.broker.waiting.remove(message)
    shop.fate.interrupt_call(lambda: _ignored(befall(shop, beside, who, how)), once=_is_there(shop, payment))
    try:
        work(shop.app, message)
    finally:
        shop.fate.relent()


def _ignored(_: bool) -> None:
    """Go on, whether there was anything to do or not."""


def _is_there(shop: Shop, payment: Payment) -> Callable[[], bool]:
    """Say how to ask whether a gateway has heard of a payment: a customer is made by a call of its own before."""
    if payment.payment_method == STRIPE:
        return lambda: bool(truth.sessions_of(shop, payment))
    return lambda: truth.at_wallet(shop, payment) is not None


def _at_the_page(*acts: AtPage) -> Callable[[Shop, Payment], None]:
    def happen(shop: Shop, payment: Payment) -> None:
        session = truth.sessions_of(shop, payment)[0]
        for act in acts:
            shop.at_gateway(f"sessions/{session['id']}/{act}")
        _hear(shop)

    return happen


def _paid_and_given_back(shop: Shop, payment: Payment) -> None:
    _at_the_page(AtPage.PAY)(shop, payment)
    session = truth.sessions_of(shop, payment)[0]
    charges = [each for each in shop.listed("charge") if each["payment_intent"] == session["payment_intent"]]
    charge = one_of([each for each in charges if each["status"] == "succeeded"], 0)
    shop.give_back_at_stripe(charge["id"], charge["amount"])
    _hear(shop)


def _at_the_wallet(*acts: AtWallet) -> Callable[[Shop, Payment], None]:
    def happen(shop: Shop, payment: Payment) -> None:
        for act in acts:
            shop.wallets.act(Gateway.JAZZCASH, payment.reference, act)
            for notice in [each for each in shop.notices_waiting() if each["reference"] == payment.reference]:
                shop.bring_notice(notice)
            _work_on_notices(shop)

    return happen


_AT_STRIPE: Sequence[Callable[[Shop, Payment], None]] = (
    _at_the_page(AtPage.PAY),
    _paid_and_given_back,
    _at_the_page(AtPage.DECLINE, AtPage.EXPIRE),
    _at_the_page(AtPage.PAY_LATER, AtPage.FAIL),
    _at_the_page(AtPage.PAY_LATER),
)
_AT_JAZZ_CASH: Sequence[Callable[[Shop, Payment], None]] = (
    _at_the_wallet(AtWallet.APPROVE, AtWallet.REVERSE),
    _at_the_wallet(AtWallet.DECLINE),
    _at_the_wallet(AtWallet.CANCEL),
    _at_the_wallet(AtWallet.EXPIRE),
)


def _hear(shop: Shop) -> None:
    for event in shop.undelivered()[-6:]:
        shop.deliver(event)
    _work_on_notices(shop)


def _work_on_notices(shop: Shop) -> None:
    relay.dispatch_due(shop.app)
    for message in _notices(shop):
        shop.broker.waiting.remove(message)
        work(shop.app, message)


def _notices(shop: Shop) -> list[Message]:
    return [each for each in shop.broker.waiting if each.queue == Queue.NOTICES]
