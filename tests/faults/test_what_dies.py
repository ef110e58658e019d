"""Kill what can be killed, at the worst moment, and count the payments afterwards."""

import signal

import pytest
from redis import Redis
from sqlalchemy import text

from tests.faults.shop import Shop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

SESSIONS = "POST /v1/checkout/sessions"


def test_a_worker_killed_before_it_commits_stripes_answer_leaves_one_session(shop: Shop) -> None:
    # Stripe executes and holds its answer: the worker dies with the session made and nothing of it known here.
    shop.fault(SESSIONS, "timeout_after", times=1, seconds=8)
    payment_id = shop.checkout(wait=0)["payment_id"]
    wait_until(lambda: shop.sessions_at_stripe(payment_id), what="the session at Stripe")
    shop.stack.kill("worker-stripe", signal.SIGKILL)
    assert shop.payment(payment_id)["session_id"] is None

    shop.stack.restart("worker-stripe")
    session_id = shop.session_of(payment_id)
    assert shop.sessions_at_stripe(payment_id) == [session_id]
    shop.pay(session_id)
    shop.becomes(payment_id, "completed")
    assert shop.count("SELECT count(*) FROM provider_calls WHERE subject = :id", id=payment_id) == 1


def test_a_worker_killed_while_it_applies_notices_applies_each_once(shop: Shop) -> None:
    ids = [shop.checkout()["payment_id"] for _ in range(5)]
    sessions = [shop.session_of(payment_id) for payment_id in ids]
    for session_id in sessions:
        shop.pay(session_id)
        shop.stack.kill("worker-notices", signal.SIGKILL)
        shop.stack.restart("worker-notices")
    for payment_id in ids:
        shop.becomes(payment_id, "completed")
        moved = "SELECT count(*) FROM payment_events WHERE payment_id = :id AND fact = 'paid' AND effect = 'moved'"
        assert shop.count(moved, id=payment_id) == 1
        assert shop.has_its_one_receipt(payment_id)


def test_a_wiped_broker_delays_and_loses_nothing(shop: Shop) -> None:
    shop.stack.kill("worker-stripe", signal.SIGSTOP)
    ids = [shop.checkout(wait=0)["payment_id"] for _ in range(5)]
    wait_until(
        lambda: shop.count("SELECT count(*) FROM jobs WHERE kind = 'payment.start' AND lease_token IS NOT NULL") >= 5,
        what="five messages on their way",
    )
    with Redis.from_url(shop.stack.broker_url) as broker:
        broker.flushall()
    shop.stack.kill("worker-stripe", signal.SIGCONT)

    for payment_id in ids:
        session_id = shop.session_of(payment_id)
        assert shop.sessions_at_stripe(payment_id) == [session_id]


def test_with_the_broker_down_payments_and_webhooks_are_accepted_and_done_later(shop: Shop) -> None:
    paid = shop.checkout()
    shop.stack.kill("redis", signal.SIGKILL)

    waiting = shop.checkout(wait=0)["payment_id"]
    shop.pay(paid["session_id"])
    wait_until(
        lambda: shop.count("SELECT count(*) FROM notices WHERE kind = 'checkout.session.completed' AND state = 'new'"),
        what="the notice in its inbox",
    )
    assert shop.payment(paid["payment_id"])["status"] == "pending"

    shop.stack.restart("redis")
    shop.becomes(paid["payment_id"], "completed", seconds=90)
    shop.session_of(waiting)


def test_a_relay_that_dies_is_replaced_and_two_ring_once(shop: Shop) -> None:
    shop.stack.kill("relay", signal.SIGKILL)
    payment_id = shop.checkout(wait=0)["payment_id"]
    shop.stack.restart("relay")
    session_id = shop.session_of(payment_id)
    assert shop.sessions_at_stripe(payment_id) == [session_id]


def test_a_mail_server_that_is_down_holds_up_no_payment_and_one_mail_leaves_later(shop: Shop) -> None:
    shop.fault("smtp", "refuse", times=3)
    started = shop.checkout()
    shop.pay(started["session_id"])
    shop.becomes(started["payment_id"], "completed")
    assert shop.has_its_one_receipt(started["payment_id"])


def test_webhooks_dropped_doubled_or_out_of_order_end_in_one_receipt(shop: Shop) -> None:
    for fault in ("drop", "duplicate", "delay", "shuffle"):
        shop.fault("webhook", fault, times=3, seconds=1)
        started = shop.checkout()
        shop.pay(started["session_id"])
        shop.becomes(started["payment_id"], "completed")
        assert shop.has_its_one_receipt(started["payment_id"])


def test_database_connections_cut_under_load_cost_retries_and_no_payment(shop: Shop) -> None:
    cut = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    paid: list[str] = []
    for _ in range(8):
        started = shop.checkout_despite_trouble()
        with shop.database.transaction() as session:
            session.execute(cut)
        shop.pay(shop.session_of(started))
        with shop.database.transaction() as session:
            session.execute(cut)
        paid.append(started)
    for payment_id in paid:
        shop.becomes(payment_id, "completed", seconds=60)
        assert shop.has_one_receipt_whatever_was_repeated(payment_id)
        assert len(shop.sessions_at_stripe(payment_id)) == 1
