"""What one test left behind reaches no other: neither its dead processes, nor its work, nor the faults it ordered."""

import signal

import pytest

from tests.faults.shop import Shop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

SESSIONS = "POST /v1/checkout/sessions"


def test_a_fault_that_is_ordered_meets_no_payment_of_an_earlier_test(shop: Shop) -> None:
    shop.stack.kill("worker-stripe", signal.SIGKILL)
    shop.stack.kill("worker-mail", signal.SIGSTOP)
    left = [shop.checkout(wait=0)["payment_id"] for _ in range(5)]
    shop.fault(SESSIONS, "rate_limit_429", times=None)
    shop.comes_to_rest()
    assert all(shop.payment(payment_id)["session_id"] for payment_id in left)

    shop.fault(SESSIONS, "timeout_after", times=1, seconds=8)
    meant = shop.checkout(wait=0)["payment_id"]
    wait_until(lambda: shop.sessions_at_stripe(meant), what="the session at Stripe")
    assert shop.payment(meant)["session_id"] is None
