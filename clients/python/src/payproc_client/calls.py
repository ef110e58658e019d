"""A request before it is sent, what its answer means, and whether and when it is sent again. No socket."""

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from payproc_client.errors import NotAnswered, error_of

Json = dict[str, Any]

TRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
# Who says more is not waited for.
_LONGEST_NAMED_PAUSE = 30.0
_AGAIN = frozenset({408, 429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request. Under `key`, or where it only reads, it may be sent again."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    key: str | None = None
    wait: int | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether sending it twice is harmless."""
        return self.method == "GET" or self.key is not None

    @property
    def headers(self) -> dict[str, str]:
        """What it bears beside the key of the shop."""
        named = {"Idempotency-Key": self.key, "Prefer": None if self.wait is None else f"wait={self.wait}"}
        kind = {"Content-Type": "application/json"} if self.body is not None else {}
        return kind | {name: value for name, value in named.items() if value is not None}

    @property
    def content(self) -> bytes | None:
        """Its body. Raises TypeError for a float: 0.1 is not what it says."""
        if self.body is None:
            return None
        return json.dumps(_written(_given(self.body))).encode()

    @property
    def parameters(self) -> dict[str, str]:
        """Its query."""
        return {name: _text(value) for name, value in _given(self.query).items()}


def creating(path: str, body: Mapping[str, Any], *, key: str | None, wait: int | None = None) -> Call:
    """Make a request that creates something, under a key of its own where none is given."""
    return Call(method="POST", path=path, body=body, key=key or str(uuid.uuid4()), wait=wait)


def reading(path: str, query: Mapping[str, Any] | None = None) -> Call:
    """Make a request that reads."""
    return Call(method="GET", path=path, query=query or {})


def acting(path: str, body: Mapping[str, Any] | None = None, *, method: str = "POST") -> Call:
    """Make a request that changes something, and knows no key: it goes out once."""
    return Call(method=method, path=path, body=body)


def read(status: int, content: bytes) -> Json:
    """Return what was answered.

    Raises the PayprocError that the answer stands for.
    """
    found: Any = {}
    try:
        found = json.loads(content, parse_float=Decimal) if content else {}
    except (ValueError, RecursionError):
        found = None
    if status >= 400 or status < 200:  # noqa: PLR2004 (HTTP's own numbers)
        raise error_of(status, found if isinstance(found, dict) else {})
    if not isinstance(found, dict) or status >= 300:  # noqa: PLR2004 (the same)
        raise NotAnswered(f"answered {status} with what is no answer of payproc's", status=status)
    return found


def pause_before_another(call: Call, tried: int, *, status: int, content: bytes, named: str | None) -> float | None:
    """Say how long (seconds) to wait before the same again; None where it is not to be sent again.

    `status` is 0 where nobody answered; `named` is what `Retry-After` says.
    """
    in_use = status == 409 and b'"idempotency_key_in_use"' in content  # noqa: PLR2004 (HTTP's own number)
    if tried >= TRIES or not call.may_repeat or not (status == 0 or status in _AGAIN or in_use):
        return None
    if named is not None and named.isascii() and named.isdigit():
        return float(named) if float(named) <= _LONGEST_NAMED_PAUSE else None
    # Half of it is chance: who failed together does not come back together.
    return min(_FIRST_PAUSE * float(2 ** (tried - 1)), _LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311 (no secret)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _text(value: Any) -> str:  # noqa: ANN401 (any value of a query)
    return str(value).lower() if isinstance(value, bool) else str(_written(value))


def _written(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    match value:
        case float():
            raise TypeError("no floats: write an amount as a text, a Decimal, or in whole minor units")
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat()
        case dict():
            return {name: _written(each) for name, each in value.items()}
        case list() | tuple():
            return [_written(each) for each in value]
        case _:
            return value
