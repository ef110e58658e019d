"""One payment through each wallet and dialect, from the request to its end."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from payproc.database.models import Job, Payment, User
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import PaymentStatus
from payproc.flows import poll
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from tests.support.waiting import wait_until
from tests.support.wallet_world import (
    APPROVED,
    DEBITED_IN_SILENCE,
    DECLINED,
    FORMS,
    HTML,
    LATE_FAILURE,
    LATE_SUCCESS,
    NEVER,
    PAID_LATER,
    PUSHES,
    TRIPLE_NOTICE,
    TRUNCATED,
    WRONG_AMOUNT,
    WalletWorld,
)

Spoken = tuple[WalletWorld, PaymentMethod]
by_push = pytest.mark.parametrize("spoken", PUSHES, indirect=True, ids="-".join)
by_form = pytest.mark.parametrize("spoken", FORMS, indirect=True, ids="-".join)


@by_push
def test_a_push_that_is_approved_completes_with_one_debit_and_one_receipt(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=APPROVED)
    world.becomes(payment, "completed")

    assert world.at_wallet(payment)["debits"] == 1
    assert len(world.emails()) == 1
    assert world.payment(payment.id).encrypted_payer is None


@pytest.mark.parametrize("spoken", [(EASY_PAISA, "rest-v4"), (EASY_PAISA, "guide")], indirect=True, ids="-".join)
def test_words_about_a_customer_that_the_wallet_refuses_do_not_end_the_payment(spoken: Spoken) -> None:
    world, method = spoken
    with world.app.database.transaction() as session:
        user = session.get_one(User, world.customer.id)
        user.email, user.full_name = "amina@localhost", "A" * 328
    world.becomes(world.begin(method, phone=APPROVED), "completed")


@by_form
def test_a_form_that_the_browser_posts_completes_once_the_customer_approves(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method)
    assert world.status(payment.id) is PaymentStatus.PENDING
    world.do(payment, "approve")
    world.becomes(payment, "completed")

    assert world.at_wallet(payment)["debits"] == 1
    assert len(world.emails()) == 1


@by_push
def test_a_push_that_is_declined_fails_and_is_polled_once_more_a_day_later(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=DECLINED)
    wait_until(lambda: fails(world, payment))
    assert world.payment(payment.id).failure_code
    assert world.at_wallet(payment)["debits"] == 0
    assert [round(days, 2) for days in days_to_polls(world)] == [1]
    a_day_later(world)
    assert days_to_polls(world) == [], "once, and not for ever"


@by_form
def test_a_form_that_is_declined_fails(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method)
    world.do(payment, "decline")
    # The hosted page of Easypaisa tells nobody of a failure: it is found by asking.
    wait_until(lambda: fails(world, payment) or ask_now(world, payment))
    ten_seconds_later(world, payment)
    assert [round(days, 2) for days in days_to_polls(world)] == [1]


@by_form
def test_a_question_in_between_does_not_take_the_place_of_the_final_poll(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method)
    world.do(payment, "decline")
    wait_until(lambda: fails(world, payment) or ask_now(world, payment))
    # As a hint does, or the browser that comes back from the page on which the customer said no.
    assert ask_now(world, payment)
    ten_seconds_later(world, payment)
    assert [round(days, 2) for days in days_to_polls(world)] == [1]


@by_push
def test_money_whose_notice_was_lost_is_found_by_the_final_poll(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=DECLINED)
    wait_until(lambda: fails(world, payment))
    world.break_wallet(f"{'jazzcash' if method == JAZZ_CASH else 'easypaisa'} ipn", "drop", times=None)
    world.do(payment, "late-success")
    worked(world)
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert [review.kind for review in world.reviews()] == ["paid_late"]


@by_push
def test_a_push_that_the_customer_approves_later_is_found_out_by_asking(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=PAID_LATER)
    world.becomes(payment, "completed")
    assert world.at_wallet(payment)["debits"] == 1


@by_push
def test_a_push_that_nobody_answers_stays_pending(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=NEVER)
    for _ in range(3):
        world.make_due()
        world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING


@by_push
@pytest.mark.parametrize("phone", [DEBITED_IN_SILENCE, HTML, TRUNCATED])
def test_a_push_whose_answer_is_lost_is_never_sent_again_and_completes_once(spoken: Spoken, phone: str) -> None:
    world, method = spoken
    payment = world.begin(method, phone=phone)
    world.becomes(payment, "completed")

    found = world.at_wallet(payment)
    assert (found["debits"], found["charge_calls"]) == (1, 1)


@by_push
def test_a_payment_of_another_amount_completes_nothing_and_asks_a_person(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=WRONG_AMOUNT)
    wait_until(lambda: [review.kind for review in worked(world).reviews()] == ["paid_mismatch"])
    assert world.status(payment.id) is PaymentStatus.PENDING


@by_push
def test_a_notice_that_comes_three_times_is_one_payment_and_one_receipt(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=TRIPLE_NOTICE)
    world.becomes(payment, "completed")
    worked(world)
    moved = [event for event in world.events(payment.id) if event.fact == "paid" and event.effect == "moved"]
    assert (len(moved), len(world.emails())) == (1, 1)


@by_push
def test_money_that_comes_after_a_failure_lifts_the_payment_and_asks_a_person(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=LATE_SUCCESS)
    world.becomes(payment, "completed")
    assert [review.kind for review in world.reviews()] == ["paid_late"]


@by_push
def test_a_failure_that_is_told_after_the_money_is_recorded_only(spoken: Spoken) -> None:
    world, method = spoken
    payment = world.begin(method, phone=LATE_FAILURE)
    world.becomes(payment, "completed")
    wait_until(lambda: len(world.at_wallet(payment)["history"]) > 1 or None)
    worked(world)
    assert world.status(payment.id) is PaymentStatus.COMPLETED


def fails(world: WalletWorld, payment: Payment) -> bool:
    """Do what is due by itself, and tell whether the payment has failed. Some wallets say so in a notice of its own."""
    world.drain()
    return world.status(payment.id) is PaymentStatus.FAILED


def ask_now(world: WalletWorld, payment: Payment) -> bool:
    with world.app.database.transaction() as session:
        poll.stage_now(session, payment)
    return fails(world, payment)


def ten_seconds_later(world: WalletWorld, payment: Payment) -> None:
    """Let the time pass for which a hint waits, such as a browser that came back, and do what is due by then."""
    with world.app.database.transaction() as session:
        session.get_one(Payment, payment.id).polled_at = None
        session.execute(
            text("UPDATE jobs SET due_at = now() WHERE state = 'ready' AND jsonb_exists(payload, 'hinted')")
        )
    world.drain()


def days_to_polls(world: WalletWorld) -> list[float]:
    """In how many days the wallet is asked, once for each question that is staged."""
    with world.app.database.transaction() as session:
        staged = select(Job.due_at, func.now()).where(Job.kind == "payment.inquire", Job.state == "ready")
        return [(due_at - now) / timedelta(days=1) for due_at, now in session.execute(staged)]


def a_day_later(world: WalletWorld) -> None:
    """Let a day pass, and do all that is due by then."""
    with world.app.database.transaction() as session:
        # Events are never changed; only for a test's clock the trigger that sees to it looks away.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE payment_events SET at = at - interval '1 day'"))
    worked(world)


def worked(world: WalletWorld) -> WalletWorld:
    """The world after everything that is due was done."""
    world.make_due()
    world.drain()
    return world
