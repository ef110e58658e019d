"""Money back, where two questions used to be one: may it be refunded, was it carried out, does the customer lack it."""

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from payproc.database.models import (
    Dispute,
    Email,
    EmailKind,
    Job,
    JobState,
    Payment,
    ProviderCall,
    Refund,
    Review,
    ReviewKind,
)
from payproc.domain.money import Money
from payproc.domain.states import PaymentStatus, RefundStatus
from payproc.errors import Conflict
from payproc.operations import actions
from tests.support.after_payment import FAILS_AT_ONCE, STAYS_PENDING, dispute, given, read, refund, tell
from tests.support.world import World

BALANCE_SHORT = 470600
ENOUGH = Money.of(500000, "usd")


@pytest.fixture
def paid(world: World) -> Payment:
    return world.paid(money=ENOUGH)


def act(world: World, payment: Payment, dispute_id: str, action: str) -> None:
    world.at_stripe(f"disputes/{dispute_id}/{action}")
    tell(world, payment, "charge.dispute.")


def in_the_dashboard(world: World, payment: Payment, **words: Any) -> str:
    made: Any = {"payment_intent": world.payment(payment.id).stripe_payment_intent_id, **words}
    return world.stripe().v1.refunds.create(made).id


def letters(world: World) -> list[EmailKind]:
    return [mail.kind for mail in world.rows(Email) if mail.kind is not EmailKind.RECEIPT and not mail.withdrawn_at]


def asked(world: World, kind: ReviewKind) -> list[Review]:
    return [review for review in world.reviews() if review.kind is kind and review.resolved_at is None]


class TestADisputeIsNotWhetherTheChargeCanBeRefunded:
    def test_an_inquiry_is_settled_by_the_refund_it_asks_about(self, world: World, paid: Payment) -> None:
        dispute(world, paid, inquiry=True)
        assert given(world, paid).status is RefundStatus.SUCCEEDED

    def test_beside_a_chargeback_nothing_is_given_back(self, world: World, paid: Payment) -> None:
        dispute(world, paid)
        with pytest.raises(Conflict, match="disputed"):
            refund(world, paid)

    def test_after_a_lost_one_a_refund_is_refused_before_anything_is_written(self, world: World, paid: Payment) -> None:
        named = dispute(world, paid)
        act(world, paid, named, "lose")
        with pytest.raises(Conflict, match="lost"):
            refund(world, paid)
        assert world.rows(Refund) == []
        assert letters(world) == []

    @pytest.mark.parametrize("refundable", [True, False])
    def test_after_a_won_one_it_is_as_the_provider_says(self, world: World, paid: Payment, *, refundable: bool) -> None:
        named = dispute(world, paid)
        act(world, paid, named, "win")
        [last] = [event for event in world.every_event() if event["type"] == "charge.dispute.closed"]
        told = {**last["data"]["object"], "is_charge_refundable": refundable}
        world.deliver(last | {"id": "evt_again", "created": last["created"] + 1, "data": {"object": told}})
        world.drain()
        [found] = world.rows(Dispute)
        assert found.charge_refundable is refundable
        if refundable:
            assert refund(world, paid).status is RefundStatus.PENDING
        else:
            with pytest.raises(Conflict, match="won"):
                refund(world, paid)


class TestACallNotCarriedOutIsNotMoneyTheCustomerLacks:
    @pytest.mark.parametrize("amount", [None, 300000])
    def test_what_was_given_back_in_the_dashboard_supersedes_ours(
        self, world: World, paid: Payment, amount: int | None
    ) -> None:
        """Stripe refuses ours as `charge_already_refunded`, or as more than is left; its webhook comes later."""
        there = in_the_dashboard(world, paid, **({} if amount is None else {"amount": amount}))
        ours = given(world, paid)

        assert (ours.status, ours.provider_refund_id) == (RefundStatus.CANCELLED, None)
        [other] = [each for each in world.rows(Refund) if each.id != ours.id]
        assert (other.provider_refund_id, other.status) == (there, RefundStatus.SUCCEEDED)
        tell(world, paid, "refund.")
        assert len(world.rows(Refund)) == 2
        assert letters(world) == [EmailKind.REFUND]
        assert [review.kind for review in world.reviews() if review.resolved_at is None] == []
        whole = PaymentStatus.REFUNDED if amount is None else PaymentStatus.COMPLETED
        assert world.status(paid.id) is whole

    def test_nor_where_the_customers_bank_has_taken_it_back(self, world: World, paid: Payment) -> None:
        ours = refund(world, paid)
        world.at_stripe(f"payment_intents/{world.payment(paid.id).stripe_payment_intent_id}/dispute")
        world.drain()

        assert (read(world, ours).status, read(world, ours).failure_code) == (RefundStatus.CANCELLED, "charge_disputed")
        assert letters(world) == []


class TestALetterThatPromisesWorkIsStagedWithAReview:
    def test_of_a_refund_that_fails_at_once(self, world: World, paid: Payment) -> None:
        made = given(world, paid, FAILS_AT_ONCE)
        assert made.status is RefundStatus.FAILED
        assert letters(world) == [EmailKind.REFUND_FAILED]
        assert [review.subject for review in asked(world, ReviewKind.REFUND_FAILED)] == [made.id]

    def test_of_one_that_fails_at_the_bank(self, world: World, paid: Payment) -> None:
        made = given(world, paid, STAYS_PENDING)
        world.at_stripe(f"refunds/{made.provider_refund_id}/fail")
        tell(world, paid, "refund.")
        tell(world, paid, "refund.")
        assert letters(world) == [EmailKind.REFUND_FAILED]
        assert [review.subject for review in asked(world, ReviewKind.REFUND_FAILED)] == [made.id]

    def test_of_one_that_had_succeeded_one_review_asks_it(self, world: World, paid: Payment) -> None:
        made = given(world, paid)
        world.at_stripe(f"refunds/{made.provider_refund_id}/fail")
        tell(world, paid, "refund.")
        assert EmailKind.REFUND_FAILED in letters(world)
        assert [review.kind for review in world.reviews()] == [ReviewKind.REFUND_UNDONE]


class TestARefusalFromExecutionClosesTheCall:
    def test_a_refund_for_which_the_balance_was_short_goes_out_under_a_new_key(
        self, world: World, paid: Payment
    ) -> None:
        world.break_stripe("POST /v1/refunds", "balance_short")
        made = given(world, paid)
        assert made.status is RefundStatus.PENDING
        [review] = asked(world, ReviewKind.JOB_DEAD)
        assert "insufficient_balance_for_refund" in review.detail
        assert "top up your balance" in review.detail
        [dead] = [job for job in world.rows(Job) if job.state is JobState.DEAD]

        with world.app.database.transaction() as session:
            actions.requeue_job(session, session.get_one(Job, dead.id))
        world.drain()
        assert read(world, made).status is RefundStatus.SUCCEEDED
        keys = [call.idempotency_key for call in world.rows(ProviderCall) if call.subject == made.id]
        assert len(set(keys)) == 2

    def test_so_does_a_session(self, world: World) -> None:
        world.break_stripe("POST /v1/checkout/sessions", "balance_short")
        payment = world.checkout()
        world.drain()
        [dead] = [job for job in world.rows(Job) if job.state is JobState.DEAD]
        with world.app.database.transaction() as session:
            actions.requeue_job(session, session.get_one(Job, dead.id))
        world.drain()
        assert world.payment(payment.id).stripe_session_id is not None
        assert len(world.sessions_at_stripe()) == 1

    def test_not_where_an_earlier_sending_was_lost_and_nothing_is_kept(self, world: World, paid: Payment) -> None:
        """The first may have been executed: under a new key there would be two."""
        world.break_stripe("POST /v1/refunds", "error_502_after", times=None)
        made = given(world, paid)
        world.mend_stripe()
        world.make_due()
        world.drain()
        assert read(world, made).status is RefundStatus.SUCCEEDED
        assert len([call for call in world.rows(ProviderCall) if call.subject == made.id]) == 1


def test_a_pending_refund_says_what_it_waits_for_and_asks_who_can_end_it(world: World, paid: Payment) -> None:
    made = given(world, paid, BALANCE_SHORT)
    assert (made.status, made.pending_reason) == (RefundStatus.PENDING, "insufficient_funds")
    [review] = asked(world, ReviewKind.REFUND_WAITS)
    assert (review.subject, "top up" in review.detail) == (made.id, True)

    world.at_stripe(f"refunds/{made.provider_refund_id}/succeed")
    tell(world, paid, "refund.")
    assert (read(world, made).status, read(world, made).pending_reason) == (RefundStatus.SUCCEEDED, None)
    assert asked(world, ReviewKind.REFUND_WAITS) == []


def test_one_that_waits_for_the_bank_asks_nobody(world: World, paid: Payment) -> None:
    assert given(world, paid, STAYS_PENDING).pending_reason == "processing"
    assert world.reviews() == []


def test_parked_notices_are_due_once_their_payment_learns_what_they_wait_for(world: World) -> None:
    """A refund that failed, then word that it was made, both before the payment knows its intent."""
    payment = world.started(money=ENOUGH)
    world.act(payment, "pay")
    events = world.stripe_events(payment)
    [intent] = {e["data"]["object"]["id"] for e in events if e["type"] == "payment_intent.succeeded"}
    made = world.stripe().v1.refunds.create({"payment_intent": intent, "amount": FAILS_AT_ONCE})
    about_it = [event for event in world.every_event() if made.id in str(event)]
    for event in reversed(about_it):
        world.deliver(event)
        world.drain()
    waiting = [job for job in world.rows(Job) if job.kind == "notice.apply" and job.state is JobState.READY]
    assert len(waiting) == len(about_it)

    for event in events:
        world.deliver(event)
    world.drain()
    [found] = world.rows(Refund)
    assert found.status is RefundStatus.FAILED
    assert [job for job in world.rows(Job) if job.kind == "notice.apply" and job.state is JobState.READY] == []
    with world.app.database.transaction() as session:
        assert session.get_one(Payment, payment.id).status is PaymentStatus.COMPLETED


class TestMinorUnitsOfTwoCurrenciesNeverMeet:
    @pytest.mark.parametrize(("amount", "currency"), [(1840, "eur"), (2000, "jpy")])
    def test_a_refund_told_in_another_currency_asks_a_person_and_counts_for_nothing(
        self, world: World, amount: int, currency: str
    ) -> None:
        paid = world.paid(money=Money.of(1999, "usd"))
        told = {
            "id": "re_other",
            "object": "refund",
            "amount": amount,
            "currency": currency,
            "status": "succeeded",
            "payment_intent": paid.stripe_payment_intent_id,
        }
        event = {"id": "evt_other", "object": "event", "type": "refund.created", "livemode": False}
        world.deliver(event | {"data": {"object": told}})
        world.drain()

        assert world.rows(Refund) == []
        [review] = asked(world, ReviewKind.REFUND_MISMATCH)
        assert str(Money.of(amount, currency)) in review.detail
        assert given(world, paid).money == Money.of(1999, "usd")
        assert world.status(paid.id) is PaymentStatus.REFUNDED

    def test_the_database_cannot_hold_the_mixture(self, world: World) -> None:
        paid = world.paid(money=Money.of(1999, "usd"))
        mixed = Refund(payment_id=paid.id, amount_minor=100, currency="eur", status=RefundStatus.SUCCEEDED)
        with pytest.raises(IntegrityError, match="fk_refunds_payment_currency"), world.app.database.transaction() as s:
            s.add(mixed)
