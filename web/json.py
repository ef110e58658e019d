"""JSON in which a number stays what the client wrote."""

from datetime import date
from typing import Any

import simplejson
from flask import Response
from flask.json.provider import DefaultJSONProvider
from pydantic import BaseModel

from payproc.providers.transport import strict_json


class NumberText(str):
    """A JSON number with a point or an exponent, as its letters: a float would make 1.15 a little less."""

    __slots__ = ()


class ExactJson(DefaultJSONProvider):
    """Flask's JSON, without floats on the way in, and without sorting on the way out."""

    sort_keys = False

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:  # noqa: ANN401 (Flask's signature)
        """Read JSON strictly.

        Raises ValueError for NaN and Infinity, for a name that occurs twice, and for nesting without end.
        """
        return strict_json.parsed(s, number=NumberText)


def _as_json(value: object) -> str:
    if isinstance(value, date):  # or a time: that is a date as well
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def text_of(answer: BaseModel) -> str:
    """Write an answer; a Decimal keeps its digits (the standard library would need a float)."""
    return simplejson.dumps(answer.model_dump(by_alias=True), use_decimal=True, default=_as_json)


def json_answer(
    text: str, *, status: int = 200, location: str | None = None, media_type: str = "application/json"
) -> Response:
    """Wrap JSON text as a response."""
    response = Response(text, status=status, content_type=media_type)
    if location is not None:
        response.headers["Location"] = location
    return response
