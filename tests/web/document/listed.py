"""Whether what is answered stands in the OpenAPI document."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Flask, Response, request

from web.app import Web
from web.docs.describing import listed_problems

# HTTP's own, and defects: they are listed at no route.
_ANYWHERE = {"internal_error", "method_not_allowed", "not_found", "request_timeout", "service_unavailable"}


def noting(made: Flask, unlisted: set[tuple[str, int, str]]) -> Callable[[Response], Response]:
    """Note each problem of the API that its operation does not list."""

    @cache
    def operations() -> dict[str, Any]:
        assert isinstance(made, Web)
        paths: dict[str, Any] = made.api_doc["paths"]
        return paths

    def note(response: Response) -> Response:
        rule = request.url_rule
        if rule is None or response.content_type != "application/problem+json":
            return response
        path = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
        code = str((response.get_json() or {})["code"])
        operation = operations().get(path, {}).get(request.method.lower())
        if operation is not None and code not in _ANYWHERE:
            told = (response.status_code, code)
            if told not in listed_problems(made, rule, operation):
                unlisted.add((rule.endpoint, *told))
        return response

    return note
