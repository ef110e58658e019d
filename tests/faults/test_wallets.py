"""The same for a wallet, whose push knows no key: what dies must not take the money twice."""

import signal
from typing import Any

import pytest
import requests
from redis import Redis

from tests.faults.shop import PREFIX, Shop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

WORKER, PUSH, INQUIRY = "worker-pushes", "easypaisa initiate", "easypaisa inquiry"


def push(shop: Shop) -> str:
    answer = requests.post(
        f"{shop.stack.web_url}{PREFIX}/easy-paisa/initiate",
        json={"amount": "1250.50", "phone": "03001234567"},
        headers={"Authorization": f"Bearer {shop.stack.keys['customer']}"},
        timeout=10,
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["payment_id"])


def at_wallet(shop: Shop, payment_id: str) -> dict[str, Any] | None:
    reference = shop.payment(payment_id)["reference"]
    url = f"{shop.stack.gateway_url}/_sandbox/wallets/transactions/{reference}"
    answer = requests.get(url, timeout=10)
    return dict(answer.json()) if answer.ok else None


def taken_once(shop: Shop, payment_id: str) -> bool:
    found = at_wallet(shop, payment_id)
    return found is not None and (found["debits"], found["charge_calls"]) == (1, 1)


def test_a_worker_killed_while_the_customer_approves_sends_no_second_push(shop: Shop) -> None:
    # The wallet takes the money and holds its answer: the worker dies without having heard of it.
    shop.fault(PUSH, "timeout_after", times=1, seconds=8)
    payment_id = push(shop)
    wait_until(lambda: at_wallet(shop, payment_id), what="the push at the wallet")
    shop.stack.kill(WORKER, signal.SIGKILL)
    assert shop.payment(payment_id)["status"] == "pending"

    shop.stack.restart(WORKER)
    shop.becomes(payment_id, "completed")
    assert taken_once(shop, payment_id)
    assert shop.has_its_one_receipt(payment_id)


def test_a_wiped_broker_delays_pushes_and_doubles_none(shop: Shop) -> None:
    shop.stack.kill(WORKER, signal.SIGSTOP)
    ids = [push(shop) for _ in range(5)]
    wait_until(
        lambda: shop.count("SELECT count(*) FROM jobs WHERE kind = 'payment.push' AND lease_token IS NOT NULL") >= 5,
        what="five messages on their way",
    )
    with Redis.from_url(shop.stack.broker_url) as broker:
        broker.flushall()
    shop.stack.kill(WORKER, signal.SIGCONT)

    for payment_id in ids:
        shop.becomes(payment_id, "completed", seconds=60)
        assert taken_once(shop, payment_id)


def test_a_sick_wallet_holds_up_neither_cards_nor_the_other_wallet(shop: Shop) -> None:
    shop.fault(PUSH, "timeout_before", times=None, seconds=30)
    waiting = [push(shop) for _ in range(10)]
    paid = shop.checkout()
    shop.pay(paid["session_id"])
    shop.becomes(paid["payment_id"], "completed")
    assert {shop.payment(payment_id)["status"] for payment_id in waiting} == {"pending"}


def test_answers_that_are_lost_in_every_way_end_in_one_payment_each(shop: Shop) -> None:
    paid = []
    for fault in ("timeout_after", "html_200", "truncated_json", "error_500_after"):
        shop.fault(PUSH, fault, times=1, seconds=1)
        payment_id = push(shop)
        wait_until(lambda: not shop.sandbox("GET", "faults"), what=f"a push that met {fault}")
        if fault != "html_200":
            paid.append(payment_id)
            continue
        # Nothing was executed: the customer was never asked, and still nobody may ask a second time.
        assert at_wallet(shop, payment_id) is None
    for payment_id in paid:
        shop.becomes(payment_id, "completed", seconds=60)
        assert taken_once(shop, payment_id)
