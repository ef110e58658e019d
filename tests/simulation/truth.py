"""What the gateways know of a payment or a refund of ours: whom operators ask, and the judges."""

from enum import StrEnum
from typing import Any

from payproc.database.models import Payment, Refund
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from sandbox.stripe.account.outcomes import Action as AtPage
from sandbox.wallets.actions import Action
from sandbox.wallets.transactions import Gateway, State, Transaction
from tests.simulation.shop import Shop

Object = dict[str, Any]


class Standing(StrEnum):
    """What became of a payment at its gateway."""

    OPEN = "open"  # it may still be paid
    PAID = "paid"
    OVER = "over"


_WALLETS_STANDING = {
    State.INITIATED: Standing.OPEN,
    State.PENDING: Standing.OPEN,
    State.PAID: Standing.PAID,
    State.FAILED: Standing.OVER,
    State.DROPPED: Standing.OVER,
    State.EXPIRED: Standing.OVER,
    State.REVERSED: Standing.OVER,
}


def gateway_of(payment: Payment) -> Gateway:
    """Name the wallet of a payment."""
    return Gateway.JAZZCASH if payment.payment_method == JAZZ_CASH else Gateway.EASYPAISA


def at_wallet(shop: Shop, payment: Payment) -> Transaction | None:
    """Return what a wallet has of a payment."""
    return shop.wallets.ledger.get(gateway_of(payment), payment.reference)


def is_of_our_amount(shop: Shop, payment: Payment) -> bool:
    """Tell whether a gateway says of a payment the amount that was asked for."""
    found = at_wallet(shop, payment) if payment.payment_method != STRIPE else None
    return found is None or found.told_amount == payment.amount_minor


def sessions_of(shop: Shop, payment: Payment) -> list[Object]:
    """Return every session at Stripe that names a payment, whoever made it."""
    return [each for each in shop.listed("checkout.session") if each["metadata"].get("payment_id") == payment.id]


def is_what_pays(payment: Payment, session: Object) -> bool:
    """Tell whether a session is the one that a payment is paid by: it may be known by its intent alone."""
    if payment.stripe_payment_intent_id and session["payment_intent"]:
        return bool(session["payment_intent"] == payment.stripe_payment_intent_id)
    return bool(session["id"] == payment.stripe_session_id)


def standing(shop: Shop, payment: Payment) -> Standing:
    """Say what became of a payment at its gateway; of Stripe by the session that ours is paid by."""
    if payment.payment_method != STRIPE:
        found = at_wallet(shop, payment)
        # A call that was never heard of may still be on its way.
        return Standing.OPEN if found is None else _WALLETS_STANDING[found.state]
    session = next((each for each in sessions_of(shop, payment) if is_what_pays(payment, each)), None)
    if session is None:
        return Standing.OPEN
    if session["payment_status"] == "paid":
        return Standing.PAID
    intent = {each["id"]: each for each in shop.listed("payment_intent")}.get(session["payment_intent"] or "")
    is_over = session["status"] == "expired" or (
        session["status"] == "complete" and (intent is None or intent["status"] != "processing")
    )
    return Standing.OVER if is_over else Standing.OPEN


def charges_beside(shop: Shop, payment: Payment) -> list[Object]:
    """Return what was collected for a payment by another session than the one that it is paid by."""
    others = [each for each in sessions_of(shop, payment) if not is_what_pays(payment, each)]
    intents = {each["payment_intent"] for each in others if each["payment_status"] == "paid"}
    charges = [each for each in shop.listed("charge") if each["status"] == "succeeded"]
    return [each for each in charges if each["payment_intent"] in intents]


def reverse(shop: Shop, payment: Payment) -> bool:
    """Give a wallet's payment back in its portal, whole; tell whether it could be done."""
    found = at_wallet(shop, payment)
    if found is None or found.state is not State.PAID:
        return False
    shop.wallets.act(gateway_of(payment), payment.reference, Action.REVERSE)
    return True


def decline(shop: Shop, payment: Payment) -> None:
    """Have a payment refused that nobody has paid yet: on the phone, or by a bank that was asked for it."""
    if payment.payment_method == STRIPE:
        shop.at_gateway(f"sessions/{payment.stripe_session_id}/{AtPage.PAY_LATER}")
        shop.at_gateway(f"sessions/{payment.stripe_session_id}/{AtPage.FAIL}")
    elif at_wallet(shop, payment) is not None:
        shop.wallets.act(gateway_of(payment), payment.reference, Action.DECLINE)


def give_back_by_hand(shop: Shop, refund: Refund) -> bool:
    """Give a part of a payment back in its wallet's portal; tell whether it could be done."""
    payment = shop.one(Payment, refund.payment_id)
    found = at_wallet(shop, payment)
    if found is None or found.state is not State.PAID or found.refunded + refund.amount_minor > found.amount:
        return False

    def edit(transaction: Transaction) -> None:
        transaction.refunded += refund.amount_minor
        transaction.refunds.append({"at": shop.wallets.now(), "amount": refund.amount_minor})

    shop.wallets.ledger.change(gateway_of(payment), payment.reference, edit)
    return True


def is_given_back(shop: Shop, refund: Refund) -> bool:
    """Look a refund up: by our mark at Stripe, by its amount at a wallet."""
    payment = shop.one(Payment, refund.payment_id)
    if payment.payment_method == STRIPE:
        marked = [each for each in shop.listed("refund") if (each["metadata"] or {}).get("refund_id") == refund.id]
        return any(each["status"] in ("succeeded", "pending", "requires_action") for each in marked)
    found = at_wallet(shop, payment)
    known = [each for each in shop.refunds() if each.payment_id == payment.id and each.status == "succeeded"]
    given = found.refunded if found is not None else 0
    return given - sum(each.amount_minor for each in known) >= refund.amount_minor
