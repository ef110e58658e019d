"""A secret key comes from a server: from a page in a browser it is refused, and the page's author is told why."""

import jwt
import pytest
from flask import Flask

from payproc.application import Application
from payproc.database.models import Role, User
from payproc.records.identity.users import create_user
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.web.client import PREFIX, is_problem, key_of

SHOP = "https://shop.example.com"
JWT_SECRET = "s" * 32


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of_a_test(database_url, cors_origins=SHOP, jwt_secret=JWT_SECRET)


@pytest.fixture(params=[Role.OPERATOR, Role.ADMIN])
def secret_key(app: Application, request: pytest.FixtureRequest) -> str:
    with app.database.transaction() as session:
        user = create_user(session, email="server@example.com", name="A server", role=request.param)
    return key_of(app, user)


@pytest.mark.parametrize("origin", [SHOP, "https://elsewhere.example.com", "null"])
def test_a_secret_key_from_a_page_is_refused_and_the_page_may_read_why(
    flask_app: Flask, secret_key: str, origin: str
) -> None:
    headers = {"Authorization": f"Bearer {secret_key}", "Origin": origin}
    answer = flask_app.test_client().get(PREFIX, headers=headers)
    assert is_problem(answer, 403, "secret_key_in_browser")
    assert answer.headers.get("Access-Control-Allow-Origin") == (SHOP if origin == SHOP else None)
    assert secret_key not in answer.text


@pytest.mark.parametrize("origin", [None, "http://localhost", "http://127.0.0.1:8400"])
def test_a_server_and_our_own_pages_call_with_it(flask_app: Flask, secret_key: str, origin: str | None) -> None:
    headers = {"Authorization": f"Bearer {secret_key}"} | ({"Origin": origin} if origin else {})
    assert flask_app.test_client().get(PREFIX, headers=headers).status_code == 200


def test_a_customers_key_may_come_from_a_page(app: Application, flask_app: Flask, customer: User) -> None:
    headers = {"Authorization": f"Bearer {key_of(app, customer)}", "Origin": SHOP}
    answer = flask_app.test_client().get(PREFIX, headers=headers)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, SHOP)


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.OPERATOR])
def test_a_token_may_come_from_a_page_whosever_it_is(flask_app: Flask, role: Role) -> None:
    claims = {"sub": "u1", "email": "u1@example.com", "role": role, "exp": 4_000_000_000}
    token = jwt.encode(claims, JWT_SECRET, algorithm="HS256")
    headers = {"Authorization": f"Bearer {token}", "Origin": SHOP}
    assert flask_app.test_client().get(PREFIX, headers=headers).status_code == 200
