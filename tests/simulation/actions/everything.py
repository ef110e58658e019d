"""What may happen next, each as a function of the shop and two numbers: whom it is about, and how it goes."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from payproc.database.engine import PASSING_TROUBLE
from payproc.database.models import Review, ReviewKind
from payproc.domain.money import Money
from payproc.domain.payment_request import PaymentRequest
from payproc.domain.states import OPEN, PaymentStatus
from payproc.errors import PayprocError
from payproc.flows import cancel, checkout, request_refund
from payproc.jobs import Kind, Queue
from payproc.operations import actions, clock
from payproc.operations.actions import OperatorAction
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from sandbox.faults.orders import ApiFault
from sandbox.stripe.account.disputes import Step as DisputeStep
from sandbox.stripe.account.outcomes import Action as AtPage
from sandbox.stripe.account.refunds import Ending
from sandbox.wallets.actions import Action as AtWallet
from sandbox.wallets.actions import possible_actions
from sandbox.wallets.opening import CALLS as WALLETS_CALLS
from sandbox.wallets.transactions import Gateway, State, Transaction
from tasks import relay
from tests.simulation.world.fate import Blow, Death
from tests.simulation.world.shop import Shop
from tests.simulation.world.workers import Message, work

Action = Callable[[Shop, int, int], None]
Found = TypeVar("Found")

_AMOUNTS = (1999, 50, 480_200, 480_300, 400_200, 470_100, 470_200, 470_300, 470_400)
_TIMES = [timedelta(seconds=each) for each in (1, 5, 20, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600)]
# What holds a thread up is held up by the clock here.
_FAULTS = [fault for fault in ApiFault if fault is not ApiFault.SLOW]


class NothingToDo(Exception):
    """There is nobody whom this could happen to now."""


def one_of(found: Sequence[Found], number: int) -> Found:
    """Choose one by a number. Raises NothingToDo."""
    if not found:
        raise NothingToDo
    return found[number % len(found)]


def one_of_the_newest(found: Sequence[Found], number: int) -> Found:
    """Choose one by a number, and mostly of the last few: where much happens to few, they meet. Raises NothingToDo."""
    return one_of(found if number % 8 == 0 else found[-3:], number // 8)


# ours


def take_card_payment(shop: Shop, who: int, how: int) -> None:
    money = Money.of(_AMOUNTS[how % len(_AMOUNTS)], ("usd", "eur", "pkr")[how % 3])
    request = PaymentRequest(
        money=money,
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    checkout.take_payment(shop.app, request, user=shop.user(who), method=STRIPE)


def take_wallet_payment(shop: Shop, who: int, how: int) -> None:
    # The last digits are what the wallet's customer, and the wallet, will do.
    request = PaymentRequest(
        money=Money.of(125_050 + 100 * who, "pkr"),
        description="Two mangoes",
        phone=f"030000000{1 + how % 13:02}",
        cnic="345678",
    )
    checkout.take_payment(shop.app, request, user=shop.user(who), method=(JAZZ_CASH, EASY_PAISA)[who % 2])


def call_off(shop: Shop, who: int, _: int) -> None:
    payment = one_of_the_newest([payment for payment in shop.payments() if payment.status in OPEN], who)
    with shop.app.database.transaction() as session:
        cancel.request_cancel(shop.app, session, payment.id, user=shop.operator)


def ask_for_a_refund(shop: Shop, who: int, how: int) -> None:
    payment = one_of_the_newest([each for each in shop.payments() if each.status is PaymentStatus.COMPLETED], who)
    part = Money.of(max(1, payment.amount_minor // (1 + how % 3)), payment.currency)
    with shop.app.database.transaction() as session:
        request_refund.request_refund(
            shop.app, session, payment.id, user=shop.operator, money=None if how % 4 == 0 else part
        )


def send_what_is_due(shop: Shop, _who: int, _how: int) -> None:
    if not relay.dispatch_due(shop.app):
        raise NothingToDo


def do_some_work(shop: Shop, who: int, _: int) -> None:
    message = _next_message(shop, who)
    shop.broker.waiting.remove(message)
    work(shop.app, message)


def _next_message(shop: Shop, who: int) -> Message:
    """Return a message that waits; where none does, one of what is due, or of what Stripe has to tell."""
    if not shop.broker.waiting and not relay.dispatch_due(shop.app):
        bring_an_event(shop, who, 1)
        relay.dispatch_due(shop.app)
    return one_of(shop.broker.waiting, who)


def work_and_die(shop: Shop, who: int, how: int) -> None:
    """Die of it, or lose the database, at some moment of a job."""
    shop.fate.doom((Blow.DEATH, Blow.DEATH, Blow.LOST_CONNECTION)[how % 3], after=how // 3 % 10)
    try:
        do_some_work(shop, who, how)
    finally:
        shop.fate.relent()


def work_beside_others(shop: Shop, who: int, how: int) -> None:
    """Let somebody else act at some moment of a job: between two statements, most of the time."""
    interrupt(shop, how, how // 2)
    try:
        do_some_work(shop, who, how)
    finally:
        shop.fate.relent()


def race_for_a_payment(shop: Shop, who: int, how: int) -> None:
    """Have a poll and a notice find out at the same time that a payment was paid, interlocked at some statement."""
    begun = [each for each in shop.payments() if each.status in OPEN and each.stripe_session_id]
    payment = one_of_the_newest(begun, who)
    shop.at_gateway(f"sessions/{payment.stripe_session_id}/{AtPage.PAY}")
    told = [event for event in shop.listed("event") if event["data"]["object"]["id"] == payment.stripe_session_id]
    shop.deliver(one_of([event for event in told if event["id"] not in shop.delivered], how))
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
    shop.fate.interrupt(lambda: befall(shop, beside, who, how), after=how // 2 % 40)
    try:
        work(shop.app, one)
    finally:
        shop.fate.relent()


def ask_again(shop: Shop, who: int, _: int) -> None:
    """Have the provider asked now, as an operator may, and a customer who comes back."""
    payment = one_of_the_newest([payment for payment in shop.payments() if payment.status in OPEN], who)
    with shop.app.database.transaction() as session:
        actions.ask_again(session, session.merge(payment))


def do_work_twice(shop: Shop, who: int, _: int) -> None:
    message = one_of(shop.broker.waiting, who)
    shop.fate.met["a repeated message"] += 1
    work(shop.app, message)


def lose_a_message(shop: Shop, who: int, _: int) -> None:
    message = one_of(shop.broker.waiting, who)
    shop.broker.waiting.remove(message)
    shop.fate.met["a lost message"] += 1


def wipe_the_broker(shop: Shop, _who: int, _how: int) -> None:
    shop.broker.waiting.clear()
    shop.fate.met["a wiped broker"] += 1


def tick(shop: Shop, who: int, _: int) -> None:
    kind = one_of([kind for kind in Kind if kind.policy.clock], who)
    with shop.app.database.transaction() as session:
        clock.tick(session, kind, now=shop.clock.now)


# customers, banks and gateways


def act_at_the_page(shop: Shop, who: int, how: int) -> None:
    sessions = [each for each in shop.listed("checkout.session") if each["payment_status"] == "unpaid"]
    session = one_of_the_newest(sessions, who)
    usual = (AtPage.PAY, AtPage.PAY, AtPage.PAY, AtPage.DECLINE, AtPage.PAY_LATER, AtPage.SETTLE, AtPage.FAIL)
    action = (*usual, AtPage.SETTLE, AtPage.EXPIRE)[how % 9]
    _possible(shop.at_gateway(f"sessions/{session['id']}/{action}"))


def act_at_the_wallet(shop: Shop, who: int, how: int) -> None:
    gateway = (Gateway.JAZZCASH, Gateway.EASYPAISA)[how % 2]
    transaction = one_of_the_newest([each for each in shop.wallets.ledger.all_of(gateway) if _may_move(each)], who)
    action = one_of([each for each in possible_actions(transaction.state) if each not in _ONLY_BY_MAGIC], how // 2)
    shop.wallets.act(gateway, transaction.reference, action)


# A reversal is the wallet's own decision about a refund or a dispute; those that contradict an outcome come by number.
_ONLY_BY_MAGIC = (AtWallet.REVERSE, AtWallet.LATE_FAILURE, AtWallet.LATE_SUCCESS)


def _may_move(transaction: Transaction) -> bool:
    return transaction.state in (State.INITIATED, State.PENDING)


def bring_an_event(shop: Shop, who: int, how: int) -> None:
    events = [event for event in shop.listed("event") if event["id"] not in shop.dropped]
    new = [event for event in events if event["id"] not in shop.delivered]
    # Now and then one that was brought already.
    shop.deliver(one_of_the_newest(events if how % 8 == 0 else new, who))


def drop_an_event(shop: Shop, who: int, _: int) -> None:
    new = [event["id"] for event in shop.listed("event") if event["id"] not in shop.delivered | shop.dropped]
    shop.dropped.add(one_of(new, who))
    shop.fate.met["an event that never comes"] += 1


def bring_a_wallets_notice(shop: Shop, _who: int, _how: int) -> None:
    _possible(shop.wallets.postman.deliver_next())


def give_back_in_the_dashboard(shop: Shop, who: int, how: int) -> None:
    charge = one_of_the_newest([each for each in shop.listed("charge") if each["status"] == "succeeded"], who)
    left = charge["amount"] - charge["amount_refunded"]
    amount = one_of([part for part in (left, left // 2, 100) if 0 < part <= left], how)
    answer = shop.gateways.post(
        "/v1/refunds",
        data={"charge": charge["id"], "amount": amount},
        headers={"Authorization": "Bearer sk_test_payproc"},
    )
    _possible(answer.status_code < 300)


def end_a_refund(shop: Shop, who: int, how: int) -> None:
    refund = one_of_the_newest([each for each in shop.listed("refund") if each["status"] != "failed"], who)
    _possible(shop.at_gateway(f"refunds/{refund['id']}/{(Ending.SUCCEED, Ending.FAIL, Ending.CANCEL)[how % 3]}"))


def dispute(shop: Shop, who: int, how: int) -> None:
    intent = one_of([each for each in shop.listed("payment_intent") if each["status"] == "succeeded"], who)
    _possible(shop.at_gateway(f"payment_intents/{intent['id']}/dispute", inquiry=how % 2 == 0))


def move_a_dispute(shop: Shop, who: int, how: int) -> None:
    found = one_of(shop.listed("dispute"), who)
    _possible(shop.at_gateway(f"disputes/{found['id']}/{one_of(list(DisputeStep), how)}"))


def pay_out(shop: Shop, _who: int, _how: int) -> None:
    _possible(shop.at_gateway("payouts"))


# operators


def settle_a_question(shop: Shop, who: int, how: int) -> None:
    review = one_of(shop.open_reviews(), who)
    settle(shop, review, how)


def settle(shop: Shop, review: Review, how: int) -> None:
    """Answer a review as an operator does who has looked at the gateway first."""
    with shop.app.database.transaction() as session:
        actions.resolve_review(session, review.id, resolution="looked at it", decision=_decision(review, how))


def _decision(review: Review, how: int) -> OperatorAction | None:
    match review.kind:
        case ReviewKind.REFUND_APPROVAL:
            return (OperatorAction.APPROVED, OperatorAction.REJECTED)[how % 2]
        case ReviewKind.REFUND_UNSETTLED | ReviewKind.REFUND_MANUAL:
            raise NothingToDo
        case _:
            return None


def requeue(shop: Shop, who: int, _: int) -> None:
    job = one_of(shop.dead_jobs(), who)
    with shop.app.database.transaction() as session:
        actions.requeue_job(session, session.merge(job, load=True))


# fate


def pass_time(shop: Shop, who: int, how: int) -> None:
    # Short waits are many, and a day is one.
    shop.pass_time(_TIMES[min(who % len(_TIMES), how % len(_TIMES))])


# Those of Stripe's that we call; the last ones oftener, for money goes by them.
_STRIPES_CALLS = (
    "GET /v1/checkout/sessions",
    "GET /v1/customers",
    "GET /v1/disputes",
    "GET /v1/disputes/{id}",
    "GET /v1/events",
    "GET /v1/payment_intents",
    "GET /v1/payouts",
    "GET /v1/balance_transactions",
    "GET /v1/refunds",
    "GET /v1/refunds/{id}",
    *("POST /v1/checkout/sessions", "POST /v1/refunds") * 3,
    *("POST /v1/checkout/sessions/{id}/expire", "POST /v1/customers", "GET /v1/checkout/sessions/{id}") * 2,
)


def break_stripe(shop: Shop, who: int, how: int) -> None:
    _break(shop, one_of(_STRIPES_CALLS, who), how)


def break_a_wallet(shop: Shop, who: int, how: int) -> None:
    _break(shop, one_of(sorted(WALLETS_CALLS), who), how)


def _break(shop: Shop, operation: str, how: int) -> None:
    fault = one_of(_FAULTS, how)
    _possible(shop.at_gateway("faults", operation=operation, fault=fault, times=1 + how % 2, seconds=0))
    shop.fate.met[f"{operation}: {fault}"] += 1


def break_the_mail(shop: Shop, who: int, _: int) -> None:
    shop.post.troubles += 1 + who % 3


def doom(shop: Shop, who: int, how: int) -> None:
    shop.fate.doom((Blow.DEATH, Blow.DEATH, Blow.LOST_CONNECTION)[who % 3], after=how % 12)


def interrupt(shop: Shop, who: int, how: int) -> None:
    def others() -> None:
        befall(shop, one_of(_IN_BETWEEN, who), who // 7, how // 5)

    # Most transactions are shorter, and some are longer.
    shop.fate.interrupt(others, after=how % 23)


def _possible(happened: bool) -> None:
    if not happened:
        raise NothingToDo


_IN_BETWEEN: Sequence[Action] = (
    *(do_some_work, do_some_work, do_some_work, do_work_twice),
    *(bring_an_event, bring_a_wallets_notice, act_at_the_page, act_at_the_wallet),
    *(send_what_is_due, pass_time, call_off, ask_for_a_refund, ask_again),
)

WEIGHTS: dict[Action, int] = {
    take_card_payment: 10,
    take_wallet_payment: 6,
    send_what_is_due: 12,
    do_some_work: 20,
    work_and_die: 18,
    work_beside_others: 18,
    race_for_a_payment: 6,
    do_work_twice: 3,
    lose_a_message: 2,
    wipe_the_broker: 1,
    tick: 3,
    act_at_the_page: 18,
    act_at_the_wallet: 4,
    bring_an_event: 18,
    drop_an_event: 2,
    bring_a_wallets_notice: 5,
    call_off: 3,
    ask_again: 6,
    ask_for_a_refund: 7,
    give_back_in_the_dashboard: 2,
    end_a_refund: 4,
    dispute: 1,
    move_a_dispute: 2,
    pay_out: 1,
    settle_a_question: 2,
    requeue: 1,
    pass_time: 12,
    break_stripe: 8,
    break_a_wallet: 4,
    break_the_mail: 1,
    doom: 3,
    interrupt: 3,
}
BY_NAME: dict[str, Action] = {action.__name__: action for action in WEIGHTS}


def befall(shop: Shop, action: Action, who: int, how: int) -> None:
    """Let an action happen, and end it as its process ends: done, refused, dead, or with nobody to do it to."""
    try:
        action(shop, who, how)
    except NothingToDo:
        shop.done["nobody there"] += 1
    except Death:
        shop.done["died"] += 1
    except PayprocError as refused:
        shop.done[f"refused: {refused.code}"] += 1
    except PASSING_TROUBLE:
        # The front says 503, and the client may come again.
        shop.done["unavailable"] += 1
    else:
        shop.done[action.__name__] += 1
