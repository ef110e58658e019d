"""The least that a request can be: no framework, one statement, one round trip, served as payproc is.

Accept: verify the signature, parse, one INSERT that commits by itself. Get: one SELECT that also says whose key it is.
Initiate: one INSERT for whoever has the key, and the form with its hash. Nothing is checked beyond that.
"""

import hashlib
import hmac
import json
import os
import threading
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg

from tests.bench.form import signed_form

_STORE = "INSERT INTO notices (key, kind, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_FIND = """
SELECT p.id, p.amount_minor, p.currency, p.status, p.description FROM payments p JOIN api_keys k USING (user_id)
WHERE p.id = %s AND k.hash = %s
"""
_CREATE = """
INSERT INTO payments (id, user_id, amount_minor, currency, status, description)
SELECT %s, user_id, %s, 'pkr', 'pending', %s FROM api_keys WHERE hash = %s
"""
_SECRET = os.environ["STRIPE_WEBHOOK_SECRET"].encode()
_SALT = os.environ["JAZZ_CASH_INTEGRITY_SALT"]

Environ = dict[str, Any]
_own = threading.local()


def _execute(statement: str, parameters: tuple[object, ...]) -> psycopg.Cursor[tuple[Any, ...]]:
    if not hasattr(_own, "connection"):
        _own.connection = psycopg.connect(os.environ["PLAIN_DATABASE_URL"], autocommit=True)
    cursor: psycopg.Cursor[tuple[Any, ...]] = _own.connection.execute(statement, parameters, prepare=True)
    return cursor


def _accept(environ: Environ) -> tuple[str, dict[str, object]]:
    body: bytes = environ["wsgi.input"].read()
    said = dict(part.split("=", 1) for part in environ["HTTP_STRIPE_SIGNATURE"].split(","))
    expected = hmac.new(_SECRET, said["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, said["v1"]):
        return "400 Bad Request", {}
    event = json.loads(body)
    _execute(_STORE, (event["id"], event["type"], body))
    return "200 OK", {"received": True}


def _get(environ: Environ) -> tuple[str, dict[str, object]]:
    row = _execute(_FIND, (environ["PATH_INFO"].rpartition("/")[2], _key_hash(environ))).fetchone()
    if row is None:
        return "404 Not Found", {}
    return "200 OK", dict(zip(("payment_id", "amount_minor", "currency", "status", "description"), row, strict=True))


def _initiate(environ: Environ) -> tuple[str, dict[str, object]]:
    asked = json.loads(environ["wsgi.input"].read())
    payment_id, amount = uuid4().hex, round(asked["amount"] * 100)
    created = _execute(_CREATE, (payment_id, amount, asked["description"], _key_hash(environ)))
    if created.rowcount != 1:
        return "401 Unauthorized", {}
    form = signed_form(payment_id, amount, asked["description"], salt=_SALT)
    return "201 Created", {"payment_id": payment_id, "status": "pending", "payload": form}


def _key_hash(environ: Environ) -> bytes:
    return hashlib.sha256(environ["HTTP_AUTHORIZATION"].removeprefix("Bearer ").encode()).digest()


def _view(path: str) -> Callable[[Environ], tuple[str, dict[str, object]]]:
    if path.endswith("/webhook/stripe"):
        return _accept
    if path.endswith("/initiate"):
        return _initiate
    return _get if path != "/healthz" else lambda _: ("200 OK", {})


class App:
    """The WSGI application, with what the front asks of one."""

    extensions = {"payproc": SimpleNamespace(settings=SimpleNamespace(forwarded_hops=1))}  # noqa: RUF012 (Flask's own shape)

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        status, answer = _view(environ["PATH_INFO"])(environ)
        body = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


app = App()
