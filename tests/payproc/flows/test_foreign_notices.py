"""A Stripe account that others use too: "we do not have it" and "it is not ours" are two states."""

from typing import Any

import pytest

from payproc.database.models import Notice, NoticeState, Payment, ReviewKind
from payproc.domain.money import Money
from payproc.domain.states import PaymentStatus
from payproc.flows.cancel import request_cancel
from payproc.settings.types import ForeignNotices
from tests.support.after_payment import refund, tell
from tests.support.world import World


def event(kind: str, found: dict[str, Any], *, key: str = "evt_1") -> dict[str, Any]:
    told = {"id": key, "object": "event", "type": kind, "livemode": False, "created": 1_764_500_000}
    return told | {"data": {"object": found | {"livemode": False}}}


INTENT: dict[str, Any] = {
    "id": "pi_theirs",
    "object": "payment_intent",
    "status": "succeeded",
    "amount_received": 500,
    "currency": "usd",
}
SESSION = {"id": "cs_theirs", "object": "checkout.session", "status": "complete", "payment_status": "paid"}
REFUND = {"id": "re_theirs", "object": "refund", "payment_intent": "pi_theirs", "amount": 500, "currency": "usd"}
DISPUTE = REFUND | {"id": "dp_theirs", "object": "dispute", "status": "needs_response"}


def state_of(world: World) -> tuple[NoticeState, str | None]:
    [notice] = world.rows(Notice)
    return notice.state, notice.reason


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("payment_intent.succeeded", INTENT | {"metadata": {}}),
        ("payment_intent.succeeded", INTENT | {"metadata": {"payment_id": "4711"}}),
        ("checkout.session.completed", SESSION | {"client_reference_id": "cart_12"}),
        # A Payment Link takes it from its address: it is whatever the payer wrote there.
        ("checkout.session.completed", SESSION | {"client_reference_id": "pay_01unknown", "payment_link": "plink_1"}),
        ("checkout.session.completed", SESSION | {"client_reference_id": "pay_01unknown", "payment_link": None}),
    ],
)
def test_a_payment_that_bears_no_mark_of_ours_is_ignored_and_asks_nobody(
    world: World, kind: str, found: dict[str, Any]
) -> None:
    world.deliver(event(kind, found))
    world.drain()
    state, reason = state_of(world)
    assert state is NoticeState.IGNORED
    assert "no mark of ours" in str(reason)
    assert world.reviews() == []


def test_one_that_bears_our_mark_waits_and_then_asks_a_person(world: World) -> None:
    world.deliver(event("payment_intent.succeeded", INTENT | {"metadata": {"payment_id": "pay_01unknown"}}))
    world.drain()
    assert state_of(world)[0] is NoticeState.PARKED
    old(world)
    assert state_of(world)[0] is NoticeState.DEAD
    assert [review.kind for review in world.reviews()] == [ReviewKind.ORPHAN_NOTICE]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("refund.created", REFUND),
        ("charge.dispute.created", DISPUTE),
        ("radar.early_fraud_warning.created", {"id": "issfr_1", "payment_intent": "pi_theirs", "actionable": True}),
    ],
)
def test_what_nobody_can_mark_has_time_to_find_its_payment_and_is_then_ignored(
    world: World, kind: str, found: dict[str, Any]
) -> None:
    world.deliver(event(kind, found))
    world.drain()
    assert state_of(world)[0] is NoticeState.PARKED
    old(world)
    assert state_of(world)[0] is NoticeState.IGNORED
    assert world.reviews() == []


def test_a_merchant_who_wants_to_know_is_asked(world: World) -> None:
    curious = world.with_settings(foreign_notices=ForeignNotices.REVIEW)
    curious.deliver(event("payment_intent.succeeded", INTENT))
    curious.drain()
    assert [review.kind for review in curious.reviews()] == [ReviewKind.ORPHAN_NOTICE]


def old(world: World) -> None:
    [notice] = world.rows(Notice)
    world.age("notices", notice.id, received_at="1 hour")
    world.make_due()
    world.drain()


class TestAnotherSalesMoney:
    """A session that somebody else made, which names a payment of ours where its payer could write."""

    def named(self, payment: Payment, **changes: Any) -> dict[str, Any]:
        paid = {"amount_total": 1999, "currency": "usd", "payment_intent": "pi_theirs", "metadata": {}}
        named = SESSION | paid | {"client_reference_id": payment.id, "payment_link": "plink_1"}
        return event("checkout.session.completed", named | changes)

    def test_does_not_complete_a_payment_that_was_cancelled_before_it_had_a_session(self, world: World) -> None:
        world.break_stripe("POST /v1/customers", "error_500_before", times=None)
        payment = world.checkout()
        world.drain()
        with world.app.database.transaction() as session:
            request_cancel(world.app, session, payment.id, user=world.customer)
        world.make_due()
        world.drain()
        assert world.status(payment.id) is PaymentStatus.CANCELLED
        world.deliver(self.named(payment))
        world.drain()
        assert world.status(payment.id) is PaymentStatus.CANCELLED
        assert world.payment(payment.id).stripe_session_id is None
        assert state_of(world)[0] is NoticeState.IGNORED
        assert world.reviews() == []

    @pytest.mark.parametrize("link", ["plink_1", None])
    def test_does_not_complete_a_payment_whose_session_is_not_made_yet(self, world: World, link: str | None) -> None:
        world.break_stripe("POST /v1/customers", "error_500_before", times=None)
        payment = world.checkout()
        world.drain()
        world.deliver(self.named(payment, payment_link=link))
        world.drain()
        assert world.payment(payment.id).stripe_session_id is None
        world.mend_stripe()
        world.make_due()
        world.drain()
        started = world.payment(payment.id)
        assert started.status is PaymentStatus.PENDING
        assert started.stripe_session_id not in (None, "cs_theirs")

    @pytest.mark.parametrize("mark", [{}, {"payment_id": "ours"}])
    def test_does_not_stop_our_own_asking(self, world: World, mark: dict[str, str]) -> None:
        payment = world.started()
        mark = dict.fromkeys(mark, payment.id)
        world.deliver(self.named(payment, amount_total=50, metadata=mark))
        world.drain()
        assert world.status(payment.id) is PaymentStatus.PENDING
        world.make_due()
        world.drain()  # a poll that finds it unpaid, after which the next must stand
        world.act(payment, "pay")
        world.make_due()
        world.drain()
        assert world.status(payment.id) is PaymentStatus.COMPLETED
        assert world.payment(payment.id).stripe_session_id == payment.stripe_session_id
        asked = [(each.kind, "0.50 USD" in each.detail) for each in world.reviews()]
        assert asked == ([(ReviewKind.PAID_ELSEWHERE, True)] if mark else [])

    def test_is_not_found_as_our_start_whose_answer_was_lost(self, world: World) -> None:
        world.break_stripe("POST /v1/checkout/sessions", "error_500_before", times=None)
        lost = world.checkout()
        world.drain()
        world.mend_stripe()
        [call] = [each for each in world.calls() if each.subject == lost.id]
        theirs = world.stripe().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": call.parameters["customer"],
                "client_reference_id": lost.id,
                "line_items": call.parameters["line_items"],
                "success_url": "https://example.com/",
            }
        )
        world.age("provider_calls", call.id, created_at="23 hours 30 minutes")
        for _ in range(2):
            world.make_due()
            world.drain()
        assert world.payment(lost.id).stripe_session_id not in (None, theirs.id)


class TestAWarningOfFraud:
    @pytest.fixture
    def paid(self, world: World) -> Payment:
        return world.paid(money=Money.of(10000, "usd"))

    def warned(self, world: World, paid: Payment, *, actionable: bool) -> list[str | None]:
        intent = world.payment(paid.id).stripe_payment_intent_id
        world.at_stripe(f"payment_intents/{intent}/warning", actionable=actionable)
        tell(world, paid, "radar.")
        return [review.resolution for review in world.reviews() if review.kind is ReviewKind.FRAUD_WARNING]

    def test_one_that_can_be_acted_on_asks_for_it_because_a_refund_averts_the_dispute(
        self, world: World, paid: Payment
    ) -> None:
        assert self.warned(world, paid, actionable=True) == [None]
        assert self.warned(world, paid, actionable=False) != [None]

    def test_one_that_cannot_asks_nobody(self, world: World, paid: Payment) -> None:
        refund(world, paid)
        world.drain()
        assert self.warned(world, paid, actionable=False) == []
