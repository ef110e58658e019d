"""Paid otherwise than asked for, and accepted by a person: what was paid is what counts, everywhere."""

from typing import Any

import pytest

from payproc.database.models import EmailKind, FindingKind, Journal, Loop, Payment, Review, ReviewKind, RunState
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.references import Reference
from payproc.domain.states import Fact, PaymentStatus, RefundStatus
from payproc.errors import Conflict
from payproc.operations import actions
from payproc.operations.actions import OperatorAction
from payproc.operations.doctor import broken_invariants
from payproc.outgoing.mail import compose
from payproc.providers.answers import Outcome, Verdict
from payproc.records import outcomes
from payproc.records.ledger import journal
from payproc.records.reviews import open_review
from tests.support.after_payment import given
from tests.support.mailbox import parsed
from tests.support.seeding import Seeded
from tests.support.world import World

ASKED, PAID = Money.of(10000, "usd"), Money.of(9000, "usd")


def accept(world: World, *, kind: ReviewKind = ReviewKind.PAID_MISMATCH) -> None:
    [review] = [each for each in world.reviews() if each.kind is kind and each.resolved_at is None]
    with world.app.database.transaction() as session:
        actions.resolve_review(
            session, review.id, resolution="they agreed on a discount", decision=OperatorAction.COMPLETED
        )


def standing(world: World) -> dict[str, int]:
    with world.app.database.transaction() as session:
        assert broken_invariants(session) == []
        found = journal.balances(session)
    return {b.account.value: b.money.amount_minor for b in found if b.money.amount_minor}


@pytest.fixture
def short(world: World) -> Payment:
    """A payment of 100.00 of which Stripe says that 90.00 were paid."""
    payment = world.started(money=ASKED)
    world.at_stripe(f"objects/{payment.stripe_session_id}", amount_total=PAID.amount_minor)
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    return payment


def test_what_was_paid_is_sold_receipted_and_can_be_given_back(world: World, short: Payment) -> None:
    accept(world)
    accepted = world.payment(short.id)
    assert (accepted.status, accepted.money) == (PaymentStatus.COMPLETED, PAID)
    assert None not in (accepted.stripe_payment_intent_id, accepted.stripe_charge_id)
    assert standing(world) == {"receivable": 9000, "sales": -9000}
    with world.app.database.transaction() as session:
        [receipt] = [mail for mail in world.emails() if mail.kind is EmailKind.RECEIPT]
        composed = compose.compose(session, receipt, settings=world.app.settings)
        assert "90.00" in str(parsed(composed)["Subject"])

    made = given(world, accepted)
    assert (made.status, made.money) == (RefundStatus.SUCCEEDED, PAID)
    assert world.status(short.id) is PaymentStatus.REFUNDED
    assert standing(world) == {"refunds": 9000, "sales": -9000}


def test_told_once_more_it_changes_nothing(world: World, short: Payment) -> None:
    accept(world)
    world.deliver_all(short)
    world.drain()
    assert world.payment(short.id).money == PAID
    assert [each.kind for each in world.reviews() if each.resolved_at is None] == []
    assert len(world.rows(Journal)) == 1


def test_another_question_about_it_accepts_the_same(world: World, short: Payment) -> None:
    with world.app.database.transaction() as session:
        open_review(session, ReviewKind.UNSETTLED, short.id, payment_id=short.id, detail="nobody knows")
    accept(world, kind=ReviewKind.UNSETTLED)
    assert world.payment(short.id).money == PAID
    assert [each for each in world.reviews() if each.resolved_at is None] == []


def test_the_ids_of_what_paid_are_its_own(world: World) -> None:
    payment, other = world.started(money=ASKED), world.started(money=ASKED)
    references = {Reference.STRIPE_SESSION: "cs_other", Reference.STRIPE_PAYMENT_INTENT: "pi_other"}
    tell(world, payment, Outcome(verdict=Verdict.PAID, money=ASKED, references=references))
    accept(world, kind=ReviewKind.PAID_ELSEWHERE)
    accepted = world.payment(payment.id)
    assert (accepted.status, accepted.stripe_payment_intent_id) == (PaymentStatus.COMPLETED, "pi_other")
    # Another payment's stay its own.
    taken = {Reference.STRIPE_SESSION: accepted.stripe_session_id or ""}
    tell(world, other, Outcome(verdict=Verdict.PAID, money=PAID, references=taken))
    accept(world, kind=ReviewKind.PAID_ELSEWHERE)
    assert (world.payment(other.id).stripe_session_id, world.payment(other.id).money) == (
        other.stripe_session_id,
        PAID,
    )


@pytest.mark.parametrize("first", [None, PAID])
def test_the_first_word_that_says_how_much_is_what_a_person_accepts(world: World, first: Money | None) -> None:
    payment = world.started(money=ASKED)
    other_mode = not payment.live_mode
    for money in (first, PAID, Money.of(8000, "usd")):
        tell(world, payment, Outcome(verdict=Verdict.PAID, money=money, live_mode=other_mode))
    [review] = world.rows(Review)
    assert "90.00 USD" in review.detail
    accept(world)
    assert world.payment(payment.id).money == PAID


def test_nothing_is_no_payment(world: World) -> None:
    payment = world.started(money=ASKED)
    tell(world, payment, Outcome(verdict=Verdict.PAID, money=Money.of(0, "usd")))
    with pytest.raises(Conflict, match="Nothing was paid"):
        accept(world)
    assert world.status(payment.id) is PaymentStatus.PENDING


def test_an_amount_that_only_a_list_told_is_asked_for_before_it_is_accepted(world: World, seeded: Seeded) -> None:
    payment = world.started(money=ASKED)
    run = seeded.run(started_at=seeded.now, loop=Loop.OBJECTS, state=RunState.DONE)
    found: dict[str, Any] = {"ours": payment.id, "payment_id": payment.id, "run_id": run}
    finding = seeded.finding(FindingKind.AMOUNT_MISMATCH, opened_at=seeded.now, **found)
    with world.app.database.transaction() as session:
        open_review(session, ReviewKind.FINDING, finding, payment_id=payment.id, detail="paid 90.00, asked 100.00")
    with pytest.raises(Conflict, match="without --as"):
        accept(world, kind=ReviewKind.FINDING)
    assert world.status(payment.id) is PaymentStatus.PENDING


def test_a_payment_that_is_completed_keeps_its_amount(world: World, short: Payment) -> None:
    tell(world, short, Outcome(verdict=Verdict.PAID, money=ASKED))
    assert world.status(short.id) is PaymentStatus.COMPLETED
    accept(world)
    assert (world.payment(short.id).money, standing(world)["sales"]) == (ASKED, -10000)
    assert [each.fact for each in world.events(short.id)][-1] is Fact.PAID


def tell(world: World, payment: Payment, outcome: Outcome) -> None:
    with world.app.database.transaction() as session:
        provenance = Provenance(source=Source.RECONCILE, evidence="run_1")
        outcomes.apply_outcome(session, payment.id, outcome, provenance=provenance)
    world.drain()
