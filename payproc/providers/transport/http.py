"""Calls to gateways that have no SDK: time-outs, one mapping of what goes wrong, and nothing secret in an error."""

import re
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ReadTimeoutError,
)

from payproc.errors import (
    OutcomeUncertain,
    ProviderUnavailable,
    RateLimited,
    Refusal,
    RequestRefused,
    UnreadableOutcome,
)
from payproc.providers.transport import strict_json
from payproc.providers.transport.circuit_breakers import CallTimedOut, CircuitBreakers
from payproc.providers.transport.pace import named_wait

# More than any answer of a gateway; an error page that never ends must not fill the memory.
_LARGEST_ANSWER = 256 * 1024
_CHUNK = 16 * 1024
# A read is tried twice: two tries of (3 s + 8 s) and their pause stay below a task's soft limit of 50 s.
_READ_TRIES = 2
_LONGEST_PAUSE_SECONDS = 0.5
# What a web application firewall's page calls this refusal; its operator asks for it.
_SUPPORT_ID = re.compile(r"support id[^0-9]{0,20}([0-9]{6,32})", re.IGNORECASE)
# What our own library raises before it has opened a connection. A header in another script is the last of them.
UNSENDABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
    LocationValueError,
    UnicodeEncodeError,
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. `reading`: it changes nothing there, so that it may be repeated.

    `waits_for_customer`: nobody's answer within `patience` is then no sign of a sick gateway.
    """

    operation: str
    url: str
    patience: timedelta
    json_body: Mapping[str, Any] | None = field(default=None, repr=False)
    # The exact bytes of a JSON body that is signed; instead of `json_body`.
    raw_body: bytes | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    basic_auth: tuple[str, str] | None = field(default=None, repr=False)
    reading: bool = False
    waits_for_customer: bool = False


@dataclass(frozen=True, kw_only=True)
class JsonAnswer:
    """A JSON object, its numbers exact, and the text it was read from: a signature covers that and nothing else."""

    fields: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)


class Http:
    """A gateway's end of the wire. Safe to share between threads."""

    def __init__(self, *, connect_timeout: timedelta, breakers: CircuitBreakers) -> None:
        self._connect_seconds = connect_timeout.total_seconds()
        self._breakers = breakers
        self._local = _OneForEachThread()

    def ask(self, call: Call) -> JsonAnswer:
        """Send a call and return the JSON object it is answered with.

        Raises ProviderUnavailable where it was surely not executed, RateLimited among them; OutcomeUncertain where it
        may have been: after a time-out, a reset, any 5xx, and an answer that is no JSON object, whatever its status;
        RequestRefused where it could not even be written.
        """
        if not call.reading:
            return self._guarded(call)
        again = Retrying(
            retry=retry_if_exception(_worth_repeating),
            stop=stop_after_attempt(_READ_TRIES),
            wait=wait_random(0, _LONGEST_PAUSE_SECONDS),
            reraise=True,
        )
        return again(self._read, call)

    def _read(self, call: Call) -> JsonAnswer:
        try:
            return self._guarded(call)
        except OutcomeUncertain as uncertain:
            raise uncertain.of_a_question() from None

    def _guarded(self, call: Call) -> JsonAnswer:
        with self._breakers.guard(call.operation, patient=call.waits_for_customer):
            return self._sent(call)

    def _sent(self, call: Call) -> JsonAnswer:
        deadline = time.monotonic() + self._connect_seconds + call.patience.total_seconds()
        request = self._written(call)
        try:
            with self._local.session.send(
                request,
                timeout=(self._connect_seconds, call.patience.total_seconds()),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = _body_of(response, call, deadline)
                return _judged(response, body, call)
        except UNSENDABLE as error:
            raise _never_written(error, call) from None
        except (requests.RequestException, HTTPError) as error:
            # Not chained: the exception holds the request, and with it what must not reach a log.
            raise _translated(error, call) from None

    def _written(self, call: Call) -> requests.PreparedRequest:
        request = requests.Request(
            "POST",
            call.url,
            json=call.json_body,
            data=call.raw_body or call.form,
            headers={**call.headers, "Accept-Encoding": "identity"},
            auth=call.basic_auth,
        )
        try:
            return self._local.session.prepare_request(request)
        except (requests.RequestException, ValueError) as error:
            raise _never_written(error, call) from None


class _OneForEachThread(threading.local):
    # A session's pool and its cookies are not locked.
    def __init__(self) -> None:
        self.session = requests.Session()
        # Neither a proxy variable nor somebody's .netrc decides where money's words go.
        self.session.trust_env = False


def _worth_repeating(error: BaseException) -> bool:
    # Not while the gateway cools down, and not faster than it bears: both name a wait.
    return isinstance(error, ProviderUnavailable) and error.retry_after is None


def _body_of(response: requests.Response, call: Call, deadline: float) -> bytes:
    # requests' own time-out is between two bytes: a gateway that drips one at a time would hold us for ever. And its
    # iter_content waits until a chunk is full; read1 takes what there is.
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK):
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise OutcomeUncertain(f"{call.operation}: the answer does not end", code="answer_too_long")
        if time.monotonic() > deadline:
            raise CallTimedOut(f"{call.operation}: no answer in time", code="timeout")
    return bytes(body)


def _judged(response: requests.Response, body: bytes, call: Call) -> JsonAnswer:
    status = response.status_code
    if status == requests.codes.too_many_requests:
        raise RateLimited(
            f"{call.operation}: too many requests", retry_after=named_wait(response.headers.get("Retry-After"))
        )
    answer = _json_object(body)
    # A gateway says no with 4xx and a JSON object, and that is an answer; what a proxy says instead is none.
    if answer is None or status >= requests.codes.internal_server_error or 300 <= status < 400:  # noqa: PLR2004 (HTTP's own numbers)
        raise UnreadableOutcome(_unreadable(status, body, call))
    return answer


def _json_object(body: bytes) -> JsonAnswer | None:
    try:
        text = body.decode("utf-8-sig")
        # An answer that says one thing twice may be read as paid by us and as declined by the next reader: it says
        # nothing, and the gateway is asked again.
        return JsonAnswer(fields=strict_json.parsed_object(text), text=text)
    except ValueError:
        return None


def _unreadable(status: int, body: bytes, call: Call) -> str:
    support = _SUPPORT_ID.search(body[:_CHUNK].decode("latin-1"))
    named = f", support id {support[1]}" if support else ""
    return f"{call.operation}: answered {status} with what is no answer{named}"


def _never_written(error: Exception, call: Call) -> RequestRefused:
    # Neither the gateway's doing nor perhaps executed: an address or a word of ours that HTTP cannot hold.
    sentence = f"{call.operation}: the request cannot be written ({type(error).__name__})"
    return RequestRefused(sentence, refusal=Refusal.BUG, code="request_unwritable")


def _translated(error: requests.RequestException | HTTPError, call: Call) -> ProviderUnavailable | OutcomeUncertain:
    if never_connected(error):
        return ProviderUnavailable(f"{call.operation}: no connection", code="no_connection")
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return CallTimedOut(f"{call.operation}: no answer in time", code="timeout")
    return OutcomeUncertain(f"{call.operation}: {type(error).__name__}", code="connection_lost")


def never_connected(error: BaseException | None) -> bool:
    """Tell whether a call failed before a word of it was sent."""
    if not isinstance(error, requests.RequestException):
        return False
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    # A bad certificate ends the handshake before a word is sent. Any other TLS error may come in mid-answer.
    bad_certificate = any(isinstance(part, ssl.SSLCertVerificationError) for part in getattr(reason, "args", ()))
    return bad_certificate or isinstance(reason, NewConnectionError | ConnectTimeoutError)
