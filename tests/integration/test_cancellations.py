import pytest

from payproc.database.models import User
from payproc.domain.states import PaymentStatus
from payproc.errors import Conflict, NotFound
from payproc.flows.cancel import request_cancel
from payproc.records.identity.permissions import NotAllowed
from tests.support.world import World


def cancel(world: World, payment_id: str, user: User | None = None) -> None:
    with world.app.database.transaction() as session:
        request_cancel(world.app, session, payment_id, user=user or world.customer)


def test_an_open_payment_is_called_off_at_stripe(world: World) -> None:
    payment = world.started()
    cancel(world, payment.id)
    world.drain()

    assert world.status(payment.id) is PaymentStatus.CANCELLED
    [expired] = world.requests_to(f"POST /v1/checkout/sessions/{payment.stripe_session_id}/expire")
    assert expired["idempotency_key"] == f"test:cancel:{payment.id}:1"


def test_a_payment_paid_in_the_meantime_stays_paid(world: World) -> None:
    payment = world.started()
    cancel(world, payment.id)
    world.act(payment, "pay")
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED


def test_a_payment_that_was_never_started_is_cancelled_without_a_call(world: World) -> None:
    world.break_stripe("POST /v1/customers", "error_500_before", times=None)
    payment = world.checkout()
    world.drain()
    cancel(world, payment.id)
    world.make_due()
    world.drain()
    world.mend_stripe()
    world.make_due()
    world.drain()

    assert world.status(payment.id) is PaymentStatus.CANCELLED
    assert world.requests_to("POST /v1/checkout/sessions") == []


def test_a_start_whose_answer_was_lost_is_settled_before_it_is_cancelled(world: World) -> None:
    world.break_stripe("POST /v1/checkout/sessions", "timeout_after", times=None, seconds=0)
    payment = world.checkout()
    world.drain()
    cancel(world, payment.id)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING

    world.mend_stripe()
    for _ in range(3):
        world.make_due()
        world.drain()
    cancelled = world.payment(payment.id)
    assert cancelled.status is PaymentStatus.CANCELLED
    assert cancelled.stripe_session_id is not None


def test_only_an_open_payment_can_be_cancelled(world: World) -> None:
    payment = world.started()
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()

    with pytest.raises(Conflict, match="completed"):
        cancel(world, payment.id)


def test_another_customer_cannot_cancel_it_nor_an_operator(world: World, operator: User, admin: User) -> None:
    payment = world.started()
    stranger = User(id="usr_stranger", email="s@example.com", full_name="S", role=world.customer.role)
    with pytest.raises(NotFound):
        cancel(world, payment.id, stranger)
    with pytest.raises(NotAllowed):
        cancel(world, payment.id, operator)
    assert world.status(payment.id) is PaymentStatus.PENDING
    cancel(world, payment.id, admin)
