"""What customers ask of the shop."""

from payproc.domain.money import Money
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import OPEN, PaymentStatus
from payproc.flows import cancel, checkout, request_refund
from payproc.operations import actions
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from tests.simulation.actions.choosing import one_of_the_newest
from tests.simulation.shop import Shop

_AMOUNTS = (1999, 50, 480_200, 480_300, 400_200, 470_100, 470_200, 470_300, 470_400, 470_500)


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
    open_ones = [each for each in shop.payments() if each.status in OPEN and each.payment_method == STRIPE]
    payment = one_of_the_newest(open_ones, who)
    with shop.app.database.transaction() as session:
        cancel.request_cancel(shop.app, session, payment.id, user=shop.operator)


def ask_for_a_refund(shop: Shop, who: int, how: int) -> None:
    """Ask for money back: of its owner an operator decides, and staff's goes ahead."""
    payment = one_of_the_newest([each for each in shop.payments() if each.status is PaymentStatus.COMPLETED], who)
    part = Money.of(max(1, payment.amount_minor // (1 + how % 3)), payment.currency)
    owner = next(each for each in shop.customers if each.id == payment.user_id)
    user = owner if how // 4 % 2 else shop.operator
    with shop.app.database.transaction() as session:
        request_refund.request_refund(shop.app, session, payment.id, user=user, money=None if how % 4 == 0 else part)


def ask_for_a_wallets_refund(shop: Shop, who: int, how: int) -> None:
    """Ask as its owner for the money of a wallet's payment: an operator decides, and mostly a person gives it back."""
    completed = [each for each in shop.payments() if each.status is PaymentStatus.COMPLETED]
    payment = one_of_the_newest([each for each in completed if each.payment_method != STRIPE], who)
    owner = next(each for each in shop.customers if each.id == payment.user_id)
    part = Money.of(payment.amount_minor // (1 + how % 2), payment.currency)
    with shop.app.database.transaction() as session:
        request_refund.request_refund(shop.app, session, payment.id, user=owner, money=part)


def ask_again(shop: Shop, who: int, _: int) -> None:
    """Have the provider asked now, as an operator may, and a customer who comes back."""
    payment = one_of_the_newest([payment for payment in shop.payments() if payment.status in OPEN], who)
    with shop.app.database.transaction() as session:
        actions.ask_again(session, session.merge(payment))
