"""A card's money given back: by our call, or by hand in the Dashboard; once, whatever dies."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from payproc.database.models import EmailKind, Job, Payment, ProviderCall, Refund, RefundEvent, ReviewKind, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Effect, PaymentStatus, RefundFact, RefundStatus
from payproc.errors import Conflict, PayprocError
from payproc.jobs import Kind
from payproc.operations import actions
from payproc.operations.actions import OperatorAction
from payproc.operations.doctor import broken_invariants
from payproc.operations.timeline import timeline
from payproc.records import remote_refunds
from payproc.records.identity.permissions import NotAllowed
from payproc.settings.types import RefundByOwner
from tests.support.after_payment import FAILS_AT_ONCE, STAYS_PENDING, given, read, refund, tell
from tests.support.faults.crashes import live_and_die
from tests.support.world import World

HUNDRED = Money.of(10000, "usd")


@pytest.fixture
def paid(world: World) -> Payment:
    return world.paid(money=HUNDRED)


def at_stripe(world: World, payment: Payment) -> list[dict[str, Any]]:
    intent = world.payment(payment.id).stripe_payment_intent_id
    assert intent is not None
    found = world.stripe().v1.refunds.list({"payment_intent": intent, "limit": 100})
    return [each.to_dict() for each in found.data]


def test_the_whole_goes_back_by_one_call_and_the_payment_is_refunded(world: World, paid: Payment) -> None:
    made = given(world, paid)

    [there] = at_stripe(world, paid)
    assert (made.status, made.provider_refund_id) == (RefundStatus.SUCCEEDED, there["id"])
    assert world.status(paid.id) is PaymentStatus.REFUNDED
    assert there["amount"] == 10000
    assert there["metadata"] == {"refund_id": made.id, "payment_id": paid.id, "reference": paid.reference}


def test_three_parts_go_back_to_the_cent_and_the_last_one_refunds_the_payment(world: World, paid: Payment) -> None:
    for part, after in ((3333, "completed"), (3334, "completed"), (None, "refunded")):
        given(world, paid, part)
        assert world.status(paid.id) == after
    assert sorted(each["amount"] for each in at_stripe(world, paid)) == [3333, 3333, 3334]


def test_of_two_refunds_of_sixty_at_once_one_is_taken(world: World, paid: Payment) -> None:
    def ask(_: int) -> str:
        try:
            return refund(world, paid, 6000).status
        except Conflict as refused:
            return refused.code

    with ThreadPoolExecutor(max_workers=2) as threads:
        answers = sorted(threads.map(ask, range(2)))
    assert answers == ["pending", "refund_exceeds_payment"]
    world.drain()
    assert [each["amount"] for each in at_stripe(world, paid)] == [6000]


def test_several_parts_may_be_on_their_way_at_once(world: World) -> None:
    paid = world.paid(money=Money.of(2 * STAYS_PENDING, "usd"))
    for _ in range(2):
        assert given(world, paid, STAYS_PENDING).status is RefundStatus.PENDING
    with pytest.raises(Conflict) as refused:
        refund(world, paid, 1)
    assert refused.value.code == "refund_exceeds_payment"


def test_a_pending_refund_is_completed_by_its_event(world: World) -> None:
    paid = world.paid(money=Money.of(STAYS_PENDING, "usd"))
    made = given(world, paid)
    assert (made.status, world.status(paid.id)) == (RefundStatus.PENDING, PaymentStatus.COMPLETED)

    world.at_stripe(f"refunds/{made.provider_refund_id}/succeed")
    tell(world, paid, "refund.")

    assert read(world, made).status is RefundStatus.SUCCEEDED
    assert world.status(paid.id) is PaymentStatus.REFUNDED


def test_a_pending_refund_is_completed_by_asking_where_its_event_is_lost(world: World) -> None:
    paid = world.paid(money=Money.of(STAYS_PENDING, "usd"))
    made = given(world, paid)
    world.at_stripe(f"refunds/{made.provider_refund_id}/succeed")
    world.make_due()
    world.drain()

    assert read(world, made).status is RefundStatus.SUCCEEDED


def test_a_refund_that_fails_late_frees_its_money_and_can_be_made_again(world: World, paid: Payment) -> None:
    made = given(world, paid)
    world.at_stripe(f"refunds/{made.provider_refund_id}/fail")
    tell(world, paid, "refund.")

    undone = read(world, made)
    assert (undone.status, undone.failure_code) == (RefundStatus.FAILED, "unknown")
    assert world.status(paid.id) is PaymentStatus.COMPLETED
    [review] = [review for review in world.reviews() if review.kind is ReviewKind.REFUND_UNDONE]
    assert review.subject == made.id
    assert given(world, paid).status is RefundStatus.SUCCEEDED
    assert world.status(paid.id) is PaymentStatus.REFUNDED


def test_a_refund_that_fails_at_once_holds_nothing(world: World) -> None:
    paid = world.paid(money=Money.of(FAILS_AT_ONCE, "usd"))
    made = given(world, paid)
    assert (made.status, made.failure_code) == (RefundStatus.FAILED, "declined")
    assert world.status(paid.id) is PaymentStatus.COMPLETED
    assert refund(world, paid, 100).status is RefundStatus.PENDING


def test_a_cancelled_refund_frees_its_money(world: World) -> None:
    paid = world.paid(money=Money.of(470500, "usd"))
    made = given(world, paid)
    world.stripe().v1.refunds.cancel(made.provider_refund_id or "")
    tell(world, paid, "refund.")
    assert read(world, made).status is RefundStatus.CANCELLED
    assert refund(world, paid).amount_minor == 470500


class TestMadeInTheDashboard:
    def made_there(self, world: World, payment: Payment, amount_minor: int) -> dict[str, Any]:
        intent = world.payment(payment.id).stripe_payment_intent_id
        assert intent is not None
        words: Any = {"payment_intent": intent, "amount": amount_minor}
        return world.stripe().v1.refunds.create(words).to_dict()

    def test_it_appears_once_its_event_comes_and_counts(self, world: World, paid: Payment) -> None:
        there = self.made_there(world, paid, 6000)
        tell(world, paid, "refund.")
        tell(world, paid, "refund.")

        [here] = world.rows(Refund)
        assert (here.provider_refund_id, here.amount_minor, here.requested_by) == (there["id"], 6000, None)
        assert here.status is RefundStatus.SUCCEEDED
        with pytest.raises(Conflict, match=r"40\.00 USD is left"):
            refund(world, paid, 4001)

    def test_one_that_takes_the_rest_refunds_the_payment(self, world: World, paid: Payment) -> None:
        given(world, paid, 4000)
        self.made_there(world, paid, 6000)
        tell(world, paid, "refund.")
        assert world.status(paid.id) is PaymentStatus.REFUNDED

    def test_beside_ours_on_its_way_the_excess_is_refused_there_and_freed_here(
        self, world: World, paid: Payment
    ) -> None:
        ours = refund(world, paid, 6000)
        self.made_there(world, paid, 6000)
        tell(world, paid, "refund.")

        assert read(world, ours).status is RefundStatus.CANCELLED
        assert sum(each["amount"] for each in at_stripe(world, paid)) == 6000
        held = [each for each in world.rows(Refund) if each.status is RefundStatus.SUCCEEDED]
        assert [each.amount_minor for each in held] == [6000]

    def test_its_event_may_come_before_that_of_the_payment(self, world: World) -> None:
        payment = world.started(money=HUNDRED)
        world.act(payment, "pay")
        events = world.stripe_events(payment)
        [intent] = {e["data"]["object"]["id"] for e in events if e["type"] == "payment_intent.succeeded"}
        world.stripe().v1.refunds.create({"payment_intent": intent, "metadata": {"payment_id": payment.id}})
        tell(world, payment, "refund.")
        tell(world, payment)

        [here] = world.rows(Refund)
        assert (here.status, world.status(payment.id)) == (RefundStatus.SUCCEEDED, PaymentStatus.REFUNDED)


class TestAskedForByTheOwner:
    @pytest.fixture
    def careful(self, world: World) -> World:
        return world.with_settings(refund_by_owner=RefundByOwner.REQUEST)

    def decide(self, world: World, decision: OperatorAction | None) -> None:
        [review] = [review for review in world.reviews() if review.kind is ReviewKind.REFUND_APPROVAL]
        with world.app.database.transaction() as session:
            actions.resolve_review(session, review.id, resolution="spoke to them", decision=decision)
        world.drain()

    def test_it_waits_for_an_operator_and_holds_its_money(self, careful: World) -> None:
        paid = careful.paid(money=HUNDRED)
        made = given(careful, paid, 6000)
        assert made.status is RefundStatus.REQUESTED
        assert at_stripe(careful, paid) == []
        with pytest.raises(Conflict, match=r"40\.00 USD is left"):
            refund(careful, paid, 6000)

        self.decide(careful, OperatorAction.APPROVED)
        assert read(careful, made).status is RefundStatus.SUCCEEDED
        assert [each["amount"] for each in at_stripe(careful, paid)] == [6000]

    def test_one_that_is_rejected_gives_nothing_back_and_frees_its_money(self, careful: World) -> None:
        paid = careful.paid(money=HUNDRED)
        made = given(careful, paid)
        self.decide(careful, OperatorAction.REJECTED)
        assert read(careful, made).status is RefundStatus.CANCELLED
        assert at_stripe(careful, paid) == []
        # Nothing was tried, so no letter says that it could not be done.
        assert [mail.kind for mail in careful.emails()] == [EmailKind.RECEIPT]
        assert refund(careful, paid).amount_minor == 10000

    def test_a_payment_reversed_meanwhile_asks_a_person_about_it(self, careful: World) -> None:
        paid = careful.paid(money=HUNDRED)
        waiting = given(careful, paid, 6000)
        with careful.app.database.transaction() as session:
            provenance = Provenance(source=Source.POLL, evidence="job_of_a_test")
            remote_refunds.record_reversal(session, session.get_one(Payment, paid.id), provenance=provenance)
        assert read(careful, waiting).status is RefundStatus.REQUESTED
        assert careful.status(paid.id) is PaymentStatus.REFUNDED
        kinds = {review.kind for review in careful.reviews()}
        assert kinds == {ReviewKind.REFUND_APPROVAL, ReviewKind.REVERSED, ReviewKind.REFUND_MISMATCH}

    @pytest.mark.parametrize(
        ("amount", "status"),
        [
            (10000, RefundStatus.SUCCEEDED),
            (STAYS_PENDING, RefundStatus.PENDING),
            (FAILS_AT_ONCE, RefundStatus.FAILED),
        ],
    )
    def test_one_that_stripe_has_although_nobody_here_approved_it_is_believed(
        self, careful: World, amount: int, status: RefundStatus
    ) -> None:
        # Approved and sent after the moment to which the database was restored.
        paid = careful.paid(money=Money.of(amount, "usd"))
        waiting = given(careful, paid)
        intent = careful.payment(paid.id).stripe_payment_intent_id
        assert intent is not None
        marks = {"refund_id": waiting.id, "payment_id": paid.id, "reference": paid.reference}
        careful.stripe().v1.refunds.create({"payment_intent": intent, "amount": amount, "metadata": marks})
        tell(careful, paid)

        assert read(careful, waiting).status is status
        [question] = [review for review in careful.reviews() if review.kind is ReviewKind.REFUND_APPROVAL]
        assert question.resolved_at is not None
        assert len(at_stripe(careful, paid)) == 1
        asked = {job.kind for job in careful.rows(Job) if job.subject == waiting.id and job.state == "ready"}
        assert asked == ({Kind.INQUIRE_REFUND} if status is RefundStatus.PENDING else set())
        with careful.app.database.transaction() as session:
            assert broken_invariants(session) == []

    def test_it_needs_a_decision_that_fits(self, careful: World) -> None:
        given(careful, careful.paid(money=HUNDRED))
        for decision in (None, OperatorAction.REFUNDED, OperatorAction.COMPLETED):
            with pytest.raises(PayprocError):
                self.decide(careful, decision)

    def test_an_admin_asks_nobody(self, careful: World, admin: User) -> None:
        paid = careful.paid(money=HUNDRED)
        assert refund(careful, paid, user=admin).status is RefundStatus.PENDING

    def test_an_operator_gives_nobody_elses_money_back(self, careful: World, operator: User) -> None:
        paid = careful.paid(money=HUNDRED)
        with pytest.raises(NotAllowed):
            refund(careful, paid, user=operator)
        assert careful.rows(Refund) == []


@pytest.mark.parametrize("fault", ["timeout_after", "error_502_after", "error_500_after"])
def test_a_refund_in_doubt_is_asked_about_and_found(world: World, paid: Payment, fault: str) -> None:
    world.break_stripe("POST /v1/refunds", fault, times=None, seconds=0)
    made = refund(world, paid)
    world.drain()
    assert read(world, made).status is RefundStatus.PENDING
    world.mend_stripe()
    world.make_due()
    world.drain()

    assert read(world, made).status is RefundStatus.SUCCEEDED
    assert len(at_stripe(world, paid)) == 1
    # The two tries of the one call, and none after the doubt.
    assert len(world.requests_to("POST /v1/refunds")) == 2


def test_a_refund_that_never_arrived_is_sent_again_in_the_same_words(world: World, paid: Payment) -> None:
    world.break_stripe("POST /v1/refunds", "error_500_before", times=None)
    made = refund(world, paid)
    world.drain()
    world.mend_stripe()
    world.make_due()
    world.drain()

    assert read(world, made).status is RefundStatus.SUCCEEDED
    assert len(at_stripe(world, paid)) == 1
    sent = world.requests_to("POST /v1/refunds")
    assert len({(call["idempotency_key"], str(call["params"])) for call in sent}) == 1
    assert len([call for call in world.rows(ProviderCall) if call.subject == made.id]) == 1


def test_a_key_that_stripe_may_have_forgotten_is_not_used_again(world: World, paid: Payment) -> None:
    world.break_stripe("POST /v1/refunds", "error_500_before", times=None)
    made = refund(world, paid)
    world.drain()
    world.mend_stripe()
    [call] = [call for call in world.rows(ProviderCall) if call.subject == made.id]
    world.age("provider_calls", call.id, created_at="24 hours")
    world.make_due()
    world.drain()

    assert at_stripe(world, paid) == []
    [review] = [review for review in world.reviews() if review.kind is ReviewKind.REFUND_UNSETTLED]
    assert review.subject == made.id


def test_a_call_that_lay_written_down_for_a_day_is_looked_for_and_not_sent(world: World, paid: Payment) -> None:
    made = refund(world, paid)
    # The dispatch, the start, and the intent: nobody knows any more whether it was sent after that.
    assert live_and_die(world, commit=3, after=True)
    [call] = [call for call in world.rows(ProviderCall) if call.subject == made.id]
    world.age("provider_calls", call.id, created_at="24 hours")
    for _ in range(3):
        world.make_due()
        world.drain()

    assert world.requests_to("POST /v1/refunds") == []
    assert [r.subject for r in world.reviews() if r.kind is ReviewKind.REFUND_UNSETTLED] == [made.id]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", range(1, 4))
def test_a_refund_that_dies_at_any_commit_is_made_once(world: World, paid: Payment, commit: int, after: bool) -> None:
    made = refund(world, paid, 6000)
    # The dispatch, by the relay, is the first commit.
    assert live_and_die(world, commit=commit + 1, after=after)
    for _ in range(3):
        world.make_due()
        world.drain()

    assert [each["amount"] for each in at_stripe(world, paid)] == [6000]
    assert read(world, made).status is RefundStatus.SUCCEEDED
    moves = [e for e in world.rows(RefundEvent) if e.fact is RefundFact.SUCCEEDED and e.effect is Effect.MOVED]
    assert len(moves) == 1


def test_every_status_of_a_refund_is_explained_in_the_payments_timeline(world: World, paid: Payment) -> None:
    made = given(world, paid, 6000)
    world.at_stripe(f"refunds/{made.provider_refund_id}/fail")
    tell(world, paid, "refund.")
    with world.app.database.transaction() as session:
        said = [e.sentence for e in timeline(session, session.get_one(Payment, paid.id)) if e.what[:7] == "refund."]
    assert said[0] == f"refund of 60.00 USD asked for by {world.customer.id} (unripe)"
    assert "refund of 60.00 USD succeeded, told by api: pending became succeeded" in said
    assert "refund of 60.00 USD failed, told by notice: succeeded became failed (unknown)" in said


def no_longer_wanted(world: World) -> None:
    """Bury a refund's work by hand."""
    with world.app.database.transaction() as session:
        [send] = session.scalars(select(Job).where(Job.kind == Kind.SEND_REFUND))
        actions.bury_job(session, send, reason="the shop is closed")


def is_given_up(world: World) -> None:
    """Let Stripe refuse a refund for want of money until its work is given up."""
    world.break_stripe("POST /v1/refunds", "balance_short")
    world.drain()


@pytest.mark.parametrize("work", [no_longer_wanted, is_given_up])
def test_whatever_is_closed_by_hand_a_refund_that_is_open_keeps_work_or_a_person(
    world: World, paid: Payment, work: Callable[[World], None]
) -> None:
    made = refund(world, paid, 6000)
    work(world)
    assert read(world, made).status is RefundStatus.PENDING
    [review] = world.reviews()
    assert (review.kind, review.payment_id) == (ReviewKind.JOB_DEAD, paid.id)

    with world.app.database.transaction() as session:
        actions.resolve_review(session, review.id, resolution="the money is there", decision=None)
    world.drain()
    assert read(world, made).status is RefundStatus.SUCCEEDED
    assert [each["amount"] for each in at_stripe(world, paid)] == [6000]
    assert [each.resolution for each in world.reviews()] == ["the money is there"]


def test_a_refund_made_elsewhere_that_is_not_over_is_asked_about_until_it_is(world: World) -> None:
    paid = world.paid(money=Money.of(STAYS_PENDING, "usd"))
    intent = world.payment(paid.id).stripe_payment_intent_id
    assert intent is not None
    there = world.stripe().v1.refunds.create({"payment_intent": intent})
    tell(world, paid, "refund.created")
    [made] = world.rows(Refund)
    assert (made.status, made.provider_refund_id) == (RefundStatus.PENDING, there.id)
    with world.app.database.transaction() as session:
        assert broken_invariants(session) == []

    world.at_stripe(f"refunds/{there.id}/succeed")
    world.make_due()
    world.drain()
    assert read(world, made).status is RefundStatus.SUCCEEDED
