"""Every non-2xx answer: one shape, application/problem+json, and no traceback."""

import itertools
import math
import re
from http import HTTPStatus

import structlog
from flask import Flask, Response, current_app, g, has_app_context
from pydantic import ValidationError
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException

from payproc.database.engine import PASSING_TROUBLE
from payproc.errors import (
    BadSignature,
    Conflict,
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    NoticeMalformed,
    PayprocError,
    RequestRefused,
    TooManyRequests,
)
from payproc.operations import logs
from payproc.records.identity.jwks import IdentityUnavailable
from payproc.records.identity.permissions import NotAllowed
from payproc.records.identity.users import NotAuthenticated
from web.json import json_answer, text_of
from web.request.log import about
from web.schemas.problem import Problem

log = structlog.get_logger()

_STATUS: dict[type[PayprocError], HTTPStatus] = {
    InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    NoticeMalformed: HTTPStatus.BAD_REQUEST,
    BadSignature: HTTPStatus.FORBIDDEN,
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    RequestRefused: HTTPStatus.CONFLICT,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    IdentityUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_HTTP_CODES = {
    413: "request_entity_too_large",
    414: "request_uri_too_long",
    416: "requested_range_not_satisfiable",
    422: "unprocessable_entity",
}
_MOST_FIELDS = 20
_FIELD_PART = re.compile(r"[\w-]{1,64}")


def problem(
    status: int,
    detail: str,
    *,
    code: str,
    field: str | None = None,
    subject: str | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """Answer that something is wrong: `detail` for people, `code` for programs."""
    body = Problem(
        type=f"{_base_url()}/problems/{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        field=field,
        subject=subject,
        request_id=g.get("request_id") if has_app_context() else None,
        errors=errors,
    )
    return json_answer(text_of(body), status=status, media_type="application/problem+json")


def _base_url() -> str:
    # What is no request at all is refused before there is an application; a relative reference is one, too (RFC 9457).
    core = current_app.extensions.get("payproc") if has_app_context() else None
    return str(core.settings.public_base_url) if core else ""


def code_of(status: int) -> str:
    """Return the code of an error that is HTTP's own. Releases of Python name a few of them differently."""
    return _HTTP_CODES.get(status) or HTTPStatus(status).name.lower()


def invalid_fields(invalid: ValidationError) -> Response:
    """Answer for a body, path or query that does not fit its schema. What was sent is not repeated."""
    wrong = [
        {"field": _field(error["loc"]), "message": error["msg"]}
        for error in invalid.errors(include_input=False, include_url=False)[:_MOST_FIELDS]
    ]
    first = wrong[0]
    where = first["field"] or "body"
    return problem(422, f"{where}: {first['message']}.", code="invalid_request", field=where, errors=wrong)


def _field(location: tuple[int | str, ...]) -> str:
    # Where a field has several types, pydantic goes on to name the type, in the words of its own code.
    parts = itertools.takewhile(_FIELD_PART.fullmatch, (str(part) for part in location))
    return ".".join(parts)


def _known(error: PayprocError) -> Response:
    about(error.subject)
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), None)
    if status is None:
        return _unknown(error)
    field = error.field if isinstance(error, InvalidRequest) else None
    answer = problem(status, error.message, code=error.code, field=field, subject=error.subject)
    if isinstance(error, TooManyRequests):
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after.total_seconds()))
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "10"
    if status is HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="payproc"'
    return answer


def _http(error: HTTPException) -> Response:
    # flask-openapi aborts with a finished answer when a schema does not fit: that is ours already.
    if isinstance(error.response, Response):
        return error.response
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    answer = problem(status, error.description or HTTPStatus(status).phrase, code=code_of(status))
    for name, value in error.get_headers():
        if name in ("Allow", "Location", "Retry-After"):
            answer.headers[name] = value
    return answer


def _storage(error: Exception) -> Response:
    # Its text quotes the statement with its values, so only the type is logged.
    log.error("the database did not answer", error=type(error).__name__)
    # A commit may be in doubt: only the same key makes sending it again harmless.
    detail = "It is not known whether this was stored; send it again, with the same Idempotency-Key."
    answer = problem(503, detail, code="storage_unavailable")
    answer.headers["Retry-After"] = "2"
    return answer


def _unstorable(_error: Exception) -> Response:
    # The schemas catch control characters; what is left is text that PostgreSQL cannot hold, such as NUL in a path.
    return problem(422, "The request contains characters that cannot be stored.", code="invalid_request")


def _unknown(error: Exception) -> Response:
    log.error("a defect", **logs.described(error))
    return problem(500, "Something is wrong on our side; it has been logged.", code="internal_error")


def register(app: Flask) -> None:
    """Give every error its answer."""
    app.register_error_handler(PayprocError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DataError, _unstorable)
    for trouble in PASSING_TROUBLE:
        app.register_error_handler(trouble, _storage)
    app.register_error_handler(Exception, _unknown)
