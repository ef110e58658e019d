"""The books over HTTP."""

import csv
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.models import Payment, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import Fact
from payproc.flows import checkout
from payproc.providers.stripe import STRIPE
from payproc.records import payments
from tests.web.client import is_problem, key_of

LEDGER = "/api/v1/ledger"


@pytest.fixture
def paid(app: Application, customer: User) -> Payment:
    request = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    made = checkout.take_payment(app, request, user=customer, method=STRIPE)
    with app.database.transaction() as session:
        return payments.apply_fact(
            session, made.id, Fact.PAID, provenance=Provenance(source=Source.OPERATOR, evidence="rev_1")
        )


@pytest.fixture
def staff(app: Application, operator: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of(app, operator)}"}


def ask(client: FlaskClient, staff: dict[str, str], **query: Any) -> TestResponse:
    return client.get(LEDGER, headers=staff, query_string=query)


@pytest.mark.usefixtures("paid")
def test_staff_reads_the_balances(anonymous: FlaskClient, staff: dict[str, str]) -> None:
    answer = ask(anonymous, staff)
    assert answer.status_code == 200
    shared = {"provider": "stripe", "currency": "usd"}
    assert answer.json == {
        "at": None,
        "balances": [
            {"account": "receivable", **shared, "amount": "19.99", "amount_minor": 1999},
            {"account": "sales", **shared, "amount": "-19.99", "amount_minor": -1999},
        ],
    }
    assert anonymous.get(f"{LEDGER}/", headers=staff).text == answer.text


@pytest.mark.usefixtures("paid")
def test_the_books_of_an_earlier_moment_are_asked_for_with_its_offset(
    anonymous: FlaskClient, staff: dict[str, str]
) -> None:
    early = ask(anonymous, staff, at="2020-01-01T00:00:00+05:00")
    assert early.json == {"at": "2020-01-01T00:00:00+05:00", "balances": []}
    assert is_problem(ask(anonymous, staff, at="2020-01-01T00:00:00"), 422, "time_naive")
    assert is_problem(ask(anonymous, staff, at="noon"), 422, "invalid_request")
    assert is_problem(ask(anonymous, staff, format="xlsx"), 422, "invalid_request")


def test_entries_are_exported_as_csv(anonymous: FlaskClient, staff: dict[str, str], paid: Payment) -> None:
    answer = ask(anonymous, staff, format="csv")
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [(row["journal"], row["account"], row["amount"]) for row in rows] == [
        (f"sale:{paid.id}", "receivable", "19.99"),
        (f"sale:{paid.id}", "sales", "-19.99"),
    ]


@pytest.mark.usefixtures("paid")
def test_entries_are_exported_for_beancount(anonymous: FlaskClient, staff: dict[str, str]) -> None:
    answer = ask(anonymous, staff, format="beancount")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ledger.beancount"'
    assert "  Assets:Receivable:Stripe  19.99 USD\n" in answer.text
    assert ask(anonymous, staff, format="beancount", at="2020-01-01T00:00:00Z").text == ""


def test_an_export_gives_its_connection_back(anonymous: FlaskClient, staff: dict[str, str], paid: Payment) -> None:
    for _ in range(12):  # more than the pool holds
        assert paid.id in ask(anonymous, staff, format="csv").text


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("export_format", ["json", "csv"])
def test_customers_do_not_read_the_books(
    anonymous: FlaskClient, app: Application, customer: User, export_format: str
) -> None:
    theirs = {"Authorization": f"Bearer {key_of(app, customer)}"}
    assert is_problem(ask(anonymous, theirs, format=export_format), 403, "not_allowed")
    assert is_problem(ask(anonymous, {}, format=export_format), 401, "not_authenticated")


def test_the_document_names_all_three_media_types(anonymous: FlaskClient) -> None:
    document = anonymous.get("/openapi.json").json
    assert document is not None
    answers = document["paths"][LEDGER]["get"]["responses"]["200"]["content"]
    assert set(answers) == {"application/json", "text/csv", "text/plain"}
