"""Ways in which a body comes to be what nobody would send, before it is signed and after."""

import json
from typing import Any

from hypothesis import strategies as st

_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(("", " ", "\0", "\ud800", "a" * 5000, "000", "121", "P" + "Z" * 19, "1e999", "٣", "&", "://", "é")),
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXTS,
)
JUNK = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
# What readers of JSON or of forms have stumbled over.
_NOTORIOUS = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"a"',
    b'{"id":NaN}',
    b'{"id":1e999999}',
    b'{"a":1,"a":2}',
    b"{" * 200,
    b'{"a":' * 20_000,
    b"[" * 100_000,
    b'{"a":' + b"1" * 5000 + b"}",
    b"\xef\xbb\xbf{}",
    '{"id":"evt_1"}'.encode("utf-16"),
    b'{"\\ud800":"\\udfff"}',
    b'{"\\u0000":"\\u0000"}',
    b"a=%ff&b=%00",
    b"&".join(b"a%d=1" % number for number in range(2000)),
    b"pp_TxnRefNo=&pp_SecureHash=",
    b"\x1f\x8b\x08\x00",
    b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--",
)


def spoiled_value(draw: Any, value: Any) -> Any:
    """Return JSON of which one place, whichever, holds something else, or is missing."""
    match value:
        case dict() if value and draw(st.integers(0, 5)):
            name = draw(st.sampled_from(sorted(value)))
            if draw(st.integers(0, 5)) == 0:
                return {each: value[each] for each in value if each != name}
            return value | {name: spoiled_value(draw, value[name])}
        case list() if value and draw(st.booleans()):
            return [spoiled_value(draw, value[0]), *value[1:]]
        case _:
            return draw(JUNK)


def spoiled_fields(draw: Any, fields: dict[str, str]) -> dict[str, str]:
    """Return a form's fields of which one is missing or says something else, or that have one more."""
    name = draw(st.sampled_from([*sorted(fields), "pp_Strange", "ppmpf_1", "ü"]))
    match draw(st.sampled_from(("drop", "say", "say"))):
        case "drop":
            return {each: fields[each] for each in fields if each != name}
        case _:
            return fields | {name: draw(_TEXTS)}


def spoiled_body(draw: Any, body: bytes) -> bytes:
    """Return other bytes: a part of these, with some put in, in another encoding, or none of theirs at all."""
    at = draw(st.integers(0, len(body)))
    some: bytes = draw(st.binary(min_size=1, max_size=6))
    ways: dict[str, bytes] = {
        "cut": body[:at],
        "put in": body[:at] + some + body[at:],
        "replace": body[:at] + some + body[at + len(some) :],
        "encode": body.decode("utf-8", "replace").encode(draw(_CODECS), "replace"),
        "notorious": draw(st.sampled_from(_NOTORIOUS)),
        "anything": draw(_ANYTHING),
    }
    way: str = draw(st.sampled_from(sorted(ways)))
    return ways[way]


_CODECS = st.sampled_from(("utf-16", "utf-32", "utf-8-sig", "cp037"))
_ANYTHING = st.one_of(st.binary(max_size=200), JUNK.map(lambda value: json.dumps(value).encode()))
