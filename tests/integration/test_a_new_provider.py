"""A provider that nothing in payproc has heard of: its folder, one line in the registry, and everything works."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payproc.bootstrap import load_settings
from payproc.database.models import Refund, User
from payproc.domain.states import PaymentStatus, RefundStatus
from payproc.errors import SettingsInvalid
from payproc.providers import registry
from payproc.records.identity.users import issue_key
from tests.support.fakes.fake.registration import REGISTRATION
from tests.support.fakes.fake.settings import FAKE
from tests.support.fakes.gateway import KEY, FakeGateway, fake_gateway
from tests.support.world import World
from web.app import create_app

PREFIX = "/api/v1/payments"
APPROVES, DECLINES, WAITS = "03000000001", "03000000002", "03000000005"


@pytest.fixture(scope="module")
def bank() -> Iterator[FakeGateway]:
    with fake_gateway() as running:
        yield running


@pytest.fixture
def shop(world: World, bank: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world of every other test, with one line more in the registry and two variables in the environment."""
    monkeypatch.setitem(registry.PROVIDERS, FAKE, REGISTRATION)
    monkeypatch.setenv("FAKE_BASE_URL", bank.url)
    monkeypatch.setenv("FAKE_KEY", KEY)
    settings = load_settings(**world.app.settings.model_dump())
    return replace(world, app=replace(world.app, settings=settings, providers=registry.build(settings)))


@pytest.fixture
def client(shop: World) -> FlaskClient:
    return create_app(shop.app).test_client()


def signed_in(shop: World, user: User) -> dict[str, str]:
    with shop.app.database.transaction() as session:
        return {"Authorization": f"Bearer {issue_key(session, user)}"}


@pytest.fixture
def amina(shop: World, customer: User) -> dict[str, str]:
    return signed_in(shop, customer)


@pytest.fixture
def adil(shop: World, admin: User) -> dict[str, str]:
    return signed_in(shop, admin)


def initiate(client: FlaskClient, caller: dict[str, str], phone: str, **changes: Any) -> Any:
    body = {"amount": "1250.50", "description": "Two mangoes", "phone": phone, **changes}
    answer = client.post(f"{PREFIX}/fake/initiate", json=body, headers=caller)
    assert answer.status_code == 202, answer.text
    assert answer.json is not None
    return answer.json["payment_id"]


def notify(client: FlaskClient, bank: FakeGateway, reference: str) -> TestResponse:
    body, headers = bank.notice(reference)
    return client.post(f"{PREFIX}/fake/notify", data=body, headers=headers)


def test_its_settings_are_checked_with_all_others(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    told = shop.app.settings.model_dump() | {"fake_key": "", "stripe_secret_key": "pk_test_payproc"}
    with pytest.raises(SettingsInvalid) as invalid:
        load_settings(**told)
    assert [problem.partition(" ")[0] for problem in invalid.value.problems] == ["STRIPE_SECRET_KEY", "FAKE_KEY"]

    monkeypatch.setenv("FAKE_BASE_URL", "nowhere")
    with pytest.raises(SettingsInvalid) as invalid:
        load_settings(**{name: value for name, value in told.items() if name != "fake_base_url"})
    assert invalid.value.problems == ["FAKE_BASE_URL: must be an absolute http or https URL"]


def test_a_payment_is_pushed_once_and_completes_with_its_receipt(
    shop: World, client: FlaskClient, amina: dict[str, str], bank: FakeGateway
) -> None:
    payment_id = initiate(client, amina, APPROVES)
    shop.drain()

    shown = client.get(f"{PREFIX}/{payment_id}", headers=amina).json
    assert shown is not None
    assert (shown["status"], shown["payment_method"], shown["amount_minor"]) == ("completed", "fake", 125050)
    charge = bank.charges[shown["reference"]]
    assert (charge.debits, charge.charge_calls, charge.amount, charge.phone) == (1, 1, 125050, APPROVES)
    assert len(shop.emails()) == 1
    assert shop.payment(payment_id).encrypted_payer is None


def test_a_refused_payment_fails_with_the_gateways_word(
    shop: World, client: FlaskClient, amina: dict[str, str]
) -> None:
    payment_id = initiate(client, amina, DECLINES)
    shop.drain()
    assert (shop.status(payment_id), shop.payment(payment_id).failure_code) == (PaymentStatus.FAILED, "declined")


def test_a_request_that_it_cannot_take_is_refused_and_nothing_is_written(
    shop: World, client: FlaskClient, amina: dict[str, str]
) -> None:
    body = {"amount": "12.50", "currency": "usd", "phone": APPROVES}
    answer = client.post(f"{PREFIX}/fake/initiate", json=body, headers=amina)
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (422, "currency_unsupported")
    assert shop.calls() == []


def test_its_notice_completes_a_payment_and_is_answered_as_it_wants(
    shop: World, client: FlaskClient, amina: dict[str, str], bank: FakeGateway
) -> None:
    payment_id = initiate(client, amina, WAITS)
    shop.drain()
    assert shop.status(payment_id) is PaymentStatus.PENDING
    reference = shop.payment(payment_id).reference

    bank.become(reference, "paid")
    answers = [notify(client, bank, reference) for _ in range(2)]
    shop.drain()

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {row.key for row in shop.notices()} == {answer.json["heard"] for answer in answers if answer.json}
    assert all(WAITS.encode() not in row.body for row in shop.notices())
    assert shop.status(payment_id) is PaymentStatus.COMPLETED
    assert len(shop.emails()) == 1


def test_a_notice_that_somebody_else_signed_is_refused_and_not_kept(
    shop: World, client: FlaskClient, amina: dict[str, str], bank: FakeGateway
) -> None:
    payment_id = initiate(client, amina, WAITS)
    shop.drain()
    body, headers = bank.notice(shop.payment(payment_id).reference)
    answer = client.post(f"{PREFIX}/fake/notify", data=body, headers=headers | {"fake-signature": "0" * 64})
    assert (answer.status_code, shop.notices()) == (403, [])


def test_a_payment_whose_notice_is_lost_is_found_out_by_asking(
    shop: World, client: FlaskClient, amina: dict[str, str], bank: FakeGateway
) -> None:
    payment_id = initiate(client, amina, WAITS)
    shop.drain()
    bank.become(shop.payment(payment_id).reference, "paid")
    shop.make_due()
    shop.drain()
    assert shop.status(payment_id) is PaymentStatus.COMPLETED


def test_a_push_whose_answer_is_lost_is_asked_about_and_never_sent_again(
    shop: World, client: FlaskClient, amina: dict[str, str], bank: FakeGateway
) -> None:
    payment_id = initiate(client, amina, APPROVES)
    bank.loses_answers = 1
    shop.drain()
    charge = bank.charges[shop.payment(payment_id).reference]
    assert shop.status(payment_id) is PaymentStatus.COMPLETED
    assert (charge.debits, charge.charge_calls) == (1, 1)


def refund(client: FlaskClient, caller: dict[str, str], payment_id: str, **body: Any) -> Any:
    answer = client.post(f"{PREFIX}/refund/{payment_id}", json=body, headers=caller)
    assert answer.status_code == 202, answer.text
    return answer.json


def test_its_money_goes_back_in_parts_until_all_is_back(
    shop: World, client: FlaskClient, amina: dict[str, str], adil: dict[str, str], bank: FakeGateway
) -> None:
    payment_id = initiate(client, amina, APPROVES)
    shop.drain()
    charge = bank.charges[shop.payment(payment_id).reference]

    assert refund(client, adil, payment_id, amount="250.50", reason="one was not ripe")["code"] == "refund_pending"
    shop.drain()
    assert (charge.refunded, shop.status(payment_id)) == (25050, PaymentStatus.COMPLETED)
    refund(client, adil, payment_id)
    shop.drain()

    assert (charge.refunded, charge.refund_calls) == (125050, 2)
    assert [row.status for row in shop.rows(Refund)] == [RefundStatus.SUCCEEDED] * 2
    assert shop.status(payment_id) is PaymentStatus.REFUNDED


def test_a_refund_whose_answer_is_lost_is_asked_about_by_its_id(
    shop: World, client: FlaskClient, amina: dict[str, str], adil: dict[str, str], bank: FakeGateway
) -> None:
    payment_id = initiate(client, amina, APPROVES)
    shop.drain()
    refund(client, adil, payment_id)
    bank.loses_answers = 1
    shop.drain()
    shop.make_due()
    shop.drain()
    assert bank.charges[shop.payment(payment_id).reference].refund_calls == 1
    assert shop.status(payment_id) is PaymentStatus.REFUNDED


def test_its_timeline_and_the_list_know_it(
    shop: World, client: FlaskClient, amina: dict[str, str], adil: dict[str, str]
) -> None:
    payment_id = initiate(client, amina, APPROVES)
    shop.drain()
    refund(client, adil, payment_id)
    shop.drain()

    told = client.get(f"{PREFIX}/{payment_id}/timeline", headers=adil).json
    listed = {
        method: client.get(f"{PREFIX}/?payment_method={method}", headers=amina).json
        for method in ("fake", "stripe", "jazz_cash")
    }
    assert told is not None
    sentences = [entry["sentence"] for entry in told["timeline"]]
    assert sentences[0] == "created as pending"
    assert any(sentence.startswith("fake start answered") for sentence in sentences), sentences
    assert any("completed became refunded" in sentence for sentence in sentences), sentences
    assert {method: [row["id"] for row in page["payments"]] for method, page in listed.items() if page} == {
        "fake": [payment_id],
        "stripe": [],
        "jazz_cash": [],
    }


def test_its_pay_page_follows_the_payment(shop: World, client: FlaskClient, amina: dict[str, str]) -> None:
    body = {"amount": "1250.50", "description": "Two mangoes", "phone": WAITS}
    answer = client.post(f"{PREFIX}/fake/initiate", json=body, headers=amina).json
    assert answer is not None
    shop.drain()
    path = answer["pay_url"].removeprefix(shop.app.settings.public_base_url)
    status = client.get(f"{path}/status").json
    assert client.get(path).status_code == 200
    assert status is not None
    assert (status["status"], status["next_action"]["type"]) == ("pending", "await_customer")


def test_its_routes_are_described(client: FlaskClient) -> None:
    described = client.get("/openapi.json").json
    assert described is not None
    assert {f"{PREFIX}/fake/initiate", f"{PREFIX}/fake/notify"} <= described["paths"].keys()
