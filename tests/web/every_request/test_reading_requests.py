"""One reader for text and one for times: what one field refuses no other lets pass."""

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, BeforeValidator

import web.schemas
from payproc.application import Application
from payproc.database.models import User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Fact
from payproc.records import payments
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.web.client import Client, checkout_body, is_problem, key_of
from web.schemas.base import Answer, Asked

# Half a character, as JSON may write it, and characters that steer what reads them.
UNREADABLE = ("\ud800", "a\udfffb", "\x00", "a\nb", "\x7f", "\x1b[31m")
NO_MOMENTS = (
    "2026",
    "0.5",
    "-1",
    "1e9",
    "1767225600",
    "2026-11-23",
    "2026-11-23T00:00",
    "2026-11-23T00:00:00",
    "2026-11-23 00:00:00Z",
    "20261123T000000Z",
    "2026-11-23T00:00:00+0500",
    "2026-11-23T25:00:00Z",
    "0000-11-23T00:00:00Z",
    "2026-11-23T00:00:00+99:00",
    "٢٠٢٦-11-23T00:00:00Z",
    "yesterday",
    "",
    "Infinity",
)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of_a_test(
        database_url,
        jazz_cash_dialect="hosted-1.1",
        jazz_cash_merchant_id="MC00001",
        jazz_cash_password="pw12345678",
        jazz_cash_integrity_salt="TESTSALT01",
        easy_paisa_dialect="hosted",
        easy_paisa_store_id="1234",
        easy_paisa_username="shop",
        easy_paisa_password="pw12345678",
        easy_paisa_account_number="987654321",
        easy_paisa_hash_key="0123456789abcdef",
    )


@pytest.fixture
def paid_id(amina: Client, app: Application) -> str:
    payment_id = str((amina.post("/checkout", checkout_body()).json or {})["payment_id"])
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
        payments.apply_fact(session, payment_id, Fact.PAID, provenance=told)
    return payment_id


@pytest.mark.parametrize("text", UNREADABLE)
@pytest.mark.parametrize("field", ["description", "success_url", "cancel_url", "order_id", "currency", "amount"])
def test_no_text_of_a_checkout_is_unreadable(amina: Client, field: str, text: str) -> None:
    answer = amina.post("/checkout", checkout_body(**{field: text}))
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert (answer.json or {})["field"] == field


@pytest.mark.parametrize("text", UNREADABLE)
def test_no_name_and_no_value_of_metadata_is_unreadable(amina: Client, text: str) -> None:
    for metadata in ({"a": text}, {text: "a"}, {"a" + text: 1}):
        assert is_problem(amina.post("/checkout", checkout_body(metadata=metadata)), 422, "invalid_request")


@pytest.mark.parametrize("text", UNREADABLE)
def test_no_field_that_nobody_knows_is_unreadable_and_answered_500(amina: Client, text: str) -> None:
    assert is_problem(amina.post("/checkout", checkout_body(**{text: text})), 422, "invalid_request")


@pytest.mark.parametrize("text", UNREADABLE)
def test_no_reason_of_a_refund_is_unreadable(amina: Client, paid_id: str, text: str) -> None:
    for body in ({"reason": text}, {"amount": text}):
        assert amina.post(f"/refund/{paid_id}", body).status_code == 422
    assert (amina.get(f"/{paid_id}/refunds").json or {})["refunds"] == []


@pytest.mark.parametrize("text", ["%ED%A0%80", "%00", "a%0Ab", "%1B%5B31m", "%7F"])
@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/payments/{}",
        "/api/v1/payments/{}/timeline",
        "/api/v1/payments/{}/refunds",
        "/api/v1/payments/refund/{}",
        "/api/v1/payments?order_id={}",
        "/api/v1/payments?user_id={}",
        "/api/v1/payments?cursor={}",
        "/api/v1/payments?payment_method={}",
        "/api/v1/disputes?payment_id={}",
        "/api/v1/disputes?cursor={}",
    ],
)
def test_no_address_is_unreadable_and_answered_500(amina: Client, address: str, text: str) -> None:
    answer = amina.get_at(address.format(text))
    # What is no UTF-8 arrives as it was written, percent signs and all.
    assert answer.status_code in (200, 404, 422), answer.text


@pytest.mark.parametrize("text", ["\x80", "a\tb", "\xed\xa0\x80"])
def test_no_header_is_unreadable_and_answered_500(amina: Client, text: str) -> None:
    for name in ("Idempotency-Key", "Prefer"):
        assert amina.post("/checkout", checkout_body(), headers={name: text}).status_code < 500


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_a_time_is_written_with_its_day_its_hour_and_its_offset(
    amina: Client, anonymous: FlaskClient, app: Application, operator: User, text: str
) -> None:
    for name in ("created_from", "created_to"):
        assert amina.get("/", query_string={name: text}).status_code == 422
    staff = {"Authorization": f"Bearer {key_of(app, operator)}"}
    assert anonymous.get("/api/v1/ledger", headers=staff, query_string={"at": text}).status_code == 422


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T00:00Z",
        "2026-11-23T00:00:00Z",
        "2026-11-23T00:00:00.123456Z",
        "2026-11-23T00:00:00+05:00",
        "2026-11-23T00:00:00.5-12:30",
        "2026-11-23t00:00:00z",
    ],
)
def test_a_time_may_be_written_as_iso_8601_writes_it(
    amina: Client, anonymous: FlaskClient, app: Application, operator: User, text: str
) -> None:
    assert amina.get("/", query_string={"created_from": text, "created_to": text}).status_code == 200
    staff = {"Authorization": f"Bearer {key_of(app, operator)}"}
    assert anonymous.get("/api/v1/ledger", headers=staff, query_string={"at": text}).status_code == 200


def test_a_time_without_its_offset_is_told_so_by_a_code_of_its_own(amina: Client) -> None:
    answer = amina.get("/", query_string={"created_from": "2026-11-23T00:00:00"})
    assert is_problem(answer, 422, "time_naive")
    assert (answer.json or {})["field"] == "created_from"


@pytest.mark.parametrize("path", ["webhook/stripe", "jazz-cash/notify", "easy-paisa/notify"])
@pytest.mark.parametrize("body", ['{"id": "\\ud800"}', '{"pp_TxnRefNo": "\\ud800"}', '{"orderId": "\\ud800"}'])
def test_no_notice_is_unreadable_and_answered_500(
    anonymous: FlaskClient, flask_app: Flask, path: str, body: str
) -> None:
    del flask_app
    answer = anonymous.post(f"/api/v1/payments/{path}", data=body, content_type="application/json")
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "query", ["?orderRefNumber=%ED%A0%80", "?pp_TxnRefNo=%00", "?auth_token=%ED%A0%80", "?lang=%00"]
)
@pytest.mark.parametrize("path", ["jazz-cash/return", "easy-paisa/return", "easy-paisa/notify"])
def test_no_return_is_unreadable_and_answered_500(anonymous: FlaskClient, path: str, query: str) -> None:
    sent: list[Any] = [
        anonymous.get(f"/api/v1/payments/{path}{query}"),
        anonymous.post(f"/api/v1/payments/{path}", data=query[1:], content_type="application/x-www-form-urlencoded"),
    ]
    assert all(answer.status_code < 500 for answer in sent)


def schemas() -> Iterator[type[BaseModel]]:
    for module in pkgutil.iter_modules(web.schemas.__path__):
        members = vars(importlib.import_module(f"web.schemas.{module.name}")).values()
        yield from (found for found in members if isinstance(found, type) and issubclass(found, BaseModel))


def test_every_schema_of_a_request_reads_its_texts_and_times_here() -> None:
    # The headers: one has a check and a code of its own, the others are passed over where they are not understood.
    elsewhere = {found.__name__ for found in schemas() if not issubclass(found, Asked | Answer)}
    assert elsewhere == {"BaseModel", "Described", "LookHeader", "StartHeader"}
    asked = {found for found in schemas() if issubclass(found, Asked)}
    bare = {
        f"{found.__name__}.{name}"
        for found in asked
        for name, field in found.model_fields.items()
        if (field.annotation is datetime or datetime in get_args(field.annotation))
        and not any(isinstance(each, BeforeValidator) for each in field.metadata)
    }
    assert bare == set()
