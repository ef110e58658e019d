from email.message import EmailMessage

from payproc.database.models import OrderStatus
from payproc.domain.states import Fact, PaymentStatus
from tests.support.world import World


def test_a_checkout_gets_a_session_where_the_customer_can_pay(world: World) -> None:
    payment = world.started()

    assert payment.status is PaymentStatus.PENDING
    assert payment.stripe_session_id is not None
    assert payment.next_action is not None
    assert payment.stripe_session_id in payment.next_action["url"]


def test_what_stripe_is_asked_names_our_payment_everywhere_and_no_payment_methods(world: World) -> None:
    payment = world.started()

    [sent] = world.requests_to("POST /v1/checkout/sessions")
    assert sent["params"]["client_reference_id"] == payment.id
    assert sent["params"]["metadata[payment_id]"] == payment.id
    assert sent["params"]["payment_intent_data[metadata][payment_id]"] == payment.id
    assert sent["params"]["line_items[0][price_data][unit_amount]"] == "1999"
    assert not [name for name in sent["params"] if name.startswith("payment_method_types")]
    assert sent["idempotency_key"] == f"test:start:{payment.id}:1"


def test_the_signed_webhook_completes_the_payment_and_one_receipt_leaves(
    world: World, posted: list[EmailMessage]
) -> None:
    payment = world.started()
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()

    paid = world.payment(payment.id)
    assert paid.status is PaymentStatus.COMPLETED
    assert paid.completed_at is not None
    assert paid.next_action is None
    assert paid.stripe_payment_intent_id is not None
    assert paid.stripe_charge_id is not None
    [receipt] = posted
    assert receipt["To"] == "Amina Khan <amina@example.com>"
    assert "19.99 USD" in receipt["Subject"]
    assert [event.fact for event in world.events(payment.id)][:2] == [Fact.CREATED, Fact.STARTED]


def test_an_event_delivered_twenty_times_is_stored_and_applied_once(world: World, posted: list[EmailMessage]) -> None:
    payment = world.started()
    world.act(payment, "pay")
    for _ in range(20):
        world.deliver_all(payment)
    world.drain()

    assert len(world.notices()) == len(world.stripe_events(payment))
    assert len([e for e in world.events(payment.id) if e.fact is Fact.PAID and e.effect == "moved"]) == 1
    assert len(posted) == 1


def test_a_declined_card_ends_nothing_and_the_next_card_pays(world: World) -> None:
    payment = world.started()
    world.act(payment, "decline")
    world.deliver_all(payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    assert Fact.ATTEMPT_DECLINED in [event.fact for event in world.events(payment.id)]

    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED


def test_a_delayed_payment_is_processing_until_it_settles(world: World, posted: list[EmailMessage]) -> None:
    payment = world.started()
    world.act(payment, "pay_later")
    world.deliver_all(payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PROCESSING
    assert posted == []

    world.act(payment, "settle")
    world.deliver_all(payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert len(posted) == 1


def test_a_delayed_payment_that_does_not_arrive_fails(world: World, posted: list[EmailMessage]) -> None:
    payment = world.started()
    world.act(payment, "pay_later")
    world.act(payment, "fail")
    world.deliver_all(payment)
    world.drain()

    failed = world.payment(payment.id)
    assert failed.status is PaymentStatus.FAILED
    assert failed.failure_code == "async_payment_failed"
    assert [message["Subject"] for message in posted] == [
        f"Your payment did not go through: 19.99 USD, {failed.reference}"
    ]


def test_an_expired_session_cancels_the_payment(world: World) -> None:
    payment = world.started()
    world.act(payment, "expire")
    world.deliver_all(payment)
    world.drain()

    assert world.status(payment.id) is PaymentStatus.CANCELLED
    assert world.payment(payment.id).failure_code == "expired"


def test_an_order_follows_its_payment(world: World) -> None:
    order = world.order("A-1")
    payment = world.started(order_id=order.id, money=None)
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()

    [followed] = world.rows(type(order))
    assert followed.status is OrderStatus.PAID
    assert world.payment(payment.id).amount_minor == 1999


def test_an_order_paid_twice_is_a_question_for_a_person(world: World) -> None:
    order = world.order("A-1")
    both = [world.started(order_id=order.id, money=None) for _ in range(2)]
    for payment in both:
        world.act(payment, "pay")
        world.deliver_all(payment)
    world.drain()

    assert {world.status(payment.id) for payment in both} == {PaymentStatus.COMPLETED}
    [review] = world.reviews()
    assert review.kind == "paid_twice"
    assert all(payment.id in review.detail for payment in both)
