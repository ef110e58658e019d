"""Strangers hold the front: whatever they hold, a signed notice is taken within a second."""

import json
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
import requests
import stripe

from tests.faults.shop import PREFIX, Shop
from tests.support.faults.crowd import Crowd
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many come at once, and for how long they are borne."""

    slow: int
    silent: int
    waiting: int
    seconds: float


# As many as once stopped everything; as many as must not; both in a moment, and in full.
SIZES = [
    pytest.param(Size(slow=24, silent=1_060, waiting=24, seconds=1), id="small"),
    pytest.param(Size(slow=200, silent=2_000, waiting=100, seconds=20), id="full", marks=pytest.mark.full),
]


@pytest.fixture
def crowd(shop: Shop) -> Iterator[Crowd]:
    with Crowd(shop.stack.web_url) as made:
        yield made


def notice_takes(shop: Shop) -> float:
    """Deliver a signed event of no interest, and return how many seconds its answer took."""
    body = json.dumps({"id": f"evt_{secrets.token_hex(12)}", "object": "event", "type": "customer.created"} | NOTHING)
    secret = shop.stack.site.secrets.stripe_webhook_secret
    header = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()))
    began = time.monotonic()
    url = f"{shop.stack.web_url}{PREFIX}/webhook/stripe"
    answer = requests.post(url, data=body, headers={"Stripe-Signature": header}, timeout=10)
    assert answer.status_code == 200, answer.text
    return time.monotonic() - began


NOTHING = {"livemode": False, "data": {"object": {"id": "cus_1", "object": "customer"}}}


def payment_takes(shop: Shop, payment_id: str) -> float:
    began = time.monotonic()
    assert shop.payment(payment_id)["payment_id"] == payment_id
    return time.monotonic() - began


def holds(shop: Shop, payment_id: str, *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        assert notice_takes(shop) < 1
        assert payment_takes(shop, payment_id) < 2
        assert requests.get(f"{shop.stack.web_url}/healthz", timeout=5).elapsed.total_seconds() < 2
        if time.monotonic() > end:
            return


def memory_of(shop: Shop) -> int:
    return sum(each.memory_info().rss for each in processes_of(shop))


def processes_of(shop: Shop) -> list[psutil.Process]:
    return list(psutil.Process(shop.stack.process("web")).children())


def checkouts(shop: Shop, count: int, *, wait: int) -> Iterator[bytes]:
    body = json.dumps(
        {"amount": "19.99", "currency": "usd", "description": "Two mangoes"}
        | {"success_url": "https://example.com/thanks", "cancel_url": "https://example.com/basket"}
    )
    for _ in range(count):
        yield (
            f"POST {PREFIX}/checkout HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nPrefer: wait={wait}\r\n"
            f"Authorization: Bearer {shop.stack.keys['customer']}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


@pytest.mark.parametrize("size", SIZES)
def test_bodies_that_never_come_hold_no_thread(shop: Shop, crowd: Crowd, size: Size) -> None:
    payment_id = shop.checkout()["payment_id"]
    crowd.slow_bodies(size.slow)
    holds(shop, payment_id, seconds=size.seconds)


@pytest.mark.parametrize("size", SIZES)
def test_answers_that_nobody_reads_hold_no_thread_and_no_memory(shop: Shop, crowd: Crowd, size: Size) -> None:
    payment_id, before = shop.checkout()["payment_id"], memory_of(shop)
    crowd.slow_readers(size.slow)
    holds(shop, payment_id, seconds=size.seconds)
    # One copy of the file a process, whoever reads it, and what the kernel was handed.
    assert memory_of(shop) - before < 40 * MIB


@pytest.mark.parametrize("size", SIZES)
def test_connections_that_say_nothing_keep_nobody_out(shop: Shop, crowd: Crowd, size: Size) -> None:
    payment_id = shop.checkout()["payment_id"]
    crowd.silent(size.silent)
    holds(shop, payment_id, seconds=size.seconds)


@pytest.mark.full
def test_all_of_them_at_once_and_a_hundred_who_wait_hold_up_no_notice(shop: Shop, crowd: Crowd) -> None:
    size: Size = SIZES[-1].values[0]  # type: ignore[assignment]  # what pytest wrapped
    payment_id, before = shop.checkout()["payment_id"], memory_of(shop)
    shop.stack.kill("worker-stripe", signal.SIGSTOP)
    try:
        crowd.slow_bodies(size.slow)
        crowd.slow_readers(size.slow)
        crowd.silent(size.silent)
        crowd.ask(checkouts(shop, size.waiting, wait=30))
        holds(shop, payment_id, seconds=size.seconds)
        assert memory_of(shop) - before < 150 * MIB
    finally:
        shop.stack.kill("worker-stripe", signal.SIGCONT)


def test_however_many_wait_for_their_answer_others_are_answered(shop: Shop, crowd: Crowd) -> None:
    payment_id = shop.checkout()["payment_id"]
    # Nobody begins a payment meanwhile, so whoever waits waits to the end.
    shop.stack.kill("worker-stripe", signal.SIGSTOP)
    try:
        crowd.ask(checkouts(shop, 24, wait=3))
        holds(shop, payment_id, seconds=1)
    finally:
        shop.stack.kill("worker-stripe", signal.SIGCONT)


def test_a_process_of_the_front_that_dies_is_replaced(shop: Shop) -> None:
    before = processes_of(shop)
    before[0].kill()
    wait_until(lambda: len(set(processes_of(shop)) - set(before)) == 1, what="another process")
    # The other one takes what comes meanwhile.
    assert notice_takes(shop) < 2
    wait_until(lambda: len(processes_of(shop)) == len(before), what="as many as before")


def test_a_front_that_is_stopped_answers_who_still_waits(shop: Shop) -> None:
    answers: list[int] = []
    shop.stack.kill("worker-stripe", signal.SIGSTOP)
    waiting = threading.Thread(target=lambda: answers.append(len(shop.checkout(wait=3)["payment_id"])))
    payments = shop.count("SELECT count(*) FROM payments")
    try:
        waiting.start()
        wait_until(lambda: shop.count("SELECT count(*) FROM payments") > payments, what="a payment")
        shop.stack.restart("web")
        waiting.join()
    finally:
        shop.stack.kill("worker-stripe", signal.SIGCONT)
    assert len(answers) == 1
