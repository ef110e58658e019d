"""What stands behind the question mark is octets: not every row of them is a text, and none is a defect of ours."""

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from payproc.application import Application
from payproc.database.models import User
from tests.web.client import PREFIX, checkout_body, is_problem, key_of

# No text in UTF-8, as WSGI hands octets on.
QUERIES = ["\x80=1", "limit=1&a=\xff", "\xc3"]
READERS = ["/api/v1/payments/", "/api/v1/disputes", "/api/v1/ledger", "/api/v1/reconciliation/findings", "/pay/back/x"]


def asked(flask_app: Flask, builder: EnvironBuilder, *, query: str) -> TestResponse:
    environ = builder.get_environ() | {"QUERY_STRING": query}
    return TestResponse(*run_wsgi_app(flask_app, environ), request=Request(environ))


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("path", READERS)
def test_a_query_that_is_no_text_is_refused(
    flask_app: Flask, app: Application, operator: User, path: str, query: str
) -> None:
    headers = [("Authorization", f"Bearer {key_of(app, operator)}")]
    answer = asked(flask_app, EnvironBuilder(path, headers=headers), query=query)
    assert is_problem(answer, 422, "invalid_request")


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_that_is_no_text_makes_no_key_of_a_request(
    flask_app: Flask, app: Application, customer: User, query: str
) -> None:
    headers = [("Authorization", f"Bearer {key_of(app, customer)}"), ("Idempotency-Key", "order-1-try-1")]
    builder = EnvironBuilder(f"{PREFIX}/checkout", method="POST", json=checkout_body(), headers=headers)
    assert is_problem(asked(flask_app, builder, query=query), 422, "invalid_request")


@pytest.mark.parametrize("query", QUERIES)
def test_what_a_provider_delivers_is_read_octet_by_octet(flask_app: Flask, query: str) -> None:
    builder = EnvironBuilder(f"{PREFIX}/webhook/stripe", method="POST", data="{}")
    assert is_problem(asked(flask_app, builder, query=query), 403, "bad_signature")
