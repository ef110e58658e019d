"""What customers do at the gateways' pages, what banks do after them, and the words that come to us of it."""

from typing import Any

from payproc.domain.states import TERMINAL
from sandbox.stripe.account.disputes import Step as DisputeStep
from sandbox.stripe.account.outcomes import Action as AtPage
from sandbox.stripe.account.refunds import Ending
from sandbox.wallets.actions import Action as AtWallet
from sandbox.wallets.actions import possible_actions
from sandbox.wallets.transactions import Gateway, State, Transaction
from tests.simulation.actions.choosing import one_of, one_of_the_newest, possible
from tests.simulation.shop import Shop

_AT_PAGE = (
    *(AtPage.PAY, AtPage.PAY, AtPage.PAY, AtPage.DECLINE, AtPage.PAY_LATER),
    *(AtPage.SETTLE, AtPage.SETTLE, AtPage.FAIL, AtPage.EXPIRE),
)
_OF_AN_OPEN_ONE = (AtPage.PAY, AtPage.DECLINE, AtPage.PAY_LATER, AtPage.EXPIRE)


def act_at_the_page(shop: Shop, who: int, how: int) -> None:
    action = _AT_PAGE[how % 9]
    unpaid = [each for each in shop.listed("checkout.session") if each["payment_status"] == "unpaid"]
    status = "open" if action in _OF_AN_OPEN_ONE else "complete"
    session = one_of_the_newest([each for each in unpaid if each["status"] == status], who)
    possible(shop.at_gateway(f"sessions/{session['id']}/{action}"))


def think_at_the_page(shop: Shop, who: int, how: int) -> None:
    """Have a bank take its time over a card, and refuse it: the intent is `processing` for a while, its session open.

    "The PaymentIntent lifecycle" (docs.stripe.com, November 2026).
    """
    session = one_of_the_newest([each for each in shop.listed("checkout.session") if each["status"] == "open"], who)
    possible(shop.at_gateway(f"sessions/{session['id']}/{AtPage.DECLINE}"))
    intents = {each["id"]: each for each in shop.listed("payment_intent")}
    declined = next(each for each in shop.listed("checkout.session") if each["id"] == session["id"])
    at_the_bank = {"status": "processing", "last_payment_error": None}
    told = shop.bank.emit("payment_intent.processing", intents[declined["payment_intent"]] | at_the_bank)
    if how % 2:
        shop.deliver(next(event for event in shop.listed("event") if event["id"] == told))
    if how % 4 == 1:
        # And the customer leaves it at that.
        shop.at_gateway(f"sessions/{session['id']}/{AtPage.EXPIRE}")


def act_at_the_wallet(shop: Shop, who: int, how: int) -> None:
    """Do what a customer does on the phone; now and then what a wallet does that changes its mind."""
    gateway = (Gateway.JAZZCASH, Gateway.EASYPAISA)[how % 2]
    transaction = one_of_the_newest([each for each in shop.wallets.ledger.all_of(gateway) if _may_move(each, how)], who)
    shop.wallets.act(gateway, transaction.reference, one_of(possible_actions(transaction.state), how // 2))


def _may_move(transaction: Transaction, how: int) -> bool:
    return transaction.state is not State.REVERSED and (how % 3 == 0 or transaction.state is State.PENDING)


# Of the wallet's own words: what it says first, and what comes of it after all.
_LOST = (State.FAILED, State.DROPPED, State.EXPIRED)
_AT_FIRST = (AtWallet.DECLINE, AtWallet.CANCEL, AtWallet.EXPIRE)


def change_its_mind(shop: Shop, who: int, how: int) -> None:
    """Have a wallet say no and take the money after all, or give it back again; of it all the last word comes first."""
    of_wallet = shop.wallets.ledger.all_of(Gateway.JAZZCASH)
    transaction = one_of_the_newest([each for each in of_wallet if each.state in (State.PENDING, *_LOST)], who)
    first = [_AT_FIRST[how % 3]] if transaction.state is State.PENDING else []
    words = [*first, AtWallet.LATE_SUCCESS, *[AtWallet.REVERSE][: how // 3 % 3]]
    for word in words:
        shop.wallets.act(Gateway.JAZZCASH, transaction.reference, word)
    told = [each for each in shop.notices_waiting() if each["reference"] == transaction.reference]
    # Those of before wait for a later turn.
    for notice in told[-len(words) + len(first) :]:
        shop.bring_notice(notice)


def bring_an_event(shop: Shop, who: int, how: int) -> None:
    events = [event for event in shop.listed("event") if event["id"] not in shop.dropped]
    new = [event for event in events if event["id"] not in shop.delivered]
    # Now and then one that was brought already.
    shop.deliver(one_of_the_newest(events if how % 8 == 0 else new, who))


def bring_a_late_event(shop: Shop, who: int, how: int) -> None:
    """Bring word of a payment that has ended here."""
    ended = {each.id: each.status for each in shop.payments() if each.status in TERMINAL}
    late = [(ended[about], event) for event in shop.undelivered() if (about := _payment_of(event)) in ended]
    # Those that were given back, or called off, are fewer than the completed ones.
    status = one_of(sorted({status for status, _ in late}), who)
    shop.deliver(one_of([event for of_status, event in late if of_status is status], how))


def _payment_of(event: dict[str, Any]) -> str:
    return str((event["data"]["object"].get("metadata") or {}).get("payment_id"))


def drop_an_event(shop: Shop, who: int, _: int) -> None:
    shop.dropped.add(one_of([event["id"] for event in shop.undelivered()], who))
    shop.fate.met["an event that never comes"] += 1


def bring_a_wallets_notice(shop: Shop, who: int, _: int) -> None:
    shop.bring_notice(one_of(shop.notices_waiting(), who))


def give_back_in_the_dashboard(shop: Shop, who: int, how: int) -> None:
    charge = one_of_the_newest([each for each in shop.listed("charge") if each["status"] == "succeeded"], who)
    left = charge["amount"] - charge["amount_refunded"]
    amount = one_of([part for part in (left, left // 2, 100) if 0 < part <= left], how)
    possible(shop.give_back_at_stripe(charge["id"], amount))


def end_a_refund(shop: Shop, who: int, how: int) -> None:
    """Have a bank carry a refund out, or return it; or cancel it in the Dashboard.

    There a card's refund can be cancelled for a while although it `succeeded`, and one that has failed as well
    ("Canceling a refund", support.stripe.com, November 2026).
    """
    refund = one_of_the_newest(shop.listed("refund"), who)
    ending = (Ending.SUCCEED, Ending.FAIL, Ending.CANCEL)[how % 3]
    possible(end(shop, refund["id"], ending if refund["status"] != "failed" else Ending.CANCEL))
    if how // 3 % 2:
        bring_the_last_word(shop, refund["id"])


def end(shop: Shop, refund_id: str, ending: Ending) -> bool:
    """Have a refund end; tell whether it could."""
    refund = next(each for each in shop.listed("refund") if each["id"] == refund_id)
    if refund["status"] != "failed" or ending is not Ending.CANCEL:
        return shop.at_gateway(f"refunds/{refund_id}/{ending}")
    refund["status"] = "canceled"
    shop.bank.save(refund)
    shop.bank.emit("refund.updated", refund)
    return True


def bring_the_last_word(shop: Shop, about: str) -> None:
    """Bring the last event about something before those that came before it."""
    shop.deliver(one_of([each for each in shop.undelivered() if each["data"]["object"]["id"] == about], -1))


def dispute(shop: Shop, who: int, how: int) -> None:
    intent = one_of([each for each in shop.listed("payment_intent") if each["status"] == "succeeded"], who)
    possible(shop.at_gateway(f"payment_intents/{intent['id']}/dispute", inquiry=how % 2 == 0))


def warn_of_fraud(shop: Shop, who: int, how: int) -> None:
    intent = one_of([each for each in shop.listed("payment_intent") if each["status"] == "succeeded"], who)
    possible(shop.at_gateway(f"payment_intents/{intent['id']}/warning", actionable=how % 3 > 0))


def move_a_dispute(shop: Shop, who: int, how: int) -> None:
    found = one_of(shop.listed("dispute"), who)
    possible(shop.at_gateway(f"disputes/{found['id']}/{one_of(list(DisputeStep), how)}"))


def pay_out(shop: Shop, _who: int, how: int) -> None:
    on_its_way = [each for each in shop.listed("payout") if each["status"] in ("in_transit", "paid")]
    if how % 3 == 0:
        possible(shop.at_gateway(f"payouts/{one_of(on_its_way, how)['id']}/fail"))
        return
    before = len(on_its_way)
    shop.at_gateway("payouts")
    possible(len(shop.listed("payout")) > before)


def pay_beside_us(shop: Shop, who: int, how: int) -> None:
    """Have another program of the merchant's take a payment of ours by a session of its own, under our mark.

    Of whatever status ours is: of the few that are cancelled or given back, too.
    """
    begun = [each for each in shop.payments() if each.stripe_session_id]
    status = one_of(sorted({each.status for each in begun}), who)
    payment = one_of_the_newest([each for each in begun if each.status is status], who // 4)
    amount = payment.amount_minor if how % 2 else payment.amount_minor + 100
    made = shop.session_beside_ours(payment, amount=amount)
    possible(made is not None and shop.at_gateway(f"sessions/{made}/{AtPage.PAY}"))
    if how // 2 % 2:
        bring_the_last_word(shop, str(made))
