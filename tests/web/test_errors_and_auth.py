from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from payproc.application import Application
from payproc.database.models import Scope, User
from payproc.records.identity.users import issue_key
from tests.web.client import PREFIX, Client, checkout_body, is_problem
from web.app import create_app


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer \xff",
        "bearer" + "x" * 9000,
    ],
)
def test_nobody_gets_in_without_a_key(anonymous: FlaskClient, header: str | None) -> None:
    headers: dict[str, Any] = {} if header is None else {"Authorization": header}
    answer = anonymous.get(f"{PREFIX}/", headers=headers)
    assert is_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_reading_key_cannot_pay(flask_app: Flask, app: Application, customer: User) -> None:
    with app.database.transaction() as session:
        reader = Client(flask_app, issue_key(session, customer, scopes={Scope.READ}))
    assert reader.get("/").status_code == 200
    assert is_problem(reader.post("/checkout", checkout_body()), 403, "not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", f"{PREFIX}/checkout", 405),
        ("PUT", f"{PREFIX}/webhook/stripe", 405),
        ("POST", "/healthz", 405),
    ],
)
def test_flasks_own_errors_have_our_shape(anonymous: FlaskClient, method: str, path: str, status: int) -> None:
    answer = anonymous.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_an_allowed_origin_may_read_and_no_other(app: Application) -> None:
    open_to = app.settings.model_copy(update={"cors_origins": ("https://shop.example.com",)})
    client = create_app(replace(app, settings=open_to)).test_client()
    allowed = client.get("/healthz", headers={"Origin": "https://shop.example.com"})
    foreign = client.get("/healthz", headers={"Origin": "https://evil.test"})
    asked = client.options(f"{PREFIX}/checkout", headers={"Origin": "https://shop.example.com"})

    assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert asked.status_code == 200
    assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]


def test_health_says_alive_and_ready(anonymous: FlaskClient) -> None:
    assert anonymous.get("/healthz").json == {"status": "ok"}
    ready = anonymous.get("/readyz")
    assert ready.status_code == 200
    assert ready.json is not None
    assert ready.json["backlog"]["jobs_dead"] == 0
