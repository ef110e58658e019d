"""An order is paid once, however many ways are tried."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payproc.database.models import Email, Order, OrderStatus, Payment, ReviewKind, User
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.customer import CustomerRequest
from payproc.domain.requests.order import Item
from payproc.domain.states import PaymentStatus
from payproc.errors import Conflict, InvalidRequest
from payproc.providers.stripe import STRIPE
from payproc.records import orders
from payproc.records.identity.customers import named_customer
from tests.support.shops.orders import attempt, order_of
from tests.support.world import World


def pay(world: World, payment: Payment) -> None:
    world.act(world.payment(payment.id), "pay")
    world.deliver_all(world.payment(payment.id))
    world.drain()


def read(world: World, order: Order) -> Order:
    with world.app.database.transaction() as session:
        return session.get_one(Order, order.id)


def test_a_payment_of_a_shops_order_is_its_customers_and_the_shops(world: World, shop: User) -> None:
    with world.app.database.transaction() as session:
        wanted = CustomerRequest(email="amina@example.com", name="Amina Khan")
        amina = named_customer(session, wanted, by=shop, cipher=world.app.payer_cipher)
    order = order_of(world, shop, payer=amina)
    payment = attempt(world, order, user=shop)
    world.drain()
    pay(world, payment)
    assert (payment.user_id, payment.shop_id, payment.order_id) == (amina.id, shop.id, order.id)
    assert payment.success_url == f"https://example.com/thanks?payment={payment.id}"
    assert read(world, order).status is OrderStatus.PAID
    assert [mail.recipient for mail in world.rows(Email)] == ["amina@example.com"]
    (known,) = world.stripe().v1.customers.list({"email": "amina@example.com"}).data
    assert known.name == "Amina Khan"


def test_an_order_of_nobody_known_makes_no_customer_at_stripe_and_mails_nobody(world: World, shop: User) -> None:
    order = order_of(world, shop)
    payment = attempt(world, order, user=shop)
    world.drain()
    pay(world, payment)
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert world.requests_to("POST /v1/customers") == []
    assert world.requests_to("POST /v1/checkout/sessions") != []
    assert world.rows(Email) == []


def test_when_one_attempt_is_paid_the_other_open_sessions_are_expired_at_once(world: World, shop: User) -> None:
    order = order_of(world, shop)
    first, second, third = (attempt(world, order, user=shop) for _ in range(3))
    world.drain()
    pay(world, second)
    assert [world.status(each.id) for each in (first, second, third)] == [
        PaymentStatus.CANCELLED,
        PaymentStatus.COMPLETED,
        PaymentStatus.CANCELLED,
    ]
    assert {session["status"] for session in sessions(world)} == {"complete", "expired"}
    assert world.reviews() == []


def sessions(world: World) -> list[dict[str, str]]:
    return [world.stripe().v1.checkout.sessions.retrieve(name).to_dict() for name in world.sessions_at_stripe()]


def test_an_attempt_that_waits_when_its_order_is_paid_never_begins(world: World, shop: User) -> None:
    order = order_of(world, shop)
    paid = attempt(world, order, user=shop)
    world.drain()
    waiting = attempt(world, order, user=shop)
    world.act(world.payment(paid.id), "pay")
    with world.app.database.transaction() as session:
        session.get_one(Order, order.id).status = OrderStatus.PAID
    begun = len(world.sessions_at_stripe())
    world.drain()
    assert world.status(waiting.id) is PaymentStatus.CANCELLED
    assert len(world.sessions_at_stripe()) == begun
    world.deliver_all(world.payment(paid.id))
    world.drain()


def test_two_attempts_paid_in_one_second_ask_a_person_once(world: World, shop: User) -> None:
    order = order_of(world, shop)
    attempts = [attempt(world, order, user=shop) for _ in range(2)]
    world.drain()
    for each in attempts:
        world.act(world.payment(each.id), "pay")
    for each in attempts:
        world.deliver_all(world.payment(each.id))
    world.drain()
    assert {world.status(each.id) for each in attempts} == {PaymentStatus.COMPLETED}
    assert [review.kind for review in world.reviews()] == [ReviewKind.PAID_TWICE]
    assert read(world, order).status is OrderStatus.PAID


def test_an_order_whose_time_is_over_takes_no_payment_and_calls_off_what_is_open(world: World, shop: User) -> None:
    order = order_of(world, shop, expires_at=datetime.now(UTC) + timedelta(hours=1))
    begun = attempt(world, order, user=shop)
    world.drain()
    world.age("orders", order.id, expires_at="2 hours")
    with pytest.raises(Conflict, match="no more"):
        attempt(world, order, user=shop)
    world.make_due()
    world.drain()
    assert read(world, order).status is OrderStatus.EXPIRED
    assert world.status(begun.id) is PaymentStatus.CANCELLED


def test_what_was_paid_as_its_order_ended_is_counted(world: World, shop: User) -> None:
    order = order_of(world, shop)
    begun = attempt(world, order, user=shop)
    world.drain()
    world.act(world.payment(begun.id), "pay")
    with world.app.database.transaction() as session:
        orders.close(session, order.id)
    world.drain()
    world.deliver_all(world.payment(begun.id))
    world.drain()
    assert (read(world, order).status, world.status(begun.id)) == (OrderStatus.PAID, PaymentStatus.COMPLETED)


def test_a_closed_order_stays_closed_and_a_paid_one_cannot_be(world: World, shop: User) -> None:
    order, paid = order_of(world, shop), order_of(world, shop, reference="A-2")
    payment = attempt(world, paid, user=shop)
    world.drain()
    pay(world, payment)
    with world.app.database.transaction() as session:
        assert orders.close(session, order.id).status is OrderStatus.CLOSED
        assert orders.close(session, order.id).status is OrderStatus.CLOSED
        with pytest.raises(Conflict, match="paid already"):
            orders.close(session, paid.id)
    with pytest.raises(Conflict) as refused:
        attempt(world, order, user=shop)
    assert refused.value.code == "order_closed"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "expiry_invalid"),
        ({"methods": []}, "methods_empty"),
        ({"methods": [PaymentMethod("jazz_cash")]}, "method_unsupported"),
        ({"items": [Item(name="Mango", quantity=2, amount_minor=999)]}, "items_do_not_add_up"),
        ({"success_url": "https://elsewhere.org/"}, "redirect_refused"),
    ],
)
def test_an_order_that_nobody_could_pay_is_refused(world: World, shop: User, words: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        order_of(world, shop, **words)
    assert refused.value.code == code
    assert world.rows(Order) == []


def test_a_shop_has_each_reference_once_and_another_shop_may_have_it_too(world: World, shop: User) -> None:
    first = order_of(world, shop)
    with pytest.raises(Conflict) as refused:
        order_of(world, shop)
    assert (refused.value.code, refused.value.subject) == ("order_exists", first.id)
    assert order_of(world, world.customer).reference == "A-1"


def test_an_order_is_paid_by_the_methods_it_names(world: World, shop: User) -> None:
    order = order_of(world, shop, methods=[STRIPE])
    with world.app.database.transaction() as session:
        session.get_one(Order, order.id).methods = ["easy_paisa"]
    with pytest.raises(InvalidRequest) as refused:
        attempt(world, order, user=shop)
    assert refused.value.code == "order_method_differs"
