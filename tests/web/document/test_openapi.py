"""The OpenAPI document; fuzz/ sends what it allows."""

import gzip
import re

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from schemathesis.core.result import Ok

from payproc.application import Application
from payproc.database.models import User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Fact
from payproc.records import payments
from tests.web.client import key_of

# Files, the document itself and the page to read it, and the pages that customers and operators see.
NOT_OPERATIONS = {
    "root",
    "docs",
    "openapi_document",
    "openapi_document_beside_page",
    "docs_script",
    "problem",
    "scalar.static",
    "scalar.scalar",
    "pay.static",
    "pay.show",
    "pay.begin",
    "pay.back",
    "pay.status",
    "pay.cancel",
    "pay_logo.image",
    "console.static",
    "console.reconciliation",
    "console.findings",
    "console.payment",
}


def test_every_route_of_ours_is_in_the_document(flask_app: Flask) -> None:
    document = schemathesis.openapi.from_wsgi("/openapi.json", flask_app)
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == len(set(flask_app.view_functions) - NOT_OPERATIONS)


def test_every_route_has_a_summary_an_answer_and_its_errors(anonymous: FlaskClient) -> None:
    document = anonymous.get("/openapi.json").json
    assert document is not None
    assert re.fullmatch(r"3\.[12]\.\d", document["openapi"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], f"{method} {path}"
            # A browser that comes back from a wallet is sent on.
            assert [status for status in operation["responses"] if status < "4"], f"{method} {path}"
            errors = [answer for status, answer in operation["responses"].items() if status >= "4"]
            assert all(list(answer["content"]) == ["application/problem+json"] for answer in errors), path


def test_a_checkout_has_an_example_that_works(anonymous: FlaskClient, app: Application, customer: User) -> None:
    document = anonymous.get("/openapi.json").json
    assert document is not None
    [example] = document["components"]["schemas"]["CheckoutBody"]["examples"]
    answer = anonymous.post(
        "/api/v1/payments/checkout", json=example, headers={"Authorization": f"Bearer {key_of(app, customer)}"}
    )
    assert answer.status_code == 202


def test_every_example_works_when_it_is_sent_twice(anonymous: FlaskClient, app: Application, customer: User) -> None:
    document = anonymous.get("/openapi.json").json
    assert document is not None
    schemas = document["components"]["schemas"]
    headers = {"Authorization": f"Bearer {key_of(app, customer)}"}
    [checkout], [refund] = (schemas[name]["examples"] for name in ("CheckoutBody", "RefundBody"))
    made = [anonymous.post("/api/v1/payments/checkout", json=checkout, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in made] == [202, 202]
    payment_id = (made[0].json or {})["payment_id"]
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
        payments.apply_fact(session, payment_id, Fact.PAID, provenance=told)
    given = [anonymous.post(f"/api/v1/payments/refund/{payment_id}", json=refund, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in given] == [202, 202]
    # Each says one amount, and no example says a key that the next one would be taken for.
    for name in ("CheckoutBody", "WalletBody", "RefundBody"):
        [example] = schemas[name]["examples"]
        assert len({"amount", "amount_minor"} & example.keys()) == 1, name
    assert '"order-17-try-1"' not in anonymous.get("/openapi.json").text


def test_the_document_says_where_the_api_is(anonymous: FlaskClient, app: Application) -> None:
    document = anonymous.get("/openapi.json").json
    assert document is not None
    assert [server["url"] for server in document["servers"]] == ["/", app.settings.public_base_url]


def test_the_page_has_a_name_and_a_language(anonymous: FlaskClient) -> None:
    page = anonymous.get("/docs", follow_redirects=True).text
    assert '<html lang="en">' in page
    assert "<title>payproc API</title>" in page


def test_the_page_fetches_nothing_from_elsewhere(anonymous: FlaskClient) -> None:
    page = anonymous.get("/docs", follow_redirects=True)
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    with anonymous.get("/docs/scalar/js/scalar.standalone.js") as script:
        assert script.status_code == 200


SCRIPT = "/docs/scalar/js/scalar.standalone.js"


def test_the_script_travels_compressed_and_is_kept_for_ever(anonymous: FlaskClient) -> None:
    with anonymous.get(SCRIPT) as plain, anonymous.get(SCRIPT, headers={"Accept-Encoding": "br, gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 3
        assert "immutable" in packed.headers["Cache-Control"]
        assert packed.headers["ETag"] != plain.headers["ETag"]
    # An address that names its content: another release's script is another address.
    assert re.search(r"scalar\.standalone\.js\?[0-9a-f]{16}", anonymous.get("/docs", follow_redirects=True).text)


@pytest.mark.parametrize("path", [SCRIPT, "/openapi.json"])
def test_who_has_it_is_not_sent_it_again(anonymous: FlaskClient, path: str) -> None:
    with anonymous.get(path) as first:
        kept = {"If-None-Match": first.headers["ETag"]}
    with anonymous.get(path, headers=kept) as again:
        assert (again.status_code, again.data) == (304, b"")
