"""Money given back: by a call where the gateway has one, by hands where it has none, and never twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from payproc.database.models import Payment, Refund, Review, User
from payproc.domain.money import Money
from payproc.domain.states import PaymentStatus, RefundStatus
from payproc.errors import Conflict
from payproc.flows import request_refund
from payproc.operations import actions
from payproc.operations.actions import OperatorAction
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.records.identity.users import issue_key
from tests.support.wallet_world import APPROVED, NEVER, WalletWorld

CALL = "jazzcash refund"


@pytest.fixture
def world(wallet_world: WalletWorld) -> WalletWorld:
    return wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", easy_paisa_dialect="rest-v4")


@pytest.fixture
def paid(world: WalletWorld) -> Payment:
    """A payment of Rs 1,250.50 by JazzCash."""
    payment = world.begin(JAZZ_CASH, phone=APPROVED)
    world.becomes(payment, "completed")
    return world.payment(payment.id)


def refund(
    world: WalletWorld, payment: Payment, amount_minor: int | None = None, *, user: User | None = None
) -> Refund:
    money = None if amount_minor is None else Money.of(amount_minor, "pkr")
    with world.app.database.transaction() as session:
        return request_refund.request_refund(
            world.app, session, payment.id, user=user or world.customer, money=money, reason="unripe"
        )


def status(world: WalletWorld, made: Refund) -> RefundStatus:
    with world.app.database.transaction() as session:
        return session.get_one(Refund, made.id).status


def resolve(world: WalletWorld, decision: OperatorAction | None) -> None:
    [review] = [review for review in world.reviews() if review.resolved_at is None]
    with world.app.database.transaction() as session:
        actions.resolve_review(session, review.id, resolution="looked it up", decision=decision)


def test_the_whole_goes_back_by_one_call_and_the_payment_is_refunded(world: WalletWorld, paid: Payment) -> None:
    made = refund(world, paid)
    assert made.status is RefundStatus.PENDING
    world.drain()

    assert status(world, made) is RefundStatus.SUCCEEDED
    assert world.status(paid.id) is PaymentStatus.REFUNDED
    assert world.at_wallet(paid)["refunded"] == 125050
    assert len(world.at_wallet(paid)["refunds"]) == 1


def test_parts_go_back_to_the_paisa_and_the_last_one_refunds_the_payment(world: WalletWorld, paid: Payment) -> None:
    for part, after in ((50000, "completed"), (75000, "completed"), (None, "refunded")):
        refund(world, paid, part)
        world.drain()
        assert world.status(paid.id) == after
    assert world.at_wallet(paid)["refunded"] == 125050


def test_of_two_refunds_at_once_one_is_taken(world: WalletWorld, paid: Payment) -> None:
    def ask(_: int) -> str:
        try:
            return refund(world, paid, 80000).status
        except Conflict as refused:
            return refused.code

    with ThreadPoolExecutor(max_workers=2) as threads:
        answers = sorted(threads.map(ask, range(2)))
    assert answers == ["pending", "refund_in_flight"]
    world.drain()
    assert world.at_wallet(paid)["refunded"] == 80000


@pytest.mark.parametrize(
    ("amount_minor", "aged", "code"),
    [(125051, None, "refund_exceeds_payment"), (None, "91 days", "refund_window_over")],
)
def test_what_cannot_be_given_back_is_refused_and_written_nowhere(
    world: WalletWorld, paid: Payment, amount_minor: int | None, aged: str | None, code: str
) -> None:
    if aged:
        world.age("payments", paid.id, completed_at=aged)
    with pytest.raises(Conflict) as refused:
        refund(world, paid, amount_minor)
    assert (refused.value.code, world.rows(Refund)) == (code, [])


def test_a_payment_that_is_not_completed_is_not_refunded(world: WalletWorld) -> None:
    waiting = world.begin(JAZZ_CASH, phone=NEVER)
    with pytest.raises(Conflict, match="only a completed payment"):
        refund(world, waiting)


@pytest.mark.parametrize("fault", ["timeout_after", "html_200", "truncated_json", "error_500_after"])
def test_a_refund_in_doubt_is_asked_about_and_never_sent_again(world: WalletWorld, paid: Payment, fault: str) -> None:
    world.break_wallet(CALL, fault, seconds=1)
    made = refund(world, paid)
    for _ in range(3):
        world.make_due()
        world.drain()
    sent = [call for call in _calls(world) if call["operation"] == CALL]
    assert len(sent) == 1
    if fault == "html_200":
        assert status(world, made) is RefundStatus.PENDING
    else:
        assert status(world, made) is RefundStatus.SUCCEEDED
        assert world.status(paid.id) is PaymentStatus.REFUNDED


def test_a_part_in_doubt_is_a_persons_to_settle_and_holds_its_money_meanwhile(
    world: WalletWorld, paid: Payment
) -> None:
    world.break_wallet(CALL, "html_200")
    made = refund(world, paid, 50000)
    for _ in range(6):
        world.make_due()
        world.drain()
    assert status(world, made) is RefundStatus.PENDING
    assert [review.kind for review in world.reviews()] == ["refund_unsettled"]
    with pytest.raises(Conflict, match="still on its way"):
        refund(world, paid, 100)
    with pytest.raises(Conflict, match="decide refunded or not_refunded"):
        resolve(world, None)

    resolve(world, OperatorAction.NOT_REFUNDED)
    assert status(world, made) is RefundStatus.FAILED
    refund(world, paid)
    world.drain()
    assert world.status(paid.id) is PaymentStatus.REFUNDED


def test_a_refund_that_never_reached_the_gateway_is_sent_later(world: WalletWorld, paid: Payment) -> None:
    away = world.speaking(jazz_cash_refund_url="http://127.0.0.1:9/nobody")
    made = refund(away, paid)
    away.drain()
    assert status(world, made) is RefundStatus.PENDING
    world.make_due()
    world.drain()
    assert status(world, made) is RefundStatus.SUCCEEDED


def test_easypaisa_gives_back_by_hand_and_says_so(world: WalletWorld) -> None:
    payment = world.begin(EASY_PAISA, phone=APPROVED)
    world.becomes(payment, "completed")
    with world.app.database.transaction() as session:
        key = issue_key(session, world.customer)
    answer = _post(world, f"refund/{payment.id}", {"amount": "1250.50"}, key=key)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (202, "refund_manual", "manual")
    assert world.status(payment.id) is PaymentStatus.COMPLETED

    resolve(world, OperatorAction.REFUNDED)
    assert world.status(payment.id) is PaymentStatus.REFUNDED
    # An answered question stays answered.
    [review] = world.rows(Review)
    with pytest.raises(Conflict), world.app.database.transaction() as session:
        actions.resolve_review(session, review.id, resolution="again", decision=OperatorAction.NOT_REFUNDED)


def test_a_payment_in_the_guides_dialect_has_no_call_for_it_either(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="guide")
    payment = world.begin(JAZZ_CASH)
    world.do(payment, "approve")
    world.becomes(payment, "completed")
    assert refund(world, payment).status is RefundStatus.MANUAL


def test_another_customers_payment_is_not_there_to_be_refunded(
    world: WalletWorld, paid: Payment, operator: User, admin: User
) -> None:
    with world.app.database.transaction() as session:
        stranger = User(email="zara@example.com", full_name="Zara", role=world.customer.role)
        session.add(stranger)
        session.flush()
        key = issue_key(session, stranger)
        seeing, acting = issue_key(session, operator), issue_key(session, admin)
    assert _post(world, f"refund/{paid.id}", {}, key=key).status_code == 404
    assert _post(world, f"refund/{paid.id}", {}, key=seeing).status_code == 403
    assert _post(world, f"refund/{paid.id}", {}, key=acting).status_code == 202


def _post(world: WalletWorld, path: str, body: Any, *, key: str) -> requests.Response:
    url = f"{world.front.url}/api/v1/payments/{path}"
    return requests.post(url, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=5)


def _calls(world: WalletWorld) -> list[dict[str, Any]]:
    return list(requests.get(f"{world.wallet_url}/calls", timeout=5).json())
