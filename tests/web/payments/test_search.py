"""A payment is found by whatever somebody has in hand, and only by who may see it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import update

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.models import Payment, Refund, Role, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.order import OrderRequest
from payproc.domain.states import Fact
from payproc.flows.request_refund import request_refund
from payproc.operations.finding import lists
from payproc.records import payments
from payproc.records.identity.users import create_user
from payproc.records.orders import create_order
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.support.wallet_world import wallet_settings
from tests.web.client import Client, checkout_body, is_problem, key_of

PHONE, ANOTHER = "03001234567", "03017654321"
# What no simulator makes up.
GIVEN = {
    "stripe_session_id": "cs_test_1",
    "stripe_payment_intent_id": "pi_1",
    "stripe_charge_id": "ch_1",
    "provider_receipt": "TXN-99/1",
}


@pytest.fixture
def settings(database_url: str) -> Settings:
    told = wallet_settings(settings_of_a_test(database_url), "http://127.0.0.1:9", "http://127.0.0.1:8")
    return settings_type()(**(told | {"easy_paisa_dialect": "rest-v4"}))


@dataclass(frozen=True, kw_only=True)
class Made:
    """A card payment of an order, of which a part is on its way back, and a wallet payment of somebody else's."""

    card: Payment
    wallet: Payment
    refund: Refund
    order_id: str


@pytest.fixture
def bilal(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="Bilal@Example.com", name="Bilal", role=Role.CUSTOMER)


@pytest.fixture
def made(app: Application, flask_app: Flask, amina: Client, customer: User, bilal: User) -> Made:
    with app.database.transaction() as session:
        order = create_order(session, customer, OrderRequest(reference="INV-17", money=Money.of(1999, "usd")))
    body = checkout_body(amount=..., order_id=order.id, metadata={"table": "9", "seats": 4})
    card_id = (amina.post("/checkout", body).json or {})["payment_id"]
    wallet = {"amount": "1250.50", "currency": "pkr", "phone": PHONE}
    wallet_id = (Client(flask_app, key_of(app, bilal)).post("/easy-paisa/initiate", wallet).json or {})["payment_id"]
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
        payments.apply_fact(session, card_id, Fact.PAID, provenance=told)
        session.execute(update(Payment).where(Payment.id == card_id).values(GIVEN))
    with app.database.transaction() as session:
        session.execute(update(Payment).where(Payment.id == wallet_id).values(easy_paisa_reference="EP-5"))
    with app.database.transaction() as session:
        refund = request_refund(app, session, card_id, user=customer, money=Money.of(100, "usd"))
        refund.provider_refund_id = "re_1"
    with app.database.transaction() as session:
        card, paid = session.get_one(Payment, card_id), session.get_one(Payment, wallet_id)
        return Made(card=card, wallet=paid, refund=session.get_one(Refund, refund.id), order_id=order.id)


def found(client: Client, text: str, **more: str) -> list[str]:
    answer = client.get("/", query_string={"q": text} | more)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in (answer.json or {})["payments"]]


OF_THE_CARD: dict[str, Callable[[Made], str]] = {
    "its id": lambda made: made.card.id,
    "our reference": lambda made: made.card.reference,
    "our reference as it was read out": lambda made: f" {made.card.reference.lower()} ",
    "its order": lambda made: made.order_id,
    "the shop's number of the order": lambda _: "INV-17",
    "its refund": lambda made: made.refund.id,
    "the provider's refund": lambda _: "re_1",
    "the session": lambda _: "cs_test_1",
    "the intent": lambda _: "pi_1",
    "the charge": lambda _: "ch_1",
    "the receipt": lambda _: "TXN-99/1",
    "the customer's e-mail": lambda _: "AMINA@example.com",
    "the customer": lambda made: made.card.user_id,
    "the amount": lambda _: "19.99",
    "the amount and its currency": lambda _: "USD 19.99",
}
OF_THE_WALLET = {
    "the phone": PHONE,
    "the phone as it was pasted": "+92 (300) 123-4567",
    "the phone in Urdu's digits": "۰۳۰۰۱۲۳۴۵۶۷",
    "its last four digits": "4567",
    "the wallet's reference": "EP-5",
    "the customer's e-mail": "bilal@example.com",
    "the amount with its comma": "1,250.50 pkr",
    "the amount": "1250.5",
}


@pytest.mark.parametrize("what", OF_THE_CARD)
def test_a_card_payment_is_found_by(made: Made, omar: Client, what: str) -> None:
    assert found(omar, OF_THE_CARD[what](made)) == [made.card.id]


@pytest.mark.parametrize("what", OF_THE_WALLET)
def test_a_wallet_payment_is_found_by(made: Made, omar: Client, what: str) -> None:
    assert found(omar, OF_THE_WALLET[what]) == [made.wallet.id]


@pytest.mark.parametrize(
    "text", [ANOTHER, "4568", "19.98", "19.99 eur", "0", "nobody@example.com", "P" * 20, "آم", "%"]
)
def test_what_fits_nothing_finds_nothing(made: Made, omar: Client, text: str) -> None:
    assert made.card.id
    assert found(omar, text) == []


def test_nobody_finds_what_they_may_not_see(made: Made, amina: Client) -> None:
    for text in (made.wallet.id, made.wallet.reference, *OF_THE_WALLET.values()):
        assert found(amina, text) == []
    assert found(amina, "19.99") == [made.card.id]


def test_a_phone_is_found_by_its_hash_and_stands_in_no_row(made: Made, app: Application) -> None:
    assert made.wallet.phone_hash == app.phone_hasher.hashed(PHONE)
    assert len(made.wallet.phone_hash or b"") == 16
    assert (made.wallet.phone_last_four, made.wallet.phone) == ("4567", "0300****567")
    with app.database.transaction() as session:
        row = session.execute(Payment.__table__.select().where(Payment.id == made.wallet.id)).one()
    assert PHONE not in str(row)
    assert PHONE[1:] not in str(row)


def test_several_that_fit_come_newest_first_and_page_by_page(app: Application, amina: Client, omar: Client) -> None:
    ids = [(amina.post("/checkout", checkout_body()).json or {})["payment_id"] for _ in range(5)]
    pages, cursor = [], dict[str, str]()
    while True:
        answer = omar.get("/", query_string={"q": "19.99", "limit": "2"} | cursor).json or {}
        pages.append([each["id"] for each in answer["payments"]])
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert app.settings.requests_per_user == 0


def test_filters_hold_beside_what_is_looked_for(made: Made, omar: Client, bilal: User) -> None:
    assert found(omar, "19.99", status="completed") == [made.card.id]
    assert found(omar, "19.99", status="pending") == []
    assert found(omar, "19.99", customer_id=bilal.id) == []


def listed(client: Client, **query: str) -> list[str]:
    answer = client.get("/", query_string=query)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in (answer.json or {})["payments"]]


def test_metadata_is_asked_for_by_key_and_value(made: Made, omar: Client) -> None:
    assert listed(omar, **{"metadata[table]": "9", "metadata[seats]": "4"}) == [made.card.id]
    assert listed(omar, **{"metadata[table]": "8"}) == []
    assert listed(omar, **{"metadata[table]": "9", "metadata[seats]": "5"}) == []
    assert is_problem(omar.get("/", query_string={"metadata[]": "9"}), 422, "invalid_request")
    assert is_problem(omar.get("/", query_string={"metadat[a]": "9"}), 422, "invalid_request")


def test_what_changed_is_asked_for_by_time(made: Made, omar: Client) -> None:
    first, last = sorted((made.card, made.wallet), key=lambda payment: payment.updated_at)
    assert listed(omar, updated_from=last.updated_at.isoformat()) == [last.id]
    assert listed(omar, updated_to=last.updated_at.isoformat()) == [first.id]
    assert set(listed(omar, updated_from="2020-01-01T00:00:00Z")) == {made.card.id, made.wallet.id}
    assert listed(omar, updated_to="2020-01-01T00:00:00Z") == []


def test_a_page_that_looked_through_enough_goes_on_where_it_stopped(
    app: Application, amina: Client, operator: User
) -> None:
    oldest = (amina.post("/checkout", checkout_body(metadata={"table": "9"})).json or {})["payment_id"]
    for _ in range(4):
        amina.post("/checkout", checkout_body())
    wanted, cursor, pages = lists.Filter(metadata={"table": "9"}), None, 0
    seen: list[str] = []
    while pages == 0 or cursor is not None:
        with app.database.transaction() as session:
            page = lists.page_of_payments(session, wanted, user=operator, limit=20, cursor=cursor, look_through=2)
        seen, cursor, pages = seen + [each.id for each in page.payments], page.next_cursor, pages + 1
    assert (seen, pages) == ([oldest], 3)


@pytest.mark.parametrize("name", ["user_id", "customer_id", "shop_id"])
def test_a_filter_that_names_nobody_is_an_error(
    made: Made, omar: Client, amina: Client, bilal: User, name: str
) -> None:
    for client, named in ((omar, "usr_nobody"), (amina, "usr_nobody"), (amina, bilal.id)):
        answer = client.get("/", query_string={name: named})
        assert is_problem(answer, 422, "unknown_user")
        assert (answer.json or {})["field"] == name
    assert listed(amina, user_id=made.card.user_id) == [made.card.id]


def test_a_filter_that_names_no_order_is_an_error(made: Made, app: Application, flask_app: Flask, bilal: User) -> None:
    stranger = Client(flask_app, key_of(app, bilal))
    for named in ("ord_nothing", made.order_id):
        answer = stranger.get("/", query_string={"order_id": named})
        assert is_problem(answer, 422, "unknown_order")
        assert (answer.json or {})["field"] == "order_id"


def test_a_shop_finds_what_it_made_and_what_its_customers_are(app: Application, flask_app: Flask, made: Made) -> None:
    with app.database.transaction() as session:
        shop = create_user(session, email="shop@example.com", name="A shop", role=Role.SHOP)
        its = User(email="c@example.com", full_name="C", role=Role.CUSTOMER, shop_id=shop.id)
        session.add(its)
        session.flush()
        session.execute(update(Payment).where(Payment.id == made.wallet.id).values(user_id=its.id, shop_id=shop.id))
    client = Client(flask_app, key_of(app, shop))
    assert found(client, PHONE) == found(client, "C@example.com") == [made.wallet.id]
    assert found(client, "19.99") == found(client, made.card.id) == []
    assert listed(client, customer_id=its.id) == listed(client, shop_id=shop.id) == [made.wallet.id]
    assert is_problem(client.get("/", query_string={"customer_id": made.card.user_id}), 422, "unknown_user")
