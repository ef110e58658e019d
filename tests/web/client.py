"""Somebody with an API key, what a checkout says, and what an error looks like."""

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask
from structlog.testing import LogCapture
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.models import User
from payproc.records.identity.users import issue_key

PREFIX = "/api/v1/payments"


def key_of(app: Application, user: User) -> str:
    with app.database.transaction() as session:
        return issue_key(session, user)


class Client:
    """Somebody with an API key."""

    def __init__(self, flask_app: Flask, key: str) -> None:
        self._client = flask_app.test_client()
        self._auth = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        return self._client.get(PREFIX + path, headers=self._auth | (headers or {}), **more)

    def get_at(self, address: str) -> TestResponse:
        """Get what does not stand below the payments."""
        return self._client.get(address, headers=self._auth)

    def post(self, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> TestResponse:
        return self._client.post(PREFIX + path, json=body, headers=self._auth | (headers or {}))

    def post_text(self, path: str, text: str | bytes, *, media_type: str = "application/json") -> TestResponse:
        return self._client.post(PREFIX + path, data=text, content_type=media_type, headers=self._auth)


def brought(flask_app: Flask) -> Flask:
    """Have the notice of each request taken before it is carried out, as the front does."""
    carried_out, intake = flask_app.wsgi_app, flask_app.extensions["intake"]

    def one(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        intake.take([environ])
        return carried_out(environ, start_response)

    flask_app.wsgi_app = one  # type: ignore[method-assign]  # Flask's own way to wrap it
    return flask_app


def checkout_body(**changes: Any) -> dict[str, Any]:
    body = {
        "amount": 19.99,
        "currency": "usd",
        "description": "Two mangoes",
        "success_url": "https://example.com/thanks",
        "cancel_url": "https://example.com/basket",
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


def is_problem(answer: TestResponse, status: int, code: str) -> bool:
    """Whether an answer is this problem, in the one shape that every error has."""
    assert answer.content_type == "application/problem+json", answer.text
    assert answer.json is not None
    assert {"type", "title", "status", "detail", "code"} <= answer.json.keys()
    assert answer.json["status"] == answer.status_code
    return (answer.status_code, answer.json["code"]) == (status, code)


def lines(log: LogCapture) -> list[dict[str, Any]]:
    """Return the lines of the requests that were answered."""
    return [dict(line) for line in log.entries if line["event"] == "request"]
