"""A gateway that is down: it is left alone, nobody else waits for it, and it is not overrun when it comes back."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import requests
from sqlalchemy import text

from payproc.database.models import Job, Payment
from payproc.domain.states import PaymentStatus
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from tests.support.waiting import wait_until
from tests.support.wallet_world import APPROVED, NEVER, WalletWorld

PUSH, INQUIRY = "jazzcash push", "jazzcash inquiry"
# As many failures as open a breaker, and the calls that were under way beside them.
MOST_CALLS_INTO_AN_OUTAGE = 5 + 20
READS_TRY_TWICE = 2


def resting(world: WalletWorld, rest: str = "400ms") -> WalletWorld:
    return world.speaking(jazz_cash_dialect="mwallet-2.0", easy_paisa_dialect="rest-v4", circuit_rest=rest)


def asked(world: WalletWorld, operation: str = INQUIRY) -> int:
    calls = requests.get(f"{world.wallet_url}/calls", timeout=5).json()
    return Counter(call["operation"] for call in calls)[operation]


def breaker(world: WalletWorld, name: str) -> str:
    ready = requests.get(f"{world.front.url}/readyz", timeout=5)
    assert ready.status_code == 200, "a sick gateway does not make us unready"
    return str(ready.json()["circuits"].get(name, "closed"))


def all_due(world: WalletWorld) -> int:
    """Run what is open once, due or not, and say how often the gateway has been asked by now."""
    world.make_due()
    world.drain_once()
    return asked(world)


def test_a_gateway_that_is_down_is_left_alone_and_delays_only_itself(wallet_world: WalletWorld) -> None:
    world = resting(wallet_world, "1m")
    waiting = [world.begin(JAZZ_CASH, phone=NEVER) for _ in range(30)]
    world.drain()
    before = asked(world)
    world.break_wallet(INQUIRY, "drop_connection", times=None)

    all_due(world)
    all_due(world)
    assert asked(world) - before <= MOST_CALLS_INTO_AN_OUTAGE * READS_TRY_TWICE
    wait_until(lambda: breaker(world, "jazz_cash inquiry") == "open", what="the figures of another second")
    known = asked(world)
    all_due(world)
    assert asked(world) == known, "while the breaker is open nobody calls"

    other = world.begin(EASY_PAISA, phone=APPROVED)
    world.becomes(other, "completed")
    assert {world.status(payment.id) for payment in waiting} == {PaymentStatus.PENDING}


def test_a_gateway_that_comes_back_is_tried_by_one_call_and_then_by_all(wallet_world: WalletWorld) -> None:
    world = resting(wallet_world)
    for _ in range(20):
        world.begin(JAZZ_CASH, phone=NEVER)
    world.drain()
    world.break_wallet(INQUIRY, "drop_connection", times=None)
    all_due(world)
    wait_until(lambda: breaker(world, "jazz_cash inquiry") == "open", what="the figures of another second")
    world.mend_stripe()
    world.break_wallet(INQUIRY, "slow", times=None, seconds=0.2)
    known = asked(world)

    wait_until(lambda: all_due(world) > known, what="a first call after the rest")
    assert asked(world) - known == 1, "one call finds out, while the others wait"
    world.mend_stripe()
    wait_until(lambda: all_due(world) - known > 20, what="all of them asked about")
    wait_until(lambda: breaker(world, "jazz_cash inquiry") == "closed", what="the figures of another second")


def test_what_failed_together_does_not_come_back_together(wallet_world: WalletWorld) -> None:
    world = resting(wallet_world)
    for _ in range(20):
        world.begin(JAZZ_CASH, phone=NEVER)
    world.drain()
    world.break_wallet(INQUIRY, "drop_connection", times=None)
    all_due(world)
    due = {job.due_at for job in world.rows(Job) if job.kind == "payment.inquire" and job.state == "ready"}
    assert len(due) > 15


def test_what_waited_for_a_gateway_goes_on_as_soon_as_it_answers(wallet_world: WalletWorld) -> None:
    world = resting(wallet_world)
    for _ in range(8):
        world.begin(JAZZ_CASH, phone=NEVER)
    world.drain()
    world.break_wallet(INQUIRY, "drop_connection", times=None)
    all_due(world)
    world.mend_stripe()
    known = asked(world)
    first, *others = grown_waits(world)

    def one_tries() -> bool:
        with world.app.database.transaction() as session:
            session.execute(text("UPDATE jobs SET due_at = now() WHERE id = :id"), {"id": first})
        world.drain_once()
        return asked(world) > known

    wait_until(one_tries, what="a first call after the rest")
    soon = datetime.now(UTC) + timedelta(seconds=5)
    assert all(job.due_at < soon for job in world.rows(Job) if job.id in others)


def grown_waits(world: WalletWorld) -> list[str]:
    """Let what has failed wait for as long as after an outage of an hour; return the ids of these jobs."""
    grow = "UPDATE jobs SET due_at = now() + interval '9 minutes' WHERE state = 'ready' AND last_error IS NOT NULL"
    with world.app.database.transaction() as session:
        return [str(row[0]) for row in session.execute(text(f"{grow} RETURNING id"))]


def test_a_push_that_never_arrived_is_sent_once_the_gateway_answers(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", jazz_cash_push_url="http://127.0.0.1:9/nobody")
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    assert [call.state for call in world.calls()] == ["refused"]

    world = world.speaking(jazz_cash_push_url=None)
    world.becomes(payment, "completed")
    assert world.at_wallet(payment)["charge_calls"] == 1


def test_a_push_that_cannot_be_sent_while_anybody_waits_fails_with_a_clear_word(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", jazz_cash_push_url="http://127.0.0.1:9/nobody")
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    world.age("payments", payment.id, created_at="11 minutes")
    world.drain()

    failed = world.payment(payment.id)
    assert (failed.status, failed.failure_code) == (PaymentStatus.FAILED, "no_connection")
    assert failed.encrypted_payer is None


def test_too_many_requests_are_waited_out_as_long_as_the_gateway_asks(wallet_world: WalletWorld) -> None:
    world = resting(wallet_world)
    payment = world.begin(JAZZ_CASH, phone=NEVER)
    world.drain()
    world.break_wallet(INQUIRY, "rate_limit_429", times=None)
    all_due(world)
    [job] = [j for j in world.rows(Job) if j.subject == payment.id and j.state == "ready"]
    assert job.last_error is not None
    assert "too many requests" in job.last_error


def test_a_worker_that_dies_while_it_pushes_leaves_a_question_and_no_second_push(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0")
    payment = world.take(JAZZ_CASH, phone=APPROVED)
    provider = world.app.provider(JAZZ_CASH)
    sent = type(provider).start

    class Died(BaseException):
        """The process is gone after the answer, before our commit."""

    def dies(self: object, call: object) -> None:
        sent(self, call)  # type: ignore[arg-type]  # the provider's own method, called past its type
        raise Died

    try:
        type(provider).start = dies  # type: ignore[method-assign,assignment]  # a crash cannot be patched in on the wire
        world.drain_once()
    except Died:
        pass
    finally:
        type(provider).start = sent  # type: ignore[method-assign]  # as it was
    assert world.at_wallet(payment)["debits"] == 1
    assert world.status(payment.id) is PaymentStatus.PENDING
    with world.app.database.transaction() as session:
        assert session.get_one(Payment, payment.id).encrypted_payer is not None

    world.becomes(payment, "completed")
    found = world.at_wallet(payment)
    assert (found["debits"], found["charge_calls"]) == (1, 1)
    assert len(world.emails()) == 1
