import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from payproc.application import Application
from payproc.database.models import Job, Payment, User
from payproc.domain.money import Money
from payproc.domain.requests.payment import PaymentRequest
from payproc.errors import Conflict, IdempotencyKeyReused, InvalidRequest
from payproc.flows import checkout
from payproc.providers.stripe import STRIPE
from payproc.records import idempotency
from payproc.records.idempotency import Answer, Fresh, NewKey, Replay, Resumed, check_key, fingerprint

PRINT, OTHER = fingerprint("POST", "/checkout", {"amount": 1}), fingerprint("POST", "/checkout", {"amount": 2})
ANSWER = Answer(status=202, location="/api/v1/payments/pay_1", body='{"payment_id": "pay_1"}')


def claim(app: Application, user: User, *, key: str = "key-1", said: bytes = PRINT) -> Any:
    with app.database.transaction() as session:
        return idempotency.claim(session, user, key, fingerprint=said)


def check_out(app: Application, user: User, *, key: str = "key-1") -> str:
    """Take the key and make its payment in one statement, as the view does."""
    request = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="Two chairs",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/cart",
    )
    draft = checkout.draft_payment(app, request, user=user, method=STRIPE)
    payment = checkout.take_drafted(app, draft, key=NewKey(user_id=user.id, key=key, fingerprint=PRINT, answer=None))
    if payment is None:
        raise Conflict("The key is taken.")
    return payment.id


def answer(app: Application, user: User, payment_id: str) -> None:
    with app.database.transaction() as session:
        idempotency.remember(session, user, "key-1", subject=payment_id, answer=ANSWER)


def let_its_lock_run_out(app: Application) -> None:
    with app.database.transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET locked_until = now() - interval '1 second'"))


def test_a_new_key_is_fresh(app: Application, customer: User) -> None:
    assert claim(app, customer) == Fresh()


def test_an_answered_request_is_answered_the_same_again(app: Application, customer: User) -> None:
    payment_id = check_out(app, customer)
    answer(app, customer, payment_id)
    assert claim(app, customer) == Replay(subject=payment_id, answer=ANSWER)
    assert claim(app, customer) == Replay(subject=payment_id, answer=ANSWER)


def test_another_request_under_the_same_key_is_refused(app: Application, customer: User) -> None:
    payment_id = check_out(app, customer)
    for _ in range(2):
        with pytest.raises(IdempotencyKeyReused):
            claim(app, customer, said=OTHER)
        answer(app, customer, payment_id)


def test_a_request_that_is_still_being_answered_is_refused(app: Application, customer: User) -> None:
    check_out(app, customer)
    with pytest.raises(Conflict) as refused:
        claim(app, customer)
    assert refused.value.code == "idempotency_key_in_use"


def test_a_request_whose_process_died_is_resumed_with_its_payment_by_one_retry(
    app: Application, customer: User
) -> None:
    payment_id = check_out(app, customer)
    let_its_lock_run_out(app)
    assert claim(app, customer) == Resumed(subject=payment_id)
    with pytest.raises(Conflict):
        claim(app, customer)


def test_a_request_that_failed_leaves_the_key_fresh(app: Application, customer: User) -> None:
    def fail() -> None:
        with app.database.transaction() as session:
            idempotency.claim(session, customer, "key-1", fingerprint=PRINT)
            raise InvalidRequest("The amount is wrong.")

    with pytest.raises(InvalidRequest):
        fail()
    assert claim(app, customer, said=OTHER) == Fresh()


def test_two_users_may_choose_the_same_key(app: Application, customer: User, operator: User) -> None:
    payment_id = check_out(app, customer)
    answer(app, customer, payment_id)
    assert claim(app, operator, said=OTHER) == Fresh()


def test_the_same_request_sent_many_times_at_once_makes_one_payment(app: Application, customer: User) -> None:
    together = threading.Barrier(6)

    def send(_: int) -> bool:
        together.wait()
        try:
            check_out(app, customer)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as clients:
        assert sorted(clients.map(send, range(6))) == [False] * 5 + [True]
    with app.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Payment)) == 1
        assert session.scalar(select(func.count()).select_from(Job)) == 1


@pytest.mark.parametrize("key", ["a", "a" * 255, "9f8e-7d6c", "with space", "~!@#$%^&*()"])
def test_a_key_is_up_to_255_printable_ascii_characters(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", "a" * 256, "k\xe9y", "tab\t", "line\n", "\x00", "\x7f", "\N{SNOWMAN}"])
def test_another_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        check_key(key)


values = st.none() | st.booleans() | st.integers() | st.text()
bodies = st.dictionaries(st.text(), values | st.lists(values), max_size=5)


@given(bodies)
def test_the_order_of_a_bodys_keys_makes_no_other_request(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    assert fingerprint("POST", "/checkout", body) == fingerprint("POST", "/checkout", turned)


@given(bodies, bodies)
def test_another_body_is_another_request(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = fingerprint("POST", "/checkout", one) == fingerprint("POST", "/checkout", other)
    assert same is (repr(sorted(one.items())) == repr(sorted(other.items())))


def test_another_address_is_another_request() -> None:
    assert fingerprint("POST", "/a", {}) != fingerprint("POST", "/b", {})
    assert fingerprint("POST", "/a", {}) != fingerprint("PUT", "/a", {})
