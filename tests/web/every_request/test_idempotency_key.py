import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.engine import Database
from payproc.database.models import Payment, User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.references import Reference
from payproc.providers.answers import Redirect, StartResult
from payproc.records import outcomes
from tests.web.client import Client, checkout_body, is_problem, key_of
from web.app import create_app

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


class Leaving(Database):
    """A database that goes away after so many transactions; a single statement is one."""

    def __init__(self, database: Database, *, after: int) -> None:
        self._database = database
        self._left = after

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self._count()
        with self._database.transaction() as session:
            yield session

    def rows(self, *statement: Any, **more: Any) -> list[tuple[Any, ...]]:
        self._count()
        return self._database.rows(*statement, **more)

    def _count(self) -> None:
        if self._left == 0:
            raise OperationalError("SELECT 1", {}, ConnectionRefusedError())
        self._left -= 1


def client_of(app: Application, user: User, *, transactions: int) -> Client:
    database = Leaving(app.database, after=transactions)
    return Client(create_app(replace(app, database=database)), key_of(app, user))


def test_who_calls_is_one_statement_a_checkout_another_and_its_repeat_a_third(app: Application, customer: User) -> None:
    answers = [
        client_of(app, customer, transactions=most).post("/checkout", checkout_body(), headers=KEY)
        for most in (2, 1, 3)
    ]
    assert [answer.status_code for answer in answers] == [202, 503, 202]
    assert answers[2].text == answers[0].text


def test_what_was_committed_is_not_called_lost_when_the_database_goes_away(
    app: Application, amina: Client, customer: User
) -> None:
    leaving = client_of(app, customer, transactions=3)
    answer = leaving.post("/checkout", checkout_body(), headers={**KEY, "Prefer": "wait=1"})
    assert answer.status_code == 202
    assert is_problem(amina.post("/checkout", checkout_body(), headers=KEY), 409, "idempotency_key_in_use")

    with app.database.transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET locked_until = now() - interval '1 second'"))
    assert amina.post("/checkout", checkout_body(), headers=KEY).json == answer.json
    assert payments(app) == 1


def test_the_answer_after_a_wait_is_the_one_that_is_given_again(amina: Client, app: Application) -> None:
    def post() -> tuple[int, str]:
        answer = amina.post("/checkout", checkout_body(), headers={**KEY, "Prefer": "wait=9"})
        return answer.status_code, answer.text

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post)
        while payments(app) == 0:
            time.sleep(0.02)
        assert is_problem(amina.post("/checkout", checkout_body(), headers=KEY), 409, "idempotency_key_in_use")
        started = StartResult(
            next_action=Redirect(url="https://checkout.example/1"), references={Reference.STRIPE_SESSION: "cs_1"}
        )
        with app.database.transaction() as session:
            payment_id = session.scalars(select(Payment.id)).one()
            outcomes.record_start(session, payment_id, started, provenance=Provenance(source=Source.API))

    status, body = waiting.result()
    again = amina.post("/checkout", checkout_body(), headers=KEY)
    assert status == 201
    assert "https://checkout.example/1" in body
    assert (again.status_code, again.text, again.headers["Idempotent-Replayed"]) == (status, body, "true")
