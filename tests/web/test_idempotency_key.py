from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from payproc.application import Application
from payproc.database.models import Payment
from tests.web.client import Client, checkout_body, is_problem

KEY = {"Idempotency-Key": "order-17-try-1"}


def payments(app: Application) -> int:
    with app.database.transaction() as session:
        return session.scalars(select(func.count()).select_from(Payment)).one()


def test_the_same_request_twice_is_one_payment_and_one_answer(amina: Client, app: Application) -> None:
    first, second = (amina.post("/checkout", checkout_body(), headers=KEY) for _ in range(2))

    assert (first.status_code, first.text, first.headers["Location"]) == (
        second.status_code,
        second.text,
        second.headers["Location"],
    )
    assert second.headers["Idempotent-Replayed"] == "true"
    assert payments(app) == 1


def test_fifty_at_once_are_one_payment(amina: Client, app: Application) -> None:
    def post(_: int) -> tuple[int, str]:
        answer = amina.post("/checkout", checkout_body(), headers=KEY)
        return answer.status_code, answer.text

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(post, range(50)))

    bodies = {body for status, body in answers if status == 202}
    assert len(bodies) == 1
    assert {status for status, _ in answers} <= {202, 409}
    assert payments(app) == 1


def test_the_same_key_with_another_body_is_refused(amina: Client, app: Application) -> None:
    amina.post("/checkout", checkout_body(), headers=KEY)
    answer = amina.post("/checkout", checkout_body(amount=20), headers=KEY)

    assert is_problem(answer, 422, "idempotency_key_reused")
    assert payments(app) == 1


def test_the_same_key_of_another_user_is_another_key(amina: Client, omar: Client, app: Application) -> None:
    first, second = (client.post("/checkout", checkout_body(), headers=KEY) for client in (amina, omar))

    assert first.text != second.text
    assert payments(app) == 2


def test_a_request_that_was_refused_leaves_its_key_free(amina: Client, app: Application) -> None:
    assert amina.post("/checkout", checkout_body(amount=0), headers=KEY).status_code == 422
    assert amina.post("/checkout", checkout_body(), headers=KEY).status_code == 202
    assert payments(app) == 1


def test_a_request_that_is_still_being_answered_is_409_and_one_that_died_is_resumed(
    amina: Client, app: Application
) -> None:
    first = amina.post("/checkout", checkout_body(), headers=KEY)
    with app.database.transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET answer = NULL, status = NULL"))
    assert is_problem(amina.post("/checkout", checkout_body(), headers=KEY), 409, "idempotency_key_in_use")

    with app.database.transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET locked_until = now() - interval '1 second'"))
    resumed = amina.post("/checkout", checkout_body(), headers=KEY)
    assert resumed.json == first.json
    assert payments(app) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ключ"])
def test_a_bad_key_is_refused(amina: Client, key: str) -> None:
    headers = {"Idempotency-Key": key.encode().decode("latin-1")}
    assert is_problem(amina.post("/checkout", checkout_body(), headers=headers), 422, "idempotency_key_invalid")
