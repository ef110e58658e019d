"""A client that was written against the last release goes on working: docs/api-stability.md."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import ROOT
from tests.web.document.breaks import Both

RELEASED = Path(__file__).parent / "released" / "openapi.json"
# Breaks that were meant, each with the words that CHANGELOG.md says of it.
MEANT: dict[str, str] = {}

Document = dict[str, Any]


@pytest.fixture(scope="module")
def released() -> Document:
    found: Document = json.loads(RELEASED.read_text(encoding="utf-8"))
    return found


def test_nothing_breaks_a_client_of_the_last_release(released: Document, anonymous: FlaskClient) -> None:
    today = json.loads(anonymous.get("/openapi.json").text)
    assert set(Both(before=released, after=today).breaks()) - set(MEANT) == set()


def test_what_breaks_on_purpose_is_told_in_the_changelog(released: Document, anonymous: FlaskClient) -> None:
    today = json.loads(anonymous.get("/openapi.json").text)
    assert set(MEANT) <= set(Both(before=released, after=today).breaks())
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert all(words in log for words in MEANT.values())


def body(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def operation(document: Document, path: str, method: str = "get") -> Document:
    found: Document = document["paths"][f"/api/v1/payments{path}"][method]
    return found


def query(document: Document, name: str) -> Document:
    return next(each for each in operation(document, "/")["parameters"] if each["name"] == name)


# What a change does to the document, and what is said of it.
BREAKS: dict[str, tuple[Callable[[Document], Any], str]] = {
    "an operation is removed": (
        lambda document: document["paths"].pop("/api/v1/disputes/"),
        "GET /api/v1/disputes/: removed",
    ),
    "an answer's field is removed": (
        lambda document: body(document, "PaymentAnswer")["properties"].pop("reference"),
        "GET /api/v1/payments/{payment_id}: 200.reference: removed",
    ),
    "a field of a list's items is removed": (
        lambda document: body(document, "DisputeAnswer")["properties"].pop("reason"),
        "GET /api/v1/disputes/: 200.disputes[].reason: removed",
    ),
    "a problem's field is removed": (
        lambda document: body(document, "Problem")["properties"].pop("code"),
        "GET /api/v1/disputes/: 422.code: removed",
    ),
    "an answer's field is another type": (
        lambda document: body(document, "PaymentAnswer")["properties"].update(amount_minor={"type": "string"}),
        "GET /api/v1/payments/{payment_id}: 200.amount_minor: may be string now",
    ),
    "an answer's field may be null": (
        lambda document: body(document, "PaymentAnswer")["properties"].update(
            currency={"anyOf": [{"type": "string"}, {"type": "null"}]}
        ),
        "GET /api/v1/payments/{payment_id}: 200.currency: may be null now",
    ),
    "a field of a request is newly required": (
        lambda document: body(document, "CheckoutBody")["required"].append("order_id"),
        "POST /api/v1/payments/checkout: body.order_id: newly required",
    ),
    "a field of a request is removed": (
        lambda document: body(document, "CheckoutBody")["properties"].pop("metadata"),
        "POST /api/v1/payments/checkout: body.metadata: removed",
    ),
    "a field of a request is shorter": (
        lambda document: body(document, "CheckoutBody")["properties"]["description"].update(maxLength=100),
        "POST /api/v1/payments/checkout: body.description: maxLength is 100 now",
    ),
    "a closed list of a request is narrower": (
        lambda document: body(document, "PaymentStatus")["enum"].remove("refunded"),
        "GET /api/v1/payments/: query status: no longer takes refunded",
    ),
    "a parameter is removed": (
        lambda document: operation(document, "/")["parameters"].remove(query(document, "order_id")),
        "GET /api/v1/payments/: query order_id: removed",
    ),
    "a parameter is newly required": (
        lambda document: query(document, "order_id").update(required=True),
        "GET /api/v1/payments/: query order_id: newly required",
    ),
    "a success is another status": (
        lambda document: operation(document, "/{payment_id}/cancel", "post")["responses"].pop("202"),
        "POST /api/v1/payments/{payment_id}/cancel: no longer answers 202",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_it_is_told_when(released: Document, what: str) -> None:
    change, said = BREAKS[what]
    after = copy.deepcopy(released)
    change(after)
    assert said in set(Both(before=released, after=after).breaks())


ADDITIONS: dict[str, Callable[[Document], Any]] = {
    "an operation": lambda document: document["paths"].update({"/api/v1/new": document["paths"]["/api/v1/disputes/"]}),
    "an answer's field": lambda document: body(document, "PaymentAnswer")["properties"].update(new={"type": "string"}),
    "a word of an answer": lambda document: body(document, "PaymentStatus")["enum"].append("new"),
    "a field of a request that may be left out": lambda document: body(document, "CheckoutBody")["properties"].update(
        new={"type": "string"}
    ),
    "a longer field of a request": lambda document: body(document, "CheckoutBody")["properties"]["description"].update(
        maxLength=1000
    ),
    "an error": lambda document: operation(document, "/")["responses"].update({"429": {"description": "Too many"}}),
}


@pytest.mark.parametrize("what", ADDITIONS)
def test_nobody_is_broken_by(released: Document, what: str) -> None:
    after = copy.deepcopy(released)
    ADDITIONS[what](after)
    assert list(Both(before=released, after=after).breaks()) == []
