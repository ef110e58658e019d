"""JSON read so that it has one meaning: no key twice, no NaN, numbers exact."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

_SPACE = re.compile(r"[ \t\n\r]*")


def parsed(text: str | bytes, *, number: Callable[[str], object] = Decimal) -> Any:  # noqa: ANN401 (any JSON)
    """Return what `text` is; `number` reads what is written with a point or an exponent.

    Raises ValueError where it is no JSON, nested too deeply, or has a key twice at any depth.
    """
    try:
        return json.loads(text, parse_float=number, parse_constant=_refused, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def parsed_object(text: str) -> dict[str, Any]:
    """Return the one object that `text` is.

    Raises ValueError for anything else, and as `parsed` does.
    """
    found = parsed(text)
    if not isinstance(found, dict):
        raise ValueError("the JSON is no object")  # noqa: TRY004 (a wrong text, not a wrong type of argument)
    return found


def raw_members(text: str) -> dict[str, str]:
    """Return each member of the outermost object with the exact text of its value, as it was sent.

    Raises ValueError as `parsed_object` does.
    """
    # From here on the text is known to be good, so that the walk below need not look for errors.
    parsed_object(text)
    decoder = json.JSONDecoder()
    members: dict[str, str] = {}
    at = _past(text, 0, "{")
    while text[at] != "}":
        key, at = decoder.raw_decode(text, at)
        start = _past(text, at, ":")
        _, end = decoder.raw_decode(text, start)
        members[key] = text[start:end]
        at = _spaced(text, end)
        at = _past(text, at, ",") if text[at] == "," else at
    return members


def _past(text: str, at: int, mark: str) -> int:
    # The index of what follows the mark.
    return _spaced(text, text.index(mark, at) + 1)


def _spaced(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Python keeps the last of two, another reader the first: what is signed for one is believed by the other.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key of the JSON is there twice")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
