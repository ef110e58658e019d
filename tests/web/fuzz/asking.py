"""Requests drawn from the OpenAPI document, sent to the front, and what must be true of each answer."""

from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.fuzz.budget import again, run_many
from tests.web.fuzz.front import Front
from tests.web.fuzz.sense import Drawn, make_sensible

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Fewer were found where the document could not be read.
_LEAST_OPERATIONS = 25
# Of so many some are accepted, whatever the seed.
_ENOUGH = 4000
_PROBLEM = {"type", "title", "status", "detail", "code"}


Operation = APIOperation[Any, Any, Any, Any]


def operations_of(front: Front, method: str) -> list[Operation]:
    """Return the document's operations of a method, but for those that it says nothing of: there is nothing to vary.

    What notices say is no schema's matter; test_notices.py draws them.
    """
    document = schemathesis.openapi.from_wsgi("/openapi.json", front.flask_app)
    found = [result.ok() for result in document.get_all_operations() if isinstance(result, Ok)]
    assert len(found) >= _LEAST_OPERATIONS
    varied = [operation for operation in found if _is_varied(operation)]
    return [operation for operation in varied if operation.method.upper() == method]


def _is_varied(operation: Operation) -> bool:
    # Every operation may be given a name, which changes nothing.
    return bool(list(operation.body)) or any(each.name != "X-Request-Id" for each in operation.iter_parameters())


def send_to_each(front: Front, operations: list[Operation], *, count: int) -> None:
    """Share so many requests out among operations. Raises what is wrong with an answer."""
    for operation in operations:
        _send_many(front, operation, count=-(-count // len(operations)))
    sent = sum(front.answers.values())
    # Hypothesis ends early where it finds that there is nothing else to draw.
    assert sent >= count * 0.98, f"{sent} of {count}"
    for operation in operations if count >= _ENOUGH else ():
        told = {status // 100 for label, status in front.answers if label == operation.label}
        assert told >= {2, 4}, f"{operation.label} was never both accepted and refused, only {told}: {again()}"


def _send_many(front: Front, operation: Operation, *, count: int) -> None:
    """Send so many requests of one operation: as the document allows, and as it does not."""

    def one(case: Drawn, caller: str | None, data: st.DataObject) -> None:
        make_sensible(data.draw, front, case)
        _send(front, case, caller=caller)

    callers = st.sampled_from(front.callers)
    run_many(one, count=count, what=operation.label, case=_cases(operation), caller=callers, data=st.data())


def _cases(operation: Operation) -> st.SearchStrategy[Drawn]:
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # Without feedback: it changes how the next request is drawn, and what was drawn once could not be drawn again.
    return st.one_of(*(operation.as_strategy(generation_mode=mode, feedback=NO_FEEDBACK) for mode in modes))


def _send(front: Front, case: Drawn, *, caller: str | None) -> None:
    case.headers = CaseInsensitiveDict(_headers(case, caller))
    front.lines.clear()
    answer = case.call()
    front.answers[case.operation.label, answer.status_code] += 1
    written = front.written.since()
    # Nothing was broken on purpose, so 503 is no answer either.
    assert answer.status_code < 500, f"{case.as_curl_command()} {front.lines} {again()}"
    case.validate_response(answer, checks=list(_CHECKS))
    accepted = case.method in ("POST", "PATCH", "DELETE") and answer.status_code < 300
    # The feed gives events their places as it is read, and changes nothing of what they say.
    placed = {"UPDATE events"} if case.operation.path.startswith("/api/v1/events") else set()
    assert accepted or not set(written) - placed, f"{answer.status_code} {case.as_curl_command()} {written} {again()}"
    if answer.status_code >= 400:
        _check_problem(answer)
    elif answer.headers.get("content-type") == ["application/json"]:
        front.learn(answer.json())


def _headers(case: Drawn, caller: str | None) -> Iterator[tuple[str, str]]:
    for name, value in case.headers.items():
        if name.lower() != "authorization":
            # Nobody works here while a client waits.
            yield name, "wait=0" if name.lower() == "prefer" and "wait" in value.lower() else value
    if caller is not None:
        yield "Authorization", caller


def _check_problem(answer: Response) -> None:
    assert answer.headers["content-type"] == ["application/problem+json"], again()
    told = answer.json()
    assert told.keys() >= _PROBLEM, again()
    assert told["status"] == answer.status_code, again()
