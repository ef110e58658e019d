import json
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.models import Job, Order, Payment, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.order import OrderRequest
from payproc.domain.states import Fact
from payproc.records import payments
from payproc.records.orders import create_order
from tests.support.waiting import wait_until
from tests.web.client import Client, checkout_body, is_problem, key_of
from web.app import create_app

TOLD = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")


def count(app: Application, model: type[Any]) -> int:
    with app.database.transaction() as session:
        return session.scalars(select(func.count()).select_from(model)).one()


def test_a_checkout_is_written_down_and_answered_at_once(amina: Client, app: Application) -> None:
    answer = amina.post("/checkout", checkout_body())

    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.json["status"] == "pending"
    assert answer.headers["Location"] == f"/api/v1/payments/{answer.json['payment_id']}"
    assert count(app, Payment) == count(app, Job) == 1


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("19.99", "usd", 1999),
        ('"19.99"', "USD", 1999),
        ("1136.10", "usd", 113610),
        ("0.57", "eur", 57),
        ("8.2", "usd", 820),
        ("500", "jpy", 500),
        ("5.120", "kwd", 5120),
        ("5", "ugx", 500),
        ("64.10", "usd", 6410),
        ("19.990", "usd", 1999),
    ],
)
def test_an_amount_is_read_to_the_letter(amina: Client, written: str, currency: str, minor: int) -> None:
    body = json.dumps(checkout_body(amount="@", currency=currency)).replace('"@"', written)
    answer = amina.post_text("/checkout", body)

    assert answer.status_code == 202, answer.text
    shown = amina.get(f"/{answer.json['payment_id']}")  # type: ignore[index]  # a 202 has a body
    assert shown.json is not None
    assert shown.json["amount_minor"] == minor
    assert shown.json["currency"] == currency.lower()


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("19.999", "amount_too_precise"),
        ("1.5", "amount_too_precise"),
        ("0", "amount_not_positive"),
        ("-5", "amount_invalid"),
        ("1e3", "amount_invalid"),
        ("1E3", "amount_invalid"),
        ('"1_000"', "amount_invalid"),
        ('"1e3"', "amount_invalid"),
        ('"NaN"', "amount_invalid"),
        ('"Infinity"', "amount_invalid"),
        ('"١٢"', "amount_invalid"),
        ('"\uff11\uff12"', "amount_invalid"),
        ('""', "amount_invalid"),
        ('" 5"', "amount_invalid"),
        ('"+5"', "amount_invalid"),
        ('"5."', "amount_invalid"),
        ('".5"', "amount_invalid"),
        ('"0x10"', "amount_invalid"),
        ("true", "invalid_request"),
        ("[5]", "invalid_request"),
        ("{}", "invalid_request"),
        ("1000000.00", "amount_too_large"),
        ("99999999999999999999", "amount_invalid"),
        ("0.49", "amount_too_small"),
    ],
)
def test_a_bad_amount_is_refused_and_nothing_is_written(
    amina: Client, app: Application, written: str, code: str
) -> None:
    currency = "jpy" if written == "1.5" else "usd"
    body = json.dumps(checkout_body(amount="@", currency=currency)).replace('"@"', written)

    assert is_problem(amina.post_text("/checkout", body), 422, code)
    assert count(app, Payment) == count(app, Job) == 0


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_json_is_a_malformed_body(amina: Client, written: str) -> None:
    body = json.dumps(checkout_body(amount="@")).replace('"@"', written)
    assert is_problem(amina.post_text("/checkout", body), 400, "bad_request")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"currency": "xyz"}, "currency_unsupported", "currency"),
        ({"currency": "us"}, "invalid_request", "currency"),
        ({"currency": 840}, "invalid_request", "currency"),
        ({"amuont": 5}, "invalid_request", "amuont"),
        ({"description": ...}, "invalid_request", "description"),
        ({"description": ""}, "invalid_request", "description"),
        ({"description": "a\x00b"}, "invalid_request", "description"),
        ({"description": "x" * 501}, "invalid_request", "description"),
        ({"success_url": "https://evil.test/"}, "redirect_refused", "success_url"),
        ({"success_url": "javascript:alert(1)"}, "redirect_refused", "success_url"),
        ({"cancel_url": "//evil.test"}, "redirect_refused", "cancel_url"),
        ({"cancel_url": "https://example.com@evil.test/"}, "redirect_refused", "cancel_url"),
        ({"cancel_url": "https://evil.test\\@example.com/"}, "redirect_refused", "cancel_url"),
        ({"amount": ...}, "amount_missing", "amount"),
        ({"amount": "19.99", "amount_minor": 2000}, "amounts_differ", "amount"),
        ({"amount": ..., "amount_minor": -1}, "amount_not_positive", "amount"),
        ({"amount": ..., "amount_minor": 1999.0}, "invalid_request", "amount_minor"),
        ({"amount": ..., "amount_minor": "1999"}, "invalid_request", "amount_minor"),
        ({"amount": ..., "amount_minor": True}, "invalid_request", "amount_minor"),
        ({"amount": ..., "amount_minor": 10**30}, "amount_too_large", "amount"),
        ({"order_id": "ord_01nobodys"}, "order_not_found", "order_id"),
        ({"order_id": ""}, "invalid_request", "order_id"),
        ({"metadata": {"a": 1.5}}, "invalid_request", "metadata.a"),
        ({"metadata": {"a": "\x00"}}, "invalid_request", "metadata.a"),
        ({"metadata": {"deep": {"er": 1}}}, "invalid_request", "metadata"),
        ({"metadata": {"k" * 41: 1}}, "invalid_request", "metadata"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_written(
    amina: Client, app: Application, changes: dict[str, Any], code: str, field: str
) -> None:
    answer = amina.post("/checkout", checkout_body(**changes))

    assert is_problem(answer, 422, code)
    assert answer.json is not None
    assert str(answer.json["field"]).startswith(field)
    assert count(app, Payment) == 0


@pytest.mark.parametrize(
    ("text", "media_type", "status"),
    [
        ("{", "application/json", 400),
        ("", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        ('{"amount": 1, "amount": 2}', "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ("amount=5", "application/x-www-form-urlencoded", 415),
        ("{}", "text/plain", 415),
        ("[]", "application/json", 422),
        ("null", "application/json", 422),
        ('"text"', "application/json", 422),
        (json.dumps(json.dumps(checkout_body())), "application/json", 422),
        ("5", "application/json", 422),
        ("x" * (1024 * 1024 + 1), "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_object_has_its_own_answer(
    amina: Client, text: str | bytes, media_type: str, status: int
) -> None:
    answer = amina.post_text("/checkout", text, media_type=media_type)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def order_of(app: Application, user: User) -> Order:
    with app.database.transaction() as session:
        return create_order(session, user, OrderRequest(reference="A-17", money=Money.of(1999, "usd")))


def test_an_orders_amount_is_the_servers(amina: Client, app: Application, customer: User) -> None:
    order = order_of(app, customer)

    for accepted in ({"amount": ..., "currency": ...}, {"amount": 19.99}, {"amount": ..., "amount_minor": 1999}):
        assert amina.post("/checkout", checkout_body(order_id=order.id, **accepted)).status_code == 202
    for refused in ({"amount": 0.5}, {"amount": 19.99, "currency": "eur"}, {"amount": ..., "currency": "eur"}):
        answer = amina.post("/checkout", checkout_body(order_id=order.id, **refused))
        assert is_problem(answer, 422, "order_amount_differs")


def client_told(app: Application, user: User, **settings: Any) -> Client:
    """A client of an application under other settings."""
    told = settings_type()(**(app.settings.model_dump() | settings))
    return Client(create_app(replace(app, settings=told)), key_of(app, user))


def test_an_amount_in_no_currency_is_refused_and_never_guessed(amina: Client, app: Application) -> None:
    for body in (checkout_body(currency=...), checkout_body(currency=..., amount=..., amount_minor=1999)):
        answer = amina.post("/checkout", body)
        assert is_problem(answer, 422, "currency_missing")
        assert (answer.json or {})["field"] == "currency"
    assert count(app, Payment) == count(app, Job) == 0


def test_the_settings_may_say_what_an_amount_in_no_currency_is_in(app: Application, customer: User) -> None:
    shop = client_told(app, customer, default_currency="PKR")
    made = shop.post("/checkout", checkout_body(currency=...)).json or {}
    shown = shop.get(f"/{made['payment_id']}").json or {}
    assert (shown["amount_minor"], shown["currency"]) == (1999, "pkr")
    said = shop.post("/checkout", checkout_body(currency="usd")).json or {}
    assert (shop.get(f"/{said['payment_id']}").json or {})["currency"] == "usd"


def test_an_amount_beside_an_order_is_in_the_orders_currency(app: Application, customer: User) -> None:
    shop = client_told(app, customer, default_currency="usd")
    with app.database.transaction() as session:
        order = create_order(session, customer, OrderRequest(reference="A-18", money=Money.of(1999, "pkr")))
    assert shop.post("/checkout", checkout_body(order_id=order.id, currency=...)).status_code == 202
    differs = shop.post("/checkout", checkout_body(order_id=order.id, currency=..., amount="20"))
    assert is_problem(differs, 422, "order_amount_differs")


def test_a_checkout_names_its_page_and_so_does_its_payment_while_it_is_open(amina: Client, app: Application) -> None:
    made = amina.post("/checkout", checkout_body()).json or {}
    assert made["pay_url"].startswith(f"{app.settings.public_base_url}/pay/")
    assert (amina.get(f"/{made['payment_id']}").json or {})["pay_url"] == made["pay_url"]
    with app.database.transaction() as session:
        payments.apply_fact(session, made["payment_id"], Fact.EXPIRED, provenance=TOLD)
    assert (amina.get(f"/{made['payment_id']}").json or {})["pay_url"] is None


def test_a_foreign_order_does_not_exist(amina: Client, app: Application, operator: User) -> None:
    order = order_of(app, operator)
    answer = amina.post("/checkout", checkout_body(amount=..., order_id=order.id))
    assert is_problem(answer, 422, "order_not_found")


def test_waiting_without_a_worker_ends_in_202_and_never_in_an_error(amina: Client) -> None:
    answer = amina.post("/checkout", checkout_body(), headers={"Prefer": "respond-async, wait=1"})
    assert answer.status_code == 202


def test_a_refusal_known_within_the_wait_is_an_answer_and_says_why(amina: Client, app: Application) -> None:
    def refuse() -> bool:
        with app.database.transaction() as session:
            for payment in session.scalars(select(Payment)):
                payments.fail(session, payment.id, provenance=TOLD, code="currency_not_supported", message="No.")
                return True
        return False

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(amina.post, "/checkout", checkout_body(), headers={"Prefer": "wait=20"})
        wait_until(refuse, what="the payment")
        answer = asked.result()
    told = answer.json or {}
    assert (answer.status_code, told["status"], told["url"]) == (201, "failed", None)
    assert (told["decline_reason"], told["failure_code"]) == ("card", "currency_not_supported")
    shown = amina.get(f"/{told['payment_id']}").json or {}
    assert (shown["decline_reason"], shown["failure_code"]) == ("card", "currency_not_supported")


@pytest.mark.parametrize("prefer", ["wait=-1", "wait=x", "wait", "wait=", "wait=0", "wait=٣", ",;=", "wait=9e9"])
def test_a_preference_that_is_not_understood_is_passed_over(amina: Client, prefer: str) -> None:
    answer = amina.post("/checkout", checkout_body(), headers={"Prefer": prefer.encode().decode("latin-1")})
    assert answer.status_code == 202


def test_requests_that_wait_leave_threads_for_those_that_do_not(amina: Client) -> None:
    with ThreadPoolExecutor(6) as pool:
        began = time.monotonic()
        waits = [pool.submit(amina.post, "/checkout", checkout_body(), headers={"Prefer": "wait=2"}) for _ in range(6)]
        seconds = [time.monotonic() - began for _ in as_completed(waits)]
    assert all(wait.result().status_code == 202 for wait in waits)
    assert seconds[3] < 1.5
    assert seconds[4] >= 1.9
