"""What each code of an error means: a page for people and programs at the address that is its problem's `type`."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response, render_template_string, request
from werkzeug.routing import Rule

from payproc.errors import NotFound
from web.auth import act_of
from web.json import json_answer, text_of
from web.schemas.problem import Explanation

PATH = "/problems"
# An explanation is text of ours and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Known:
    """One code: with which statuses it is answered, at which routes, what it means and what to do about it."""

    code: str
    statuses: tuple[int, ...]
    at: tuple[str, ...]
    means: str
    do: str


@cache
def catalogue() -> Mapping[str, Known]:
    """Return every code by its name, in the order of the table."""
    table = tomllib.loads((_HERE / "problems.toml").read_text(encoding="utf-8"))
    return {code: _known(code, row) for code, row in table.items()}


def _known(code: str, row: Mapping[str, object]) -> Known:
    status, at = row.get("status", ()), row["at"]
    assert isinstance(at, list)
    statuses = tuple(status) if isinstance(status, list | tuple) else (status,)
    return Known(code=code, statuses=statuses, at=tuple(at), means=str(row["means"]), do=str(row["do"]))


@dataclass(frozen=True, kw_only=True)
class Route:
    """What of a route decides which problems it may answer."""

    endpoint: str
    asks_who: bool
    takes_body: bool
    takes_cursor: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Return by which names the table may mean it."""
        marks = {"@caller": self.asks_who, "@body": self.takes_body, "@page": self.takes_cursor}
        return (self.endpoint, "@all", *(name for name, holds in marks.items() if holds))


def route_of(app: Flask, rule: Rule, operation: Mapping[str, object]) -> Route:
    """Return what is known of a route, from its rule and its part of the OpenAPI document."""
    parameters = operation.get("parameters", ())
    assert isinstance(parameters, list | tuple)
    return Route(
        endpoint=rule.endpoint,
        asks_who=act_of(app, rule.endpoint) is not None,
        takes_body="requestBody" in operation,
        takes_cursor=any(each["name"] == "cursor" for each in parameters),
    )


def problems_at(route: Route) -> Iterator[tuple[int, Known]]:
    """Go through what a route may answer, by status."""
    for known in catalogue().values():
        if any(fnmatchcase(name, pattern) for name in route.names for pattern in known.at):
            for status in known.statuses:
                yield status, known


def register(app: Flask) -> None:
    """Serve a page for each code."""
    app.add_url_rule(f"{PATH}/<code>", "problem", _page)


def _page(code: str) -> Response:
    known = catalogue().get(code)
    if known is None:
        raise NotFound("No problem of ours has this code.")
    if request.accept_mimetypes.best_match(("text/html", "application/json")) == "application/json":
        answer = json_answer(
            text_of(Explanation(code=code, statuses=list(known.statuses), means=known.means, do=known.do))
        )
    else:
        answer = Response(_html(known), content_type="text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = _POLICY
    answer.vary.add("Accept")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer


def _html(known: Known) -> str:
    titles = [f"{status} {HTTPStatus(status).phrase}" for status in known.statuses]
    template = (_HERE / "problem.html").read_text(encoding="utf-8")
    return render_template_string(template, known=known, titles=titles)
