"""A payment is taken by one statement, which is sent again where its connection was lost: it must not take two."""

from dataclasses import replace
from typing import Any

import pytest

from payproc.database.engine import Database, Parameters
from payproc.database.models import IdempotencyKey, Job, Payment, PaymentEvent, PushShare
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.payment import PaymentRequest
from payproc.errors import TooManyRequests
from payproc.flows.checkout import draft_payment, take_drafted, take_payment
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from payproc.records.idempotency import Answer, NewKey
from tests.support.wallet_world import WalletWorld

ANSWER = Answer(status=202, location="/there", body="{}")
# How each begins: by a call under a key, by a form, by a push.
ONE_OF_EACH = [(STRIPE, 1, 0), (JAZZ_CASH, 2, 0), (EASY_PAISA, 1, 3)]


class Deaf(Database):
    """A database whose first answer to each statement is lost, after it was carried out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        self._database.rows(statement, parameters, after=after)
        return self._database.rows(statement, parameters, after=after)


@pytest.fixture
def world(wallet_world: WalletWorld) -> WalletWorld:
    speaking = wallet_world.speaking(jazz_cash_dialect="hosted-1.1", easy_paisa_dialect="rest-v4")
    return replace(speaking, app=replace(speaking.app, database=Deaf(speaking.app.database)))


def request_of(method: PaymentMethod) -> PaymentRequest:
    return PaymentRequest(
        money=Money.of(1999, "usd" if method == STRIPE else "pkr"),
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
        phone=None if method == STRIPE else "03001234567",
        address="192.0.2.1",
    )


@pytest.mark.parametrize(("method", "events", "shares"), ONE_OF_EACH)
def test_a_statement_whose_answer_was_lost_takes_one_payment(
    wallet_world: WalletWorld, world: WalletWorld, method: PaymentMethod, events: int, shares: int
) -> None:
    taken = take_payment(world.app, request_of(method), user=world.customer, method=method)
    (kept,) = wallet_world.rows(Payment)
    assert (kept.id, kept.reference, kept.created_at) == (taken.id, taken.reference, taken.created_at)
    assert [len(wallet_world.rows(table)) for table in (PaymentEvent, Job, PushShare)] == [events, 1, shares]


@pytest.mark.parametrize(("method", "events", "shares"), ONE_OF_EACH)
def test_under_a_key_it_takes_that_as_well_and_is_no_stranger_to_itself(
    wallet_world: WalletWorld, world: WalletWorld, method: PaymentMethod, events: int, shares: int
) -> None:
    def take(said: bytes) -> Payment | None:
        draft = draft_payment(world.app, request_of(method), user=world.customer, method=method)
        return take_drafted(
            world.app, draft, key=NewKey(user_id=world.customer.id, key="order-1", fingerprint=said, answer=ANSWER)
        )

    taken = take(b"1")
    assert taken is not None
    assert take(b"1") is None
    assert take(b"2") is None
    (key,) = wallet_world.rows(IdempotencyKey)
    assert (key.subject, key.fingerprint, key.status, key.answer) == (taken.id, b"1", 202, "{}")
    assert [len(wallet_world.rows(table)) for table in (PaymentEvent, Job, PushShare)] == [events, 1, shares]


def test_what_was_taken_is_what_the_row_says(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-1.1")
    taken = world.take(JAZZ_CASH, meta={"basket": 17})
    kept = world.payment(taken.id)
    assert {name: getattr(taken, name) for name in Payment.__mapper__.column_attrs.keys()} == {  # noqa: SIM118 (no dictionary)
        name: getattr(kept, name)
        for name in Payment.__mapper__.column_attrs.keys()  # noqa: SIM118 (as above)
    }
    first, second = world.events(taken.id)
    assert (first.fact, first.effect, first.from_status, first.to_status) == ("created", "moved", None, "pending")
    assert (second.fact, second.effect, second.from_status) == ("started", "same", "pending")
    assert {first.evidence, second.evidence} == {world.customer.id}


def test_a_push_that_is_one_too_many_takes_neither_payment_nor_key(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(easy_paisa_dialect="rest-v4", pushes_per_phone=1)
    take_payment(world.app, request_of(EASY_PAISA), user=world.customer, method=EASY_PAISA)
    draft = draft_payment(world.app, request_of(EASY_PAISA), user=world.customer, method=EASY_PAISA)
    with pytest.raises(TooManyRequests):
        take_drafted(
            world.app, draft, key=NewKey(user_id=world.customer.id, key="order-1", fingerprint=b"1", answer=ANSWER)
        )
    assert [len(world.rows(table)) for table in (Payment, IdempotencyKey, Job, PushShare)] == [1, 0, 1, 3]
