"""One line for every request when it is answered, with the ids of what it was about."""

import re
import time

import structlog
from flask import Flask, Response, g, request

from payproc.domain.ids import Prefix
from web.request.naming import CAPABILITY, REQUEST_ID, name_of

log = structlog.get_logger()

_NAMES = {
    Prefix.PAYMENT: "payment",
    Prefix.REFUND: "refund",
    Prefix.DISPUTE: "dispute",
    Prefix.NOTICE: "notice",
    Prefix.ORDER: "order",
    Prefix.RUN: "run",
}
# An address holds what its caller likes; only what can be an id of ours becomes one in a log.
_ID = re.compile(rf"({'|'.join(_NAMES)})_[0-9a-z]{{26}}")


def about(*ids: str | None) -> None:
    """Let every line that the present request still logs name these, each by what it is an id of."""
    for value in ids:
        if value is not None and (shaped := _ID.fullmatch(value)):
            structlog.contextvars.bind_contextvars(**{_NAMES[Prefix(shaped[1])]: value})


def register(app: Flask) -> None:
    """Log the requests of an application."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    # A server's thread goes from one request to the next with its context.
    structlog.contextvars.clear_contextvars()
    g.began = time.perf_counter()
    g.request_id = name_of(request.environ)
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    about(*(str(value) for value in (request.view_args or {}).values()))


def _end(response: Response) -> Response:
    log_answer(
        method=request.method,
        path=request.path,
        status=response.status_code,
        began=g.began if "began" in g else None,
        user=g.caller.user.id if "caller" in g else None,
    )
    if "request_id" in g:
        response.headers[REQUEST_ID] = g.request_id
    return response


def log_answer(
    *, method: str, path: str, status: int, began: float | None, user: str | None = None, **ids: str | None
) -> None:
    """Log one request; `began` is by `time.perf_counter`, in seconds."""
    log.info(
        "request",
        method=method,
        # By its looks and not by its route: an address with a letter too many, or asked with another method, has none.
        path=CAPABILITY.sub("…", path),
        status=status,
        ms=None if began is None else round((time.perf_counter() - began) * 1000, 1),
        user=user,
        **{name: value for name, value in ids.items() if value is not None},
    )


def _forget(_error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()
