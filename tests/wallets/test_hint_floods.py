"""Strangers and browsers tell us time and again that a payment moved: the gateway is asked seldom, and not for ever."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import text

from payproc.database.models import Job, Payment
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from tests.support.waiting import wait_until
from tests.support.wallet_world import DECLINED, NEVER, WalletWorld

INQUIRY = "easypaisa inquiry"
PATH = "/api/v1/payments"


@pytest.fixture
def world(wallet_world: WalletWorld) -> WalletWorld:
    return wallet_world.speaking(jazz_cash_dialect="hosted-1.1", easy_paisa_dialect="rest-v4")


def hint(world: WalletWorld, payment: Payment) -> None:
    body = {"transactionId": payment.reference, "transactionStatus": "success"}
    assert requests.post(f"{world.front.url}{PATH}/easy-paisa/notify", json=body, timeout=5).ok


def come_back(world: WalletWorld, payment: Payment) -> int:
    """Come back from the wallet's pages, with words that nobody signed."""
    forged = {"pp_TxnRefNo": payment.reference, "pp_ResponseCode": "000", "pp_SecureHash": "A1"}
    url = f"{world.front.url}{PATH}/jazz-cash/return"
    return requests.post(url, data=forged, timeout=5, allow_redirects=False).status_code


def inquiries(world: WalletWorld) -> int:
    calls = requests.get(f"{world.wallet_url}/calls", timeout=5).json()
    return len([call for call in calls if call["operation"] == INQUIRY])


def polls_of(world: WalletWorld, payment: Payment) -> list[Job]:
    return [job for job in world.rows(Job) if (job.kind, job.subject) == ("payment.inquire", payment.id)]


def open_poll_of(world: WalletWorld, payment: Payment) -> Job:
    [job] = [job for job in polls_of(world, payment) if job.state == "ready"]
    return job


def test_a_hint_that_comes_while_the_gateway_is_asked_does_not_have_it_asked_at_once(world: WalletWorld) -> None:
    payment = world.begin(EASY_PAISA, phone=NEVER)
    world.drain()
    before = inquiries(world)
    world.break_wallet(INQUIRY, "slow", times=1, seconds=0.5)
    world.make_due()
    with ThreadPoolExecutor(1) as worker:
        running = worker.submit(world.drain_once)
        wait_until(lambda: open_poll_of(world, payment).started_at, what="the inquiry")
        for _ in range(5):
            hint(world, payment)
        assert running.result() == 1
    world.drain()
    assert inquiries(world) - before == 1
    assert open_poll_of(world, payment).due_at > datetime.now(UTC) + timedelta(seconds=5)


def test_the_call_itself_looks_when_it_last_asked_whoever_brought_it_forward(world: WalletWorld) -> None:
    payment = world.begin(EASY_PAISA, phone=NEVER)
    world.drain()
    world.make_due()
    world.drain_once()
    before = inquiries(world)
    hint(world, payment)
    for _ in range(3):
        world.make_due()
        world.drain()
    assert inquiries(world) == before
    with world.app.database.transaction() as session:
        session.get_one(Payment, payment.id).polled_at = datetime.now(UTC) - timedelta(seconds=11)
    world.make_due()
    world.drain_once()
    assert inquiries(world) == before + 1


def test_who_comes_back_often_brings_few_questions_forward_and_sees_the_page(
    wallet_world: WalletWorld,
) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-1.1", hints_per_minute=4)
    payments = [world.begin(JAZZ_CASH) for _ in range(8)]
    assert {come_back(world, payment) for payment in payments} == {303}
    hinted = {notice.payment_id for notice in world.notices()}
    assert hinted == {payment.id for payment in payments[:4]}


def ended(world: WalletWorld, *, ago: str) -> Payment:
    payment = world.begin(EASY_PAISA, phone=DECLINED)
    world.becomes(payment, "failed")
    with world.app.database.transaction() as session:
        # Events are only added; here the clock goes back.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(f"UPDATE payment_events SET at = at - interval '{ago}'"))  # noqa: S608 (a test's own words)
        session.get_one(Payment, payment.id).polled_at = None
    world.drain()
    return payment


@pytest.mark.parametrize(("ago", "asked"), [("6 days", 1), ("8 days", 0)])
def test_a_payment_that_ended_is_asked_about_for_a_week_and_no_longer(world: WalletWorld, ago: str, asked: int) -> None:
    payment = ended(world, ago=ago)
    before, kept = inquiries(world), len(world.notices())
    hint(world, payment)
    world.drain()
    assert (inquiries(world) - before, len(world.notices()) - kept) == (asked, asked)


def test_a_question_that_waited_until_the_week_was_over_is_not_asked(world: WalletWorld) -> None:
    payment = ended(world, ago="6 days")
    hint(world, payment)
    before = inquiries(world)
    with world.app.database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE payment_events SET at = at - interval '2 days'"))
    world.drain()
    assert inquiries(world) == before
    assert {job.state for job in polls_of(world, payment)} == {"done"}
