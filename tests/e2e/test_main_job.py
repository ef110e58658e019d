"""The main job through real processes: a customer pays, and everybody who should hear of it does."""

import os
import subprocess
import sys

import pytest

from sandbox.stack.running import Stack
from tests.e2e.shop import Shop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


def test_a_customer_who_pays_gets_one_receipt(stack: Stack, shop: Shop) -> None:
    started = shop.check_out()
    shop.press("pay", started["url"])
    payment = shop.completed(started["payment_id"])
    wait_until(lambda: "mail.sent" in shop.timeline(payment["id"]))
    letters = shop.session.get(f"{stack.gateway_url}/_sandbox/mail", timeout=10).json()
    assert len([letter for letter in letters if payment["reference"] in letter["text"]]) == 1


def test_a_declined_card_can_be_followed_by_a_good_one(shop: Shop) -> None:
    started = shop.check_out()
    page = shop.session.post(f"{started['url']}/decline", timeout=30)
    assert "declined" in page.text
    assert shop.payment(started["payment_id"])["status"] == "pending"
    shop.press("pay", started["url"])
    assert shop.completed(started["payment_id"])["failure_code"] is None


def test_flower_shows_what_was_done_to_those_who_know_the_password(stack: Stack, shop: Shop) -> None:
    started = shop.check_out()
    shop.press("pay", started["url"])
    shop.completed(started["payment_id"])

    def done() -> set[str]:
        url = f"{stack.flower_url}/api/tasks"
        tasks = shop.session.get(url, auth=stack.flower_login, timeout=10).json()
        return {task["name"] for task in tasks.values() if task["state"] == "SUCCESS"}

    wait_until(lambda: done() >= {"payment.start", "notice.apply", "mail.send"})


@pytest.mark.parametrize("path", ["/", "/tasks", "/metrics", "/api/tasks", "/api/workers"])
def test_flower_shows_nothing_to_anybody_else(stack: Stack, shop: Shop, path: str) -> None:
    url = stack.flower_url + path
    assert shop.session.get(url, timeout=10).status_code == 401
    assert shop.session.get(url, auth=("operator", "guess"), timeout=10).status_code == 401


def test_metrics_are_there_for_those_who_know_the_password(stack: Stack, shop: Shop) -> None:
    answer = shop.session.get(f"{stack.flower_url}/metrics", auth=stack.flower_login, timeout=10)
    assert answer.status_code == 200
    assert "flower_worker_online" in answer.text


@pytest.mark.parametrize("name", ["relay", "worker-stripe", "redis"])
def test_a_process_that_was_killed_takes_up_its_work_when_it_is_back(stack: Stack, shop: Shop, name: str) -> None:
    before = stack.process(name)
    stack.kill(name)
    stack.restart(name)
    assert stack.process(name) != before
    started = shop.check_out()
    shop.press("pay", started["url"])
    assert shop.completed(started["payment_id"])["status"] == "completed"


def test_the_demonstration_shows_a_payments_timeline() -> None:
    # Each of its steps has a deadline of its own; how long all of them take tells of the machine, not of the program.
    shown = subprocess.run(
        [sys.executable, "-m", "sandbox.demo"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    for told in ("checkout answered 201", "payment.created", "call.answered", "payment.paid", "mail.sent"):
        assert told in shown.stdout
