"""Money given back, while what carries it dies: given back once, and known here."""

import signal
import threading
from typing import Any

import pytest
import requests
from redis import Redis

from tests.faults.shop import PREFIX, Shop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

REFUNDS, WORKER = "POST /v1/refunds", "worker-stripe"


def paid(shop: Shop) -> str:
    payment_id = str(shop.checkout()["payment_id"])
    shop.pay(shop.session_of(payment_id))
    shop.becomes(payment_id, "completed")
    return payment_id


def ask(shop: Shop, payment_id: str, *, amount: str | None = None, **headers: str) -> requests.Response:
    return requests.post(
        f"{shop.stack.web_url}{PREFIX}/refund/{payment_id}",
        json={} if amount is None else {"amount": amount},
        headers={"Authorization": f"Bearer {shop.stack.keys['customer']}", **headers},
        timeout=40,
    )


def refund(shop: Shop, payment_id: str) -> str:
    answer = ask(shop, payment_id)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["refund_id"])


def status(shop: Shop, refund_id: str) -> str:
    answer = requests.get(
        f"{shop.stack.web_url}{PREFIX}/refund/{refund_id}",
        headers={"Authorization": f"Bearer {shop.stack.keys['customer']}"},
        timeout=10,
    )
    assert answer.ok, answer.text
    return str(answer.json()["status"])


def given_at_stripe(shop: Shop, payment_id: str) -> list[int]:
    """What Stripe has given back of a payment, refund by refund."""
    events: list[dict[str, Any]] = shop.sandbox("GET", "events")
    made = [event["data"]["object"] for event in events if event["type"] == "refund.created"]
    return [each["amount"] for each in made if each["metadata"].get("payment_id") == payment_id]


def is_given_once(shop: Shop, payment_id: str, refund_id: str) -> bool:
    wait_until(lambda: status(shop, refund_id) == "succeeded", seconds=60, what=f"{refund_id} succeeded")
    shop.becomes(payment_id, "refunded")
    return given_at_stripe(shop, payment_id) == [1999]


def test_a_worker_killed_between_stripes_answer_and_our_commit_gives_back_once(shop: Shop) -> None:
    payment_id = paid(shop)
    # Stripe executes and holds its answer: the worker dies with the refund made and nothing of it known here.
    shop.fault(REFUNDS, "timeout_after", times=1, seconds=8)
    refund_id = refund(shop, payment_id)
    wait_until(lambda: given_at_stripe(shop, payment_id), what="the refund at Stripe")
    shop.stack.kill(WORKER, signal.SIGKILL)
    shop.stack.restart(WORKER)
    assert is_given_once(shop, payment_id, refund_id)


def test_a_worker_killed_before_stripe_has_the_call_gives_back_once(shop: Shop) -> None:
    payment_id = paid(shop)
    shop.fault(REFUNDS, "timeout_before", times=1, seconds=8)
    refund_id = refund(shop, payment_id)
    wait_until(lambda: not shop.sandbox("GET", "faults"), what="the call under way")
    shop.stack.kill(WORKER, signal.SIGKILL)
    assert given_at_stripe(shop, payment_id) == []
    shop.stack.restart(WORKER)
    assert is_given_once(shop, payment_id, refund_id)
    assert shop.count("SELECT count(*) FROM provider_calls WHERE subject = :id", id=refund_id) == 1


def test_a_worker_killed_while_stripe_still_works_on_the_call_gives_back_once(shop: Shop) -> None:
    payment_id = paid(shop)
    shop.fault(REFUNDS, "slow", times=1, seconds=2)
    refund_id = refund(shop, payment_id)
    wait_until(lambda: not shop.sandbox("GET", "faults"), what="the call under way")
    shop.stack.kill(WORKER, signal.SIGKILL)
    shop.stack.restart(WORKER)
    assert is_given_once(shop, payment_id, refund_id)


def test_a_wiped_broker_delays_a_refund_and_doubles_none(shop: Shop) -> None:
    payment_id = paid(shop)
    shop.stack.kill(WORKER, signal.SIGSTOP)
    refund_id = refund(shop, payment_id)
    sent = "SELECT count(*) FROM jobs WHERE kind = 'refund.send' AND subject = :id AND lease_token IS NOT NULL"
    wait_until(lambda: shop.count(sent, id=refund_id), what="a message on its way")
    with Redis.from_url(shop.stack.broker_url) as broker:
        broker.flushall()
    shop.stack.kill(WORKER, signal.SIGCONT)
    assert is_given_once(shop, payment_id, refund_id)


def test_two_refunds_of_twelve_dollars_racing_are_one_and_a_conflict(shop: Shop) -> None:
    payment_id = paid(shop)
    answers: list[requests.Response] = []
    racing = [threading.Thread(target=lambda: answers.append(ask(shop, payment_id, amount="12.00"))) for _ in range(2)]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join()

    assert sorted(answer.status_code for answer in answers) == [202, 409]
    [refused] = [answer.json() for answer in answers if answer.status_code == 409]
    assert refused["code"] == "refund_exceeds_payment"
    wait_until(lambda: given_at_stripe(shop, payment_id) == [1200], what="one refund at Stripe")


def test_who_waits_is_told_how_it_ended_and_a_key_makes_no_second_refund(shop: Shop) -> None:
    payment_id = paid(shop)
    key = {"Idempotency-Key": f"give back {payment_id}", "Prefer": "wait=20"}
    first, again = ask(shop, payment_id, amount="5.00", **key), ask(shop, payment_id, amount="5.00", **key)

    assert (first.status_code, first.json()["status"]) == (200, "succeeded")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert ask(shop, payment_id, amount="6.00", **key).status_code == 422
    assert given_at_stripe(shop, payment_id) == [500]


def test_a_refund_by_hand_in_the_dashboard_appears_here(shop: Shop) -> None:
    payment_id = paid(shop)
    [intent] = {
        event["data"]["object"]["id"]
        for event in shop.sandbox("GET", "events")
        if event["type"] == "payment_intent.succeeded" and payment_id in str(event)
    }
    made = requests.post(
        f"{shop.stack.gateway_url}/v1/refunds",
        data={"payment_intent": intent},
        headers={"Authorization": "Bearer sk_test_by_hand"},
        timeout=10,
    )
    assert made.ok, made.text
    shop.becomes(payment_id, "refunded")
