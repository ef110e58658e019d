"""What a schema cannot say: which ids there are, which currencies, and what a telephone number looks like.

Drawn from the document alone, hardly one request in fifty is one that is carried out.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any

from hypothesis import strategies as st
from schemathesis import Case

from tests.web.fuzz.front import Front

Drawn = Case[Any]

_ADDRESS = ("https://example.com/thanks", "https://example.com/ü?a=1#b", "http://example.com", "javascript:alert(1)")
_SENSIBLE: dict[str, tuple[Any, ...]] = {
    "amount": (19.99, 1250.5, 1, 0, -1, 0.001, 1e300, 99_999_999_999_999, "12.30", "1e5"),
    "amount_minor": (1999, 125050, 1, 0, -1, 2**31, 2**63, 2**64),
    "currency": ("usd", "USD", "pkr", "eur", "jpy", "kwd", "xxx"),
    "description": ("Two mangoes", "آم", "a" * 500, "\U0001f96d", "a\x00b"),
    "success_url": _ADDRESS,
    "cancel_url": _ADDRESS,
    "phone": ("03001234567", "+92 300 1234567", "۰۳۰۰۱۲۳۴۵۶۷", "0300123456", "0000000000000"),
    "cnic": ("345678", "۳۴۵۶۷۸", "34567a"),
    "reason": ("requested_by_customer", "a" * 500),
    "created_from": ("2026-11-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    "created_to": ("2026-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    "at": ("2026-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    "limit": (1, 2, 100),
    "Idempotency-Key": tuple(f"order-{number}-try-1" for number in range(50)),
}


_LEAVE, _REPLACE, _EXAMPLE = "leave", "replace", "example"


def make_sensible(draw: Any, front: Front, case: Drawn) -> None:
    """Leave a request as it was drawn, replace some of it by what makes sense, or change the document's example."""
    how = draw(st.sampled_from((_LEAVE, _REPLACE, _EXAMPLE, _EXAMPLE)))
    if how == _EXAMPLE and (example := _example_of(case)):
        case.body = dict(example)
        case.query.clear()
    for values, names in _places(case) if how != _LEAVE else ():
        for name in names:
            chosen = _choice(draw, front, name)
            # Of an example most stays as it is.
            if chosen is not None and (values is not case.body or how == _REPLACE or draw(st.integers(0, 3)) == 0):
                values[name] = chosen


def _choice(draw: Any, front: Front, name: str) -> Any:
    # Drawn before it is known among how many: what is drawn must not depend on what was answered.
    number = draw(st.integers(0, 2**16 - 1))
    choices = front.known.get(name) or _SENSIBLE.get(name)
    # Ids most of the time: of what is nobody's there is enough.
    seldom = number % 4 == 0 if name in front.known else number % 2 == 0
    return None if seldom or not choices else choices[number // 4 % len(choices)]


def _places(case: Drawn) -> Iterator[tuple[MutableMapping[str, Any], list[str]]]:
    asked = case.operation
    for values, parameters in (
        (case.path_parameters, asked.path_parameters),
        (case.query, asked.query),
        (case.headers, asked.headers),
    ):
        yield values, [parameter.name for parameter in parameters]
    if isinstance(case.body, dict):
        yield case.body, list(_schema_of(case).get("properties", {}))


def _schema_of(case: Drawn) -> dict[str, Any]:
    [body] = case.operation.body
    schema: dict[str, Any] = body.definition["schema"]
    return schema


def _example_of(case: Drawn) -> dict[str, Any] | None:
    if not list(case.operation.body):
        return None
    example: dict[str, Any] | None
    [example] = _schema_of(case).get("examples", [None])
    return example
