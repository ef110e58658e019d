"""Every code is explained, at the address that its problem names."""

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TypeGuard

import pytest
from flask.testing import FlaskClient

from payproc.application import Application
from tests.support.databases import ROOT
from tests.web.client import Client
from web.docs.problems import catalogue

# Where a code is put together, or handed on by position.
PUT_TOGETHER = {"cnic_missing", "cnic_invalid", "phone_missing", "phone_invalid"}
BY_POSITION = re.compile(r'_refused\(\s*"(\w+)"', re.ASCII)
# HTTP's own, as waitress and werkzeug say them.
OF_HTTP = {
    "method_not_allowed", "request_uri_too_long", "request_header_fields_too_large", "request_timeout",
    "not_implemented", "service_unavailable", "bad_request", "unsupported_media_type", "request_entity_too_large",
    "unprocessable_entity", "requested_range_not_satisfiable",
}  # fmt: skip


def sources() -> Iterator[Path]:
    for room in ("payproc", "web", "tasks"):
        yield from (ROOT / room).rglob("*.py")


def codes_in(text: str) -> set[str]:
    """The codes that a module names: as `code="…"`, as a class's own, and as money's refusals are."""
    found = set(BY_POSITION.findall(text)) if "def _refused(code" in text else set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            found |= {code for word in node.keywords if word.arg == "code" for code in _texts(word.value)}
        if isinstance(node, ast.ClassDef):
            found |= {code for line in node.body if _is_code(line) for code in _texts(line.value)}
        if isinstance(node, ast.Assign) and _is_code(node) and isinstance(node.value, ast.IfExp):
            found |= {code for each in (node.value.body, node.value.orelse) for code in _texts(each)}
    return found


def _is_code(line: ast.stmt) -> TypeGuard[ast.Assign]:
    return isinstance(line, ast.Assign) and [getattr(target, "id", "") for target in line.targets] == ["code"]


def _texts(node: ast.expr) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_every_code_that_the_source_names_is_explained() -> None:
    named = {code for path in sources() for code in codes_in(path.read_text(encoding="utf-8"))}
    assert len(named) > 90
    assert named - set(catalogue()) == set()


def test_nothing_is_explained_that_nobody_says() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sources())
    said = {code for code in catalogue() if f'"{code}"' in text}
    assert set(catalogue()) - said - PUT_TOGETHER - OF_HTTP == set()


@pytest.mark.parametrize("code", catalogue())
def test_the_page_of_a_code_says_what_it_means_and_what_to_do(anonymous: FlaskClient, code: str) -> None:
    page = anonymous.get(f"/problems/{code}")
    assert page.content_type == "text/html; charset=utf-8"
    assert f"<code>{code}</code>" in page.text
    told = anonymous.get(f"/problems/{code}", headers={"Accept": "application/json"}).json
    assert told == {
        "code": code,
        "statuses": list(catalogue()[code].statuses),
        "means": catalogue()[code].means,
        "do": catalogue()[code].do,
    }
    assert all(HTTPStatus(status) >= HTTPStatus.BAD_REQUEST for status in told["statuses"])


def test_the_type_of_a_problem_is_the_address_of_its_page(app: Application, amina: Client) -> None:
    problem = amina.get("/pay_01kaw5m0v7e1cbb4wsy0s9p6jd").json
    assert problem is not None
    assert problem["type"] == f"{app.settings.public_base_url}/problems/payment_not_found"
    page = amina.get_at(problem["type"].removeprefix(app.settings.public_base_url))
    assert page.status_code == 200


def test_a_code_that_there_is_not_has_no_page(anonymous: FlaskClient) -> None:
    assert anonymous.get("/problems/nothing").status_code == 404
    assert "<script>" not in anonymous.get("/problems/<script>").text
