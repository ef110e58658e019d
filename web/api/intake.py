"""Notices before Flask has them: those that wait at the same time are kept by one statement.

The front brings what waits (`take`) and then lets each request be carried out as any other. Whose notice was kept is
answered here, as the view in notices.py would answer; everything else goes on to it.
"""

import io
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from wsgiref.types import StartResponse

from payproc.application import Application
from payproc.domain.payment_methods import PaymentMethod, path_of
from payproc.flows.inbox.accept import Accepted, accept_notices
from payproc.flows.inbox.storing import MOST_AT_ONCE
from payproc.providers.notices import RawNotice
from payproc.providers.stripe import STRIPE
from web.api.locations import PAYMENTS
from web.json import text_of
from web.request.log import log_answer
from web.request.naming import REQUEST_ID, name_of
from web.schemas.notices import ReceivedAnswer

Environ = dict[str, Any]
WSGI = Callable[[Environ, StartResponse], Iterable[bytes]]

# What came of taking a request's notice: Accepted, or the error that the view raises.
TAKEN = "payproc.taken"
_BEGAN = "payproc.began"

RECEIVED = text_of(ReceivedAnswer())
_HEADER = "HTTP_"
# As `_add_headers` in app.py gives them to every answer.
_HEADERS = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))


def raw_notice(environ: Mapping[str, Any], body: bytes) -> RawNotice:
    """Return a delivery as it came. A signature covers these bytes, none that were parsed and written again."""
    return RawNotice(
        body=body,
        headers=dict(_headers(environ)),
        query=environ.get("QUERY_STRING", ""),
        received_at=datetime.now(UTC),
    )


def _headers(environ: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    # As WSGI has them: werkzeug's own way through all of them was a tenth of what accepting a notice took.
    for name, value in environ.items():
        if name.startswith(_HEADER):
            yield name.removeprefix(_HEADER).replace("_", "-").lower(), value
    yield "content-type", environ.get("CONTENT_TYPE", "")


def answer_to(accepted: Accepted) -> str:
    """Return the JSON that a provider wants to hear."""
    return RECEIVED if accepted.answer is None else json.dumps(dict(accepted.answer))


def _path(method: PaymentMethod) -> str:
    return f"{PAYMENTS}/webhook/stripe" if method == STRIPE else f"{PAYMENTS}/{path_of(method)}/notify"


class Intake:
    """The application, with this before it."""

    most = MOST_AT_ONCE

    def __init__(self, app: Application, wsgi: WSGI) -> None:
        self._app, self._wsgi = app, wsgi
        self._methods = {_path(method): method for method in app.providers}

    def take(self, environs: Sequence[Environ]) -> None:
        """Keep the notices of requests that wait, at most `most`; each is to be carried out afterwards, kept or not."""
        began = time.perf_counter()
        notices = [environ for environ in environs if self._is_notice(environ)]
        answers = accept_notices(self._app, [self._delivery(environ) for environ in notices])
        for environ, answer in zip(notices, answers, strict=True):
            environ[_BEGAN] = began
            if answer is not None:
                environ[TAKEN] = answer

    def _is_notice(self, environ: Environ) -> bool:
        # What a browser of another site may read of an answer, the view says.
        if environ["REQUEST_METHOD"] != "POST" or "HTTP_ORIGIN" in environ:
            return False
        return environ["PATH_INFO"] in self._methods

    def _delivery(self, environ: Environ) -> tuple[PaymentMethod, RawNotice]:
        body: bytes = environ["wsgi.input"].read()
        # Whoever carries the request out reads it anew.
        environ["wsgi.input"] = io.BytesIO(body)
        return self._methods[environ["PATH_INFO"]], raw_notice(environ, body)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        taken = environ.get(TAKEN)
        if not isinstance(taken, Accepted):
            return self._wsgi(environ, start_response)
        name = name_of(environ)
        log_answer(
            method="POST",
            path=environ["PATH_INFO"],
            status=200,
            began=environ[_BEGAN],
            request_id=name,
            notice=taken.notice_id,
        )
        body = answer_to(taken).encode()
        start_response("200 OK", [*_HEADERS, (REQUEST_ID, name), ("Content-Length", str(len(body)))])
        return [body]
