"""Refunds and disputes over HTTP: what is asked, what is refused and why, and who may see it."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.models import Payment, Role, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.settlement import RemoteDispute
from payproc.domain.states import DisputeStatus, Fact, RefundFact
from payproc.flows import checkout
from payproc.providers.stripe import STRIPE
from payproc.records import disputes, payments, refunds
from payproc.records.identity.users import create_user
from tests.web.client import Client, is_problem, key_of
from web.app import create_app

TOLD = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")


@pytest.fixture
def paid(app: Application, customer: User) -> Payment:
    """A completed payment of 100 USD."""
    request = PaymentRequest(
        money=Money.of(10000, "usd"),
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    taken = checkout.take_payment(app, request, user=customer, method=STRIPE)
    with app.database.transaction() as session:
        return payments.apply_fact(session, taken.id, Fact.PAID, provenance=TOLD)


@pytest.fixture
def bilal(flask_app: Flask, app: Application) -> Client:
    """Somebody else."""
    with app.database.transaction() as session:
        other = create_user(session, email="bilal@example.com", name="Bilal", role=Role.CUSTOMER)
    return Client(flask_app, key_of(app, other))


def dispute(app: Application, payment: Payment) -> None:
    remote = RemoteDispute(
        provider_id="dp_1",
        references={},
        money=Money.of(6000, "usd"),
        status=DisputeStatus.NEEDS_RESPONSE,
        reported_at=datetime.now(UTC),
        reason="fraudulent",
        evidence_due_at=datetime.now(UTC) + timedelta(days=7),
    )
    with app.database.transaction() as session:
        disputes.record_remote(session, payment, remote, provenance=TOLD, operator_mail=None)


def test_a_refund_answers_what_it_is_and_where_it_is_looked_up(amina: Client, paid: Payment) -> None:
    answer = amina.post(f"/refund/{paid.id}", {"amount": 33.33, "reason": "unripe"})
    assert answer.status_code == 202, answer.text
    told = answer.json or {}
    assert (told["payment_id"], str(told["amount"]), told["amount_minor"]) == (paid.id, "33.33", 3333)
    assert (told["status"], told["code"], told["reason"]) == ("pending", "refund_pending", "unripe")
    assert answer.headers["Location"] == f"/api/v1/payments/refund/{told['refund_id']}"
    assert amina.get(f"/refund/{told['refund_id']}").json == told
    assert amina.get(f"/{paid.id}/refunds").json == {"refunds": [told]}


def test_without_an_amount_all_that_is_left_goes_back(amina: Client, paid: Payment) -> None:
    amina.post(f"/refund/{paid.id}", {"amount_minor": 1})
    assert (amina.post(f"/refund/{paid.id}", {}).json or {})["amount_minor"] == 9999


def test_a_part_may_be_less_than_what_can_be_charged(amina: Client, paid: Payment) -> None:
    assert amina.post(f"/refund/{paid.id}", {"amount": "0.01"}).status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": "100.01"}, 409, "refund_exceeds_payment"),
        ({"amount": "0.001"}, 422, "amount_too_precise"),
        ({"amount": "0"}, 422, "amount_not_positive"),
        ({"amount_minor": -1}, 422, "amount_not_positive"),
        ({"amount": "-1"}, 422, "amount_invalid"),
        ({"amount": "1e2"}, 422, "amount_invalid"),
        ({"amount": "१"}, 422, "amount_invalid"),
        ({"amount": "1.00", "amount_minor": 100}, 422, "amounts_differ"),
    ],
)
def test_an_amount_that_cannot_be_given_back_is_refused_with_its_reason(
    amina: Client, paid: Payment, body: dict[str, Any], status: int, code: str
) -> None:
    assert is_problem(amina.post(f"/refund/{paid.id}", body), status, code)
    assert amina.get(f"/{paid.id}/refunds").json == {"refunds": []}


@pytest.mark.parametrize("body", [{"amout": 1}, {"reason": "a" * 501}, {"reason": 7}, {"amount": True}, {"amount": []}])
def test_a_body_that_is_not_a_refund_is_refused(amina: Client, paid: Payment, body: dict[str, Any]) -> None:
    assert amina.post(f"/refund/{paid.id}", body).status_code == 422


def test_what_is_not_completed_is_not_refunded(amina: Client, app: Application, customer: User) -> None:
    request = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="x",
        success_url="https://example.com/a",
        cancel_url="https://example.com/b",
    )
    waiting = checkout.take_payment(app, request, user=customer, method=STRIPE)
    assert is_problem(amina.post(f"/refund/{waiting.id}", {}), 409, "payment_not_refundable")


def test_a_disputed_payment_is_not_refunded_and_the_answer_names_the_dispute(
    amina: Client, app: Application, paid: Payment
) -> None:
    dispute(app, paid)
    answer = amina.post(f"/refund/{paid.id}", {})
    assert is_problem(answer, 409, "payment_disputed")
    assert (amina.get(f"/{paid.id}").json or {})["amount_refundable_minor"] == 0
    assert "dp_1" in answer.text


def test_a_refund_that_waits_for_an_operator_is_answered_at_once(
    app: Application, customer: User, paid: Payment
) -> None:
    told = settings_type()(**(app.settings.model_dump() | {"refund_by_owner": "request"}))
    shop = Client(create_app(replace(app, settings=told)), key_of(app, customer))
    began = time.monotonic()
    answer = shop.post(f"/refund/{paid.id}", {"amount": 1}, headers={"Prefer": "wait=20", "Idempotency-Key": "once"})
    assert (answer.status_code, (answer.json or {})["status"]) == (202, "requested")
    assert time.monotonic() - began < 5
    again = shop.post(f"/refund/{paid.id}", {"amount": 1}, headers={"Prefer": "wait=20", "Idempotency-Key": "once"})
    assert (again.json, again.headers["Idempotent-Replayed"]) == (answer.json, "true")


def test_a_payment_says_what_was_given_back_and_what_still_can_be(
    amina: Client, app: Application, paid: Payment
) -> None:
    def figures() -> list[Any]:
        page = amina.get("/").json or {}
        [listed] = page["payments"]
        assert listed == amina.get(f"/{paid.id}").json
        names = ("amount_refunded", "amount_refunded_minor", "amount_refundable", "amount_refundable_minor")
        return [listed[name] for name in names]

    assert figures() == ["0.00", 0, "100.00", 10000]
    first = (amina.post(f"/refund/{paid.id}", {"amount": "33.33"}).json or {})["refund_id"]
    assert figures() == ["0.00", 0, "66.67", 6667]
    with app.database.transaction() as session:
        refunds.apply_fact(session, first, RefundFact.SUCCEEDED, provenance=TOLD)
    assert figures() == ["33.33", 3333, "66.67", 6667]
    rest = (amina.post(f"/refund/{paid.id}", {}).json or {})["refund_id"]
    with app.database.transaction() as session:
        refunds.apply_fact(session, rest, RefundFact.SUCCEEDED, provenance=TOLD)
    assert figures() == ["100.00", 10000, "0.00", 0]
    assert (amina.get(f"/{paid.id}").json or {})["status"] == "refunded"


def test_somebody_elses_payment_and_refund_are_not_there(amina: Client, bilal: Client, paid: Payment) -> None:
    made = (amina.post(f"/refund/{paid.id}", {"amount": 1}).json or {})["refund_id"]
    for answer in (bilal.post(f"/refund/{paid.id}", {}), bilal.get(f"/{paid.id}/refunds")):
        assert is_problem(answer, 404, "payment_not_found")
    assert is_problem(bilal.get(f"/refund/{made}"), 404, "refund_not_found")


def test_the_same_key_makes_one_refund(amina: Client, paid: Payment) -> None:
    key = {"Idempotency-Key": "once"}
    first = amina.post(f"/refund/{paid.id}", {"amount": 60}, headers=key)
    again = amina.post(f"/refund/{paid.id}", {"amount": 60}, headers=key)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    other = amina.post(f"/refund/{paid.id}", {"amount": 50}, headers=key)
    assert is_problem(other, 422, "idempotency_key_reused")
    assert len((amina.get(f"/{paid.id}/refunds").json or {})["refunds"]) == 1


def test_disputes_are_listed_for_their_customer_and_for_staff(
    amina: Client, bilal: Client, omar: Client, app: Application, paid: Payment
) -> None:
    dispute(app, paid)
    for who, seen in ((amina, 1), (omar, 1), (bilal, 0)):
        listed = (who.get_at("/api/v1/disputes/").json or {})["disputes"]
        assert len(listed) == seen
    [told] = (amina.get_at(f"/api/v1/disputes/?payment_id={paid.id}&is_open=true").json or {})["disputes"]
    assert (told["amount_minor"], told["status"], told["reason"]) == (6000, "needs_response", "fraudulent")
    assert (amina.get_at("/api/v1/disputes/?is_open=false").json or {})["disputes"] == []
    assert amina.get_at("/api/v1/disputes/?cursor=x").status_code == 422
