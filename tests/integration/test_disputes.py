"""What customers' banks ask back, as Stripe tells it."""

import pytest

from payproc.database.models import Dispute, DisputeEvent, Payment, Refund, ReviewKind
from payproc.domain.money import Money
from payproc.domain.states import DisputeStatus, Effect, PaymentStatus, RefundStatus
from payproc.errors import Conflict
from payproc.records import disputes
from payproc.records.ledger import journal
from tests.support.after_payment import STAYS_PENDING, dispute, given, read, refund, tell
from tests.support.world import World


@pytest.fixture
def paid(world: World) -> Payment:
    return world.paid(money=Money.of(10000, "usd"))


def act(world: World, payment: Payment, dispute_id: str, action: str) -> None:
    world.at_stripe(f"disputes/{dispute_id}/{action}")
    tell(world, payment, "charge.dispute.")


def only(world: World) -> Dispute:
    [found] = world.rows(Dispute)
    assert isinstance(found, Dispute)
    return found


def standing(world: World) -> dict[str, int]:
    """What stands on each account, in cents."""
    with world.app.database.transaction() as session:
        return {b.account.value: b.money.amount_minor for b in journal.balances(session) if b.money.amount_minor}


def asked(world: World) -> list[str]:
    return [r.subject for r in world.reviews() if r.kind is ReviewKind.DISPUTE_OPEN and r.resolved_at is None]


def test_a_chargeback_is_recorded_with_its_amount_reason_and_deadline(world: World, paid: Payment) -> None:
    named = dispute(world, paid, amount=6000, reason="product_not_received")

    found = only(world)
    assert (found.provider_dispute_id, found.payment_id) == (named, paid.id)
    assert (found.amount_minor, found.currency, found.reason) == (6000, "usd", "product_not_received")
    assert found.status is DisputeStatus.NEEDS_RESPONSE
    assert found.evidence_due_at is not None
    assert found.evidence_due_at > found.created_at
    assert asked(world) == [found.id]


@pytest.mark.parametrize(("ends", "status"), [("win", DisputeStatus.WON), ("lose", DisputeStatus.LOST)])
def test_a_dispute_that_is_closed_asks_nobody_any_more(
    world: World, paid: Payment, ends: str, status: DisputeStatus
) -> None:
    named = dispute(world, paid)
    act(world, paid, named, "submit")
    assert (only(world).status, asked(world)) == (DisputeStatus.UNDER_REVIEW, [])
    act(world, paid, named, ends)

    assert only(world).status is status
    assert only(world).closed_at is not None
    assert world.status(paid.id) is PaymentStatus.COMPLETED


def test_what_a_chargeback_takes_is_booked_once_and_given_back_when_it_is_won(world: World, paid: Payment) -> None:
    named = dispute(world, paid, amount=6000)
    tell(world, paid, "charge.dispute.")
    taken = {"receivable": 10000 - 6000 - 1500, "sales": -10000, "disputes": 6000, "fees": 1500}
    assert standing(world) == taken
    act(world, paid, named, "win")
    assert standing(world) == {"receivable": 10000 - 1500, "sales": -10000, "fees": 1500}


def test_an_inquiry_moves_no_money(world: World, paid: Payment) -> None:
    named = dispute(world, paid, inquiry=True)
    act(world, paid, named, "close")
    assert standing(world) == {"receivable": 10000, "sales": -10000}


def test_a_payment_is_not_refunded_while_it_is_disputed(world: World, paid: Payment) -> None:
    named = dispute(world, paid)
    with pytest.raises(Conflict) as refused:
        refund(world, paid, 100)
    assert (refused.value.code, named in refused.value.message) == ("payment_disputed", True)
    assert world.rows(Refund) == []
    act(world, paid, named, "win")
    assert given(world, paid).status is RefundStatus.SUCCEEDED


def test_a_refund_on_its_way_that_a_dispute_overtakes_fails_and_is_not_made_again(world: World) -> None:
    paid = world.paid(money=Money.of(STAYS_PENDING, "usd"))
    made = given(world, paid)
    dispute(world, paid)
    tell(world, paid, "refund.")
    assert (read(world, made).status, read(world, made).failure_code) == (
        RefundStatus.FAILED,
        "charge_for_pending_refund_disputed",
    )


def test_an_inquiry_may_become_a_chargeback(world: World, paid: Payment) -> None:
    named = dispute(world, paid, inquiry=True)
    assert only(world).status is DisputeStatus.INQUIRY
    act(world, paid, named, "escalate")
    assert only(world).status is DisputeStatus.NEEDS_RESPONSE


def test_a_payment_may_have_several_disputes(world: World, paid: Payment) -> None:
    named = {dispute(world, paid, amount=3000), dispute(world, paid, amount=2000)}
    assert {each.provider_dispute_id for each in world.rows(Dispute)} == named


def test_the_same_word_twice_and_an_older_one_change_nothing(world: World, paid: Payment) -> None:
    named = dispute(world, paid)
    first = next(e for e in world.stripe_events(paid) if e["type"] == "charge.dispute.created")
    act(world, paid, named, "lose")
    world.deliver({**first, "id": "evt_again", "created": first["created"] - 5})
    world.drain()

    assert only(world).status is DisputeStatus.LOST
    last = world.rows(DisputeEvent)[-1]
    assert (last.told, last.effect) == (DisputeStatus.NEEDS_RESPONSE, Effect.LATE)


def test_disputes_are_listed_for_those_who_may_see_their_payments(world: World, paid: Payment) -> None:
    dispute(world, paid)
    with world.app.database.transaction() as session:
        found = disputes.page_of_disputes(
            session, user=world.customer, payment_id=None, is_open=True, limit=10, cursor=None
        )
    assert [each.payment_id for each in found.disputes] == [paid.id]
