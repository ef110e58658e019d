"""The sweep: each way in which Stripe and our rows can differ, found once and mended only where that is safe."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import text

from payproc.database.models import Dispute, FindingKind, Loop, Payment, PaymentEvent, Refund, ReviewKind, RunState
from payproc.domain.ids import Prefix, new_id
from payproc.domain.provenance import Source
from payproc.domain.states import DisputeStatus, PaymentStatus, RefundStatus
from payproc.records import payments
from tests.payproc.reconcile.audit import Audit
from tests.support.after_payment import STAYS_PENDING, given, read
from tests.support.waiting import wait_until
from tests.support.world import World


def test_where_both_agree_nothing_is_found(audit: Audit) -> None:
    paid = audit.paid()
    given(audit.world, paid, 6000)
    audit.world.started()
    run = audit.run(Loop.OBJECTS)
    assert (run.state, audit.findings()) == (RunState.DONE, [])
    assert run.counts["compared"] == {
        "payments": 1, "our payments": 0, "refunds": 1, "our refunds": 0, "disputes": 0, "our disputes": 0,
    }  # fmt: skip
    assert run.calls == 3


def test_a_payment_whose_webhooks_were_lost_is_completed_and_says_who_said_so(audit: Audit) -> None:
    world = audit.world
    payment = world.started()
    world.act(payment, "pay")
    run = audit.run(Loop.OBJECTS)

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    [finding] = audit.findings()
    assert (finding.kind, finding.ours) == (FindingKind.MISSED_EVENT, payment.id)
    assert finding.repaired_at is not None
    told = [event for event in world.events(payment.id) if event.source is Source.RECONCILE]
    assert [(event.fact, event.evidence) for event in told] == [("paid", run.id)]
    world.drain()
    assert len(world.emails()) == 1


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ({"amount_received": 9999}, FindingKind.AMOUNT_MISMATCH),
        ({"currency": "eur"}, FindingKind.CURRENCY_MISMATCH),
        ({"livemode": True}, FindingKind.LIVEMODE_MISMATCH),
        ({"status": "canceled", "amount_received": 0}, FindingKind.LOCAL_AHEAD),
    ],
)
def test_what_stripe_says_otherwise_of_a_payment_is_told_and_not_touched(
    audit: Audit, patch: dict[str, Any], kind: FindingKind
) -> None:
    paid = audit.paid()
    audit.patch(paid.stripe_payment_intent_id, **patch)
    before = len(audit.world.rows(PaymentEvent))
    audit.run(Loop.OBJECTS)

    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.ours, finding.theirs) == (kind, paid.id, paid.stripe_payment_intent_id)
    assert audit.world.status(paid.id) is PaymentStatus.COMPLETED
    assert len(audit.world.rows(PaymentEvent)) == before
    [review] = [review for review in audit.world.reviews() if review.kind is ReviewKind.FINDING]
    assert (review.subject, review.payment_id, review.detail) == (finding.id, paid.id, finding.detail)


def test_a_second_run_changes_nothing(audit: Audit) -> None:
    paid = audit.paid()
    audit.patch(paid.stripe_payment_intent_id, amount_received=9999)
    audit.run(Loop.OBJECTS)
    before = [(f.id, f.opened_at, f.closed_at) for f in audit.findings()]
    audit.run(Loop.OBJECTS)
    assert [(f.id, f.opened_at, f.closed_at) for f in audit.findings()] == before
    assert len(audit.world.reviews()) == 1


def test_a_difference_that_is_gone_is_closed_with_its_question(audit: Audit) -> None:
    paid = audit.paid()
    audit.patch(paid.stripe_payment_intent_id, amount_received=9999)
    audit.run(Loop.OBJECTS)
    audit.patch(paid.stripe_payment_intent_id, amount_received=10000)
    audit.run(Loop.OBJECTS)

    assert audit.findings(is_open=True) == []
    [review] = audit.world.reviews()
    assert review.resolution == "no longer there"


def test_a_dry_run_tells_what_it_would_do_and_does_nothing(audit: Audit) -> None:
    world = audit.world
    payment, altered = world.started(), audit.paid()
    world.act(payment, "pay")
    audit.patch(altered.stripe_payment_intent_id, amount_received=1)
    run = audit.run(Loop.OBJECTS, dry_run=True)

    assert world.status(payment.id) is PaymentStatus.PENDING
    assert audit.findings() == []
    assert world.reviews() == []
    assert {(row["kind"], row["ours"], row["repair"]) for row in run.sample} == {
        ("missed_event", payment.id, "would be made"),
        ("amount_mismatch", altered.id, "none"),
    }


def test_money_that_no_row_of_ours_explains_is_told(audit: Audit) -> None:
    paid = audit.paid()
    audit.forget_ours(paid)
    audit.run(Loop.OBJECTS)
    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.ours, finding.theirs) == (
        FindingKind.MISSING_LOCAL, "", paid.stripe_payment_intent_id,
    )  # fmt: skip
    assert finding.payment_id is None


class TestRemaking:
    def test_what_a_restore_has_lost_is_made_again_under_its_own_names_once(self, audit: Audit) -> None:
        paid = audit.paid()
        audit.forget_ours(paid)
        audit.run(Loop.OBJECTS)
        for _ in range(2):
            audit.run(Loop.OBJECTS, remake=True)
        again = audit.world.payment(paid.id)
        assert (again.reference, again.money, again.user_id) == (paid.reference, paid.money, paid.user_id)
        assert [(event.fact, event.source) for event in audit.world.events(paid.id)] == [
            ("created", "reconcile"),
            ("paid", "reconcile"),
        ]
        # The question that an earlier run has raised is answered.
        assert audit.kinds(is_open=True) == []
        assert [review for review in audit.world.reviews() if review.resolved_at is None] == []

    def test_another_deployments_payment_in_the_same_account_is_none_of_ours(self, audit: Audit) -> None:
        paid = audit.paid()
        audit.forget_ours(paid)
        theirs = new_id(Prefix.USER)
        audit.patch(
            paid.stripe_payment_intent_id,
            metadata={"payment_id": paid.id, "reference": paid.reference, "user_id": theirs},
        )
        audit.run(Loop.OBJECTS, remake=True)
        assert audit.world.rows(Payment) == []
        assert audit.kinds(is_open=True) == [FindingKind.MISSING_LOCAL]

    def test_one_begun_before_we_wrote_down_whose_it_was_is_known_by_its_customer(self, audit: Audit) -> None:
        paid = audit.paid()
        audit.forget_ours(paid)
        audit.patch(paid.stripe_payment_intent_id, metadata={"payment_id": paid.id, "reference": paid.reference})
        audit.run(Loop.OBJECTS, remake=True)
        assert audit.world.status(paid.id) is PaymentStatus.COMPLETED

    def test_a_dry_run_makes_nothing(self, audit: Audit) -> None:
        paid = audit.paid()
        audit.forget_ours(paid)
        run = audit.run(Loop.OBJECTS, dry_run=True, remake=True)
        assert audit.world.rows(Payment) == []
        assert [row["repair"] for row in run.sample] == ["would be made"]


def test_a_payment_of_ours_that_stripe_has_nothing_of_is_told(audit: Audit) -> None:
    paid = audit.paid()
    requests.delete(f"{audit.world.gateway.base_url}/_sandbox/objects/{paid.stripe_payment_intent_id}", timeout=5)
    audit.run(Loop.OBJECTS)
    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.ours) == (FindingKind.MISSING_REMOTE, paid.id)


def test_a_second_charge_for_one_payment_is_told(audit: Audit) -> None:
    paid = audit.paid()
    made = {"payment_id": paid.id, "reference": paid.reference, "amount": 10000, "currency": "usd", "events": False}
    seeded = audit.world.at_stripe("bulk", payments=[made])
    audit.run(Loop.OBJECTS)
    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.ours) == (FindingKind.DUPLICATE_CHARGE, paid.id)
    assert finding.theirs == seeded["payments"][0]["payment_intent"]


def test_a_payment_past_its_end_is_ended(audit: Audit) -> None:
    world = audit.world
    payment = world.started()
    world.act(payment, "expire")
    world.age("payments", payment.id, created_at="2 days", expires_at="2 days")
    audit.run(Loop.OBJECTS)

    assert world.status(payment.id) is PaymentStatus.CANCELLED
    assert audit.kinds() == [FindingKind.STUCK]


class TestRefunds:
    def made_there(self, audit: Audit, payment: Payment, amount_minor: int) -> str:
        words: Any = {"payment_intent": payment.stripe_payment_intent_id, "amount": amount_minor}
        return audit.world.stripe().v1.refunds.create(words).id

    def test_one_of_the_dashboard_is_imported(self, audit: Audit) -> None:
        paid = audit.paid()
        named = self.made_there(audit, paid, 10000)
        audit.run(Loop.OBJECTS)
        [refund] = audit.world.rows(Refund)
        assert (refund.provider_refund_id, refund.status) == (named, RefundStatus.SUCCEEDED)
        assert audit.world.status(paid.id) is PaymentStatus.REFUNDED
        assert audit.kinds() == [FindingKind.REFUND_MISSING_LOCAL]
        assert audit.kinds(is_open=True) == []

    def test_one_that_failed_late_is_undone(self, audit: Audit) -> None:
        paid = audit.paid()
        made = given(audit.world, paid)
        audit.world.at_stripe(f"refunds/{made.provider_refund_id}/fail")
        audit.run(Loop.OBJECTS)
        assert read(audit.world, made).status is RefundStatus.FAILED
        assert audit.world.status(paid.id) is PaymentStatus.COMPLETED
        assert audit.kinds() == [FindingKind.REFUND_FAILED_LATE]
        assert [review.kind for review in audit.world.reviews()] == [ReviewKind.REFUND_UNDONE]

    def test_one_that_went_through_unheard_is_completed(self, audit: Audit) -> None:
        paid = audit.paid(STAYS_PENDING)
        made = given(audit.world, paid)
        audit.world.at_stripe(f"refunds/{made.provider_refund_id}/succeed")
        audit.run(Loop.OBJECTS)
        assert read(audit.world, made).status is RefundStatus.SUCCEEDED
        assert audit.kinds() == [FindingKind.STATUS_MISMATCH]

    def test_one_of_another_amount_is_told_and_not_touched(self, audit: Audit) -> None:
        made = given(audit.world, audit.paid(), 6000)
        audit.patch(made.provider_refund_id, amount=5999)
        audit.run(Loop.OBJECTS)
        assert audit.kinds(is_open=True) == [FindingKind.REFUND_AMOUNT_MISMATCH]
        assert read(audit.world, made).amount_minor == 6000

    def test_one_that_stripe_does_not_have_is_told(self, audit: Audit) -> None:
        made = given(audit.world, audit.paid(), 6000)
        requests.delete(f"{audit.world.gateway.base_url}/_sandbox/objects/{made.provider_refund_id}", timeout=5)
        audit.run(Loop.OBJECTS)
        [finding] = audit.findings(is_open=True)
        assert (finding.kind, finding.ours) == (FindingKind.MISSING_REMOTE, made.id)

    def test_an_open_one_is_looked_at_whatever_its_age(self, audit: Audit) -> None:
        made = given(audit.world, audit.paid(STAYS_PENDING))
        audit.world.age("refunds", made.id, created_at="80 days")
        audit.patch(made.provider_refund_id, created=1700000000, status="succeeded")
        audit.run(Loop.OBJECTS)
        assert read(audit.world, made).status is RefundStatus.SUCCEEDED


class TestDisputes:
    def test_one_we_never_heard_of_is_recorded(self, audit: Audit) -> None:
        paid = audit.paid()
        named = audit.world.at_stripe(f"payment_intents/{paid.stripe_payment_intent_id}/dispute")["id"]
        audit.run(Loop.OBJECTS)
        [dispute] = audit.world.rows(Dispute)
        assert (dispute.provider_dispute_id, dispute.status) == (named, DisputeStatus.NEEDS_RESPONSE)
        assert audit.kinds() == [FindingKind.DISPUTE_UNKNOWN]
        assert [review.kind for review in audit.world.reviews()] == [ReviewKind.DISPUTE_OPEN]

    def test_one_that_moved_on_unheard_moves_on(self, audit: Audit) -> None:
        paid = audit.paid()
        named = audit.world.at_stripe(f"payment_intents/{paid.stripe_payment_intent_id}/dispute")["id"]
        audit.run(Loop.OBJECTS)
        audit.world.at_stripe(f"disputes/{named}/lose")
        audit.patch(named, created=1700000000)
        audit.run(Loop.OBJECTS)
        [dispute] = audit.world.rows(Dispute)
        assert dispute.status is DisputeStatus.LOST
        assert audit.kinds() == [FindingKind.DISPUTE_UNKNOWN, FindingKind.STATUS_MISMATCH]


def test_what_cannot_be_read_is_told_and_holds_up_nothing(audit: Audit) -> None:
    strange, lost = audit.paid(), audit.world.started()
    audit.world.act(lost, "pay")
    audit.patch(strange.stripe_payment_intent_id, currency="xyz")
    audit.run(Loop.OBJECTS)
    assert audit.world.status(lost.id) is PaymentStatus.COMPLETED
    unreadable = [f.theirs for f in audit.findings(is_open=True) if f.kind is FindingKind.UNREADABLE]
    assert unreadable == [strange.stripe_payment_intent_id]


def test_a_page_locks_its_payments_in_the_order_of_their_ids(audit: Audit) -> None:
    world = audit.world
    first, second, third = sorted((world.started() for _ in range(3)), key=lambda payment: payment.id)
    for payment in (first, second, third):
        world.act(payment, "pay")
    with ThreadPoolExecutor(max_workers=1) as pool:
        with world.app.database.transaction() as session:
            payments.locked(session, first.id)
            run = pool.submit(audit.run, Loop.OBJECTS)
            wait_until(lambda: waits_for_a_lock(world), what="the page waiting for the first")
            # Stripe lists the newest first. Whoever waits here holds neither of these.
            with world.app.database.transaction() as other:
                for payment in (second, third):
                    other.get_one(Payment, payment.id, with_for_update={"nowait": True})
        assert run.result(timeout=30).state is RunState.DONE
    assert {world.status(each.id) for each in (first, second, third)} == {PaymentStatus.COMPLETED}


def waits_for_a_lock(world: World) -> bool:
    asked = text("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    with world.app.database.transaction() as session:
        return session.execute(asked).first() is not None
