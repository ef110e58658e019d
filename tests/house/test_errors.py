"""The tree of errors that is drawn in `payproc/errors.py` is the tree that there is."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest
from flask import Flask

import payproc
import web
from payproc import errors
from payproc.errors import PayprocError, Refusal, RequestRefused, SettingsInvalid
from tasks import runner
from web.errors import register

_LINE = re.compile(r"(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<status>\d{3})  (?P<retry>again|ask|no)\b.*)?")
# Importing one of these starts a process, or reads the environment; of the tasks only the runner does neither.
_STARTING = {"payproc.__main__", "web.wsgi"}


@dataclass(frozen=True)
class Drawn:
    name: str
    parent: str | None
    status: int | None
    retry: str | None


def drawing() -> list[Drawn]:
    assert errors.__doc__ is not None
    above: list[str] = []
    drawn = []
    for line in errors.__doc__.splitlines():
        if not re.match(r"(PayprocError|Exception)\b|[│├└ ]+─", line):
            continue
        found = _LINE.fullmatch(line)
        assert found is not None, line
        depth = len(found["indent"]) // 4
        above[depth:] = [found["name"]]
        status = int(found["status"]) if found["status"] else None
        drawn.append(Drawn(found["name"], above[depth - 1] if depth else None, status, found["retry"]))
    return drawn


def modules() -> Iterator[ModuleType]:
    yield runner
    for package in (payproc, web):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name not in _STARTING:
                yield importlib.import_module(module.name)


def ours() -> set[type[Exception]]:
    return {
        found
        for module in modules()
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Exception) and found.__module__ == module.__name__
    }


def test_every_error_of_ours_is_drawn_under_the_one_it_is_a_kind_of() -> None:
    real = {(kind.__name__, kind.__base__.__name__ if kind.__base__ else None) for kind in ours()}
    drawn = {(line.name, line.parent) for line in drawing()}
    assert drawn == {(name, base if name != "PayprocError" else None) for name, base in real} | {("Exception", None)}


@pytest.mark.parametrize("line", drawing(), ids=lambda line: line.name)
def test_every_error_is_answered_with_the_status_that_is_drawn(line: Drawn) -> None:
    kinds: dict[str, type[Exception]] = {kind.__name__: kind for kind in ours()}
    if line.name == "Exception":
        return
    app = Flask(__name__)
    register(app)

    @app.get("/")
    def fail() -> str:
        raise made(kinds[line.name])

    assert app.test_client().get("/").status_code == line.status
    assert line.retry is not None


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, RequestRefused):
        return kind("It cannot be.", refusal=Refusal.INPUT)
    return kind(["IT"]) if issubclass(kind, SettingsInvalid) else kind("It cannot be.")


def test_each_code_is_the_name_of_one_kind_of_error() -> None:
    codes = [kind.code for kind in ours() if issubclass(kind, PayprocError) and "code" in vars(kind)]
    # The two unreadable ones say the same of an answer, and differ in what it leaves open.
    assert sorted(codes) == sorted([*set(codes), "unreadable_answer"])
