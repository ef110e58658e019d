from typing import Any

import pytest
from flask import Flask

from payproc.application import Application
from payproc.database.models import Order, Role, User
from payproc.domain.ids import Prefix, is_id
from payproc.outgoing import pay_links
from payproc.records.identity.users import create_user
from tests.web.client import Client, checkout_body, is_problem, key_of


class Shop:
    """A shop's server, with its key."""

    def __init__(self, flask_app: Flask, key: str) -> None:
        self._client, self._auth = flask_app.test_client(), {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/v1{path}", headers=self._auth)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._client.post(f"/api/v1{path}", json=body, headers=self._auth | headers)


@pytest.fixture
def mangoes(flask_app: Flask, app: Application, shop: User) -> Shop:
    return Shop(flask_app, key_of(app, shop))


@pytest.fixture
def chairs(flask_app: Flask, app: Application) -> Shop:
    with app.database.transaction() as session:
        user = create_user(session, email="server@chairs.pk", name="Chairs", role=Role.SHOP)
    return Shop(flask_app, key_of(app, user))


def body(**changes: Any) -> dict[str, Any]:
    said = {"reference": "A-17", "amount": "19.99", "currency": "usd", "description": "Two mangoes"}
    return {name: value for name, value in (said | changes).items() if value is not ...}


def test_an_order_answers_with_the_page_where_it_is_paid(app: Application, mangoes: Shop) -> None:
    answer = mangoes.post("/orders", body(customer={"email": "amina@example.com", "locale": "ur"}))
    assert answer.status_code == 201, answer.text
    made = answer.json
    assert (made["amount_minor"], made["status"], made["reference"]) == (1999, "open", "A-17")
    token = made["pay_url"].rpartition("/")[2]
    assert pay_links.named_by(app.settings, token) == made["id"]
    assert answer.headers["Location"] == f"/api/v1/orders/{made['id']}"
    assert mangoes.get(f"/customers/{made['user_id']}").json["locale"] == "ur"


def test_an_order_is_found_by_its_id_and_by_its_shops_reference(mangoes: Shop, chairs: Shop) -> None:
    mine, theirs = mangoes.post("/orders", body()).json, chairs.post("/orders", body()).json
    assert mangoes.get("/orders/A-17").json["id"] == mine["id"]
    assert chairs.get("/orders/A-17").json["id"] == theirs["id"]
    assert mangoes.get(f"/orders/{mine['id']}").json["payments"] == []
    assert is_problem(mangoes.get(f"/orders/{theirs['id']}"), 404, "order_not_found")
    assert [each["id"] for each in mangoes.get("/orders").json["orders"]] == [mine["id"]]


def test_an_order_without_a_reference_is_called_by_its_id(mangoes: Shop) -> None:
    made = mangoes.post("/orders", body(reference=...)).json
    assert made["reference"] == made["id"]
    assert is_id(made["id"], Prefix.ORDER)


def test_the_same_key_is_the_same_order_and_the_same_reference_a_conflict(app: Application, mangoes: Shop) -> None:
    first = mangoes.post("/orders", body(), **{"Idempotency-Key": "k1"})
    again = mangoes.post("/orders", body(), **{"Idempotency-Key": "k1"})
    assert first.json["id"] == again.json["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    third = mangoes.post("/orders", body())
    assert is_problem(third, 409, "order_exists")
    assert third.json["subject"] == first.json["id"]
    with app.database.transaction() as session:
        assert session.query(Order).count() == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": ...}, "amount_missing"),
        ({"currency": ...}, "currency_missing"),
        ({"amount": "0.01"}, "amount_too_small"),
        ({"amount": "19.999"}, "amount_too_precise"),
        ({"customer": {"email": "nobody"}}, "email_invalid"),
        ({"customer": {"email": "a@b.pk", "phone": "12"}}, "phone_invalid"),
        ({"customer": {"name": "No address"}}, "invalid_request"),
        ({"methods": ["bitcoin"]}, "method_unsupported"),
        ({"reference": "a/b"}, "invalid_request"),
        ({"expires_at": "tomorrow"}, "invalid_request"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expiry_invalid"),
        ({"items": [{"name": "Mango", "quantity": 0}]}, "invalid_request"),
        ({"colour": "green"}, "invalid_request"),
    ],
)
def test_a_bad_order_says_what_to_change_and_makes_nothing(
    app: Application, mangoes: Shop, changes: dict[str, Any], code: str
) -> None:
    answer = mangoes.post("/orders", body(**changes))
    assert is_problem(answer, 422, code), answer.text
    with app.database.transaction() as session:
        assert session.query(Order).count() == 0


def test_customers_make_no_orders(flask_app: Flask, app: Application, customer: User) -> None:
    assert is_problem(Shop(flask_app, key_of(app, customer)).post("/orders", body()), 403, "not_allowed")


def test_a_shop_closes_its_own_order_alone(mangoes: Shop, chairs: Shop) -> None:
    made = mangoes.post("/orders", body()).json
    assert is_problem(chairs.post(f"/orders/{made['id']}/close"), 404, "order_not_found")
    assert mangoes.post("/orders/A-17/close").json["status"] == "closed"
    assert is_problem(
        mangoes.post("/payments/checkout", checkout_body(order_id=made["id"], amount=..., currency=...)),
        409,
        "order_closed",
    )


def test_a_shop_pays_for_each_of_its_customers_and_sees_what_it_made(mangoes: Shop, chairs: Shop) -> None:
    made = [
        mangoes.post("/payments/checkout", checkout_body(customer={"email": address}))
        for address in ("amina@example.com", "bilal@example.com", "amina@example.com")
    ]
    assert [answer.status_code for answer in made] == [202, 202, 202]
    listed = mangoes.get("/payments").json["payments"]
    assert {each["id"] for each in listed} == {answer.json["payment_id"] for answer in made}
    assert len({each["user_id"] for each in listed}) == 2
    assert len(mangoes.get("/customers").json["customers"]) == 2
    assert [each["email"] for each in mangoes.get("/customers?email=BILAL@example.com").json["customers"]] == [
        "bilal@example.com"
    ]
    assert chairs.get("/payments").json["payments"] == []
    assert is_problem(chairs.get(f"/payments/{listed[0]['id']}"), 404, "payment_not_found")


def test_a_customer_names_nobody_else(amina: Client) -> None:
    refused = amina.post("/checkout", checkout_body(customer={"email": "bilal@example.com"}))
    assert is_problem(refused, 422, "customer_not_yours")


def test_an_idempotency_key_is_the_shops_not_its_customers(mangoes: Shop, chairs: Shop) -> None:
    said = checkout_body(customer={"email": "amina@example.com"})
    first = mangoes.post("/payments/checkout", said, **{"Idempotency-Key": "k1"})
    again = mangoes.post("/payments/checkout", said, **{"Idempotency-Key": "k1"})
    theirs = chairs.post("/payments/checkout", said, **{"Idempotency-Key": "k1"})
    assert first.json["payment_id"] == again.json["payment_id"] != theirs.json["payment_id"]


def test_an_erased_customer_is_shown_without_a_name(mangoes: Shop) -> None:
    made = mangoes.post("/orders", body(customer={"email": "amina@example.com", "phone": "03001234567"})).json
    shown = mangoes.get(f"/customers/{made['user_id']}").json
    assert (shown["email"], shown["phone"]) == ("amina@example.com", "0300****567")
    erased = mangoes.post(f"/customers/{made['user_id']}/erase")
    assert erased.status_code == 200, erased.text
    assert {erased.json[name] for name in ("email", "name", "phone", "reference")} == {None}
