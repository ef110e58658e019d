"""What flask-openapi does not know of our routes, added to its document: problems, headers, and examples."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from web.docs.problems import Known, Route, catalogue, problems_at, route_of
from web.request.naming import REQUEST_ID

Document = dict[str, Any]

_PROBLEM_JSON = "application/problem+json"
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
_EXAMPLES = Path(__file__).parent / "examples.json"
# What an operation that takes a key says of an answer that was given before.
_KEYED = "Idempotency-Key"

_HEADERS = {
    "RequestId": "The request's name: yours where you sent one, else ours. It stands in our log and in every problem.",
    "RateLimit": "What is left of your quota, and in how many seconds there is more: "
    "draft-ietf-httpapi-ratelimit-headers-10.",
    "RateLimitPolicy": "Whose quota that is, how large, and in how many seconds so many requests are taken.",
    "RetryAfter": "After how many seconds the same may be sent again.",
    "Location": "Where what was made is looked up.",
    "IdempotentReplayed": "`true` where this answer was given before, to the first request under the same key.",
}
_SHOWN = {
    "RequestId": "req_5f3a1c7e9b2d4f60a8c1",
    "RateLimit": '"user";r=5998;t=30',
    "RateLimitPolicy": '"user";q=6000;w=60',
    "RetryAfter": "10",
    "Location": "/api/v1/payments/pay_01kaw5m0v7e1cbb4wsy0s9p6jd",
    "IdempotentReplayed": "true",
}
_REQUEST_ID = {
    "name": REQUEST_ID,
    "in": "header",
    "required": False,
    "description": "A name of your own for this request: up to 64 letters, digits and `._:-`. "
    "What is longer, or no plain word, is replaced by one of ours.",
    "schema": {"type": "string", "maxLength": 64},
    "example": "basket-1837",
}


def describe(app: Flask, spec: Document) -> None:
    """Add to the document of an application what each of its operations may say and be told."""
    rules = {(_PARAMETER.sub(r"{\1}", rule.rule), method.lower()): rule for rule, method in _methods(app)}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _describe(app, rules[path, method], operation)
            shown = examples().get(rules[path, method].endpoint, {})
            _add_examples(operation, shown, schemas=spec["components"]["schemas"])
    parts = spec.setdefault("components", {})
    parts["headers"] = {
        name: {"description": told, "schema": {"type": "string"}, "example": _SHOWN[name]}
        for name, told in _HEADERS.items()
    }
    parts["examples"] = {known.code: {"value": _shown(known)} for known in catalogue().values() if known.statuses}


def listed_problems(app: Flask, rule: Rule, operation: Document) -> set[tuple[int, str]]:
    """Return what the document says that a route may refuse with: statuses and codes."""
    return {(status, known.code) for status, known in problems_at(route_of(app, rule, operation))}


def _methods(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in rule.methods or ():
            yield rule, method


def _describe(app: Flask, rule: Rule, operation: Document) -> None:
    route = route_of(app, rule, operation)
    _name_objects(operation)
    is_keyed = any(each["name"] == _KEYED for each in operation.get("parameters", ()))
    operation.setdefault("parameters", []).append(dict(_REQUEST_ID))
    answers = {status: each for status, each in operation["responses"].items() if status < "4"}
    operation["responses"] = answers | _refusals(route)
    for status, answer in operation["responses"].items():
        answer["headers"] = _headers(route, status, is_keyed=is_keyed)


def _name_objects(operation: Document) -> None:
    # `metadata[key]=value`: OpenAPI's word for it.
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and parameter["schema"].get("type") == "object":
            parameter |= {"style": "deepObject", "explode": True}


def _refusals(route: Route) -> dict[str, Document]:
    by_status: dict[int, list[Known]] = {}
    for status, known in problems_at(route):
        by_status.setdefault(status, []).append(known)
    return {str(status): _refusal(status, by_status[status]) for status in sorted(by_status)}


def _refusal(status: int, codes: list[Known]) -> Document:
    told = "\n".join(f"- `{known.code}`: {known.means}" for known in codes)
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {known.code: {"$ref": f"#/components/examples/{known.code}"} for known in codes},
    }
    return {"description": f"{HTTPStatus(status).phrase}\n\n{told}", "content": {_PROBLEM_JSON: content}}


def _headers(route: Route, status: str, *, is_keyed: bool) -> Document:
    names = {REQUEST_ID: "RequestId"}
    if route.asks_who:
        names |= {"RateLimit": "RateLimit", "RateLimit-Policy": "RateLimitPolicy"}
    if status in ("429", "503"):
        names["Retry-After"] = "RetryAfter"
    if status in ("201", "202"):
        names["Location"] = "Location"
    if is_keyed and status < "3":
        names["Idempotent-Replayed"] = "IdempotentReplayed"
    return {header: {"$ref": f"#/components/headers/{part}"} for header, part in names.items()}


def _shown(known: Known) -> Document:
    status = known.statuses[0]
    return {
        "type": f"https://pay.example.com/problems/{known.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": known.means,
        "code": known.code,
        "request_id": _SHOWN["RequestId"],
    }


@cache
def examples() -> Mapping[str, Any]:
    """Return what each route was answered, by its endpoint: `answers`, by status. They were recorded by a test."""
    found: dict[str, Any] = json.loads(_EXAMPLES.read_text(encoding="utf-8"))
    return found


def _add_examples(operation: Document, shown: Mapping[str, Any], *, schemas: Mapping[str, Any]) -> None:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        body = schemas[media["schema"]["$ref"].rpartition("/")[2]]
        media["example"] = body["examples"][0]
    for status, answer in shown.get("answers", {}).items():
        operation["responses"][status]["content"]["application/json"]["example"] = answer
