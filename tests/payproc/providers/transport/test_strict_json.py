import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.providers.transport import strict_json

NAMES = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
SPACES = st.text(alphabet=" \t\r\n", max_size=3)


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("{}", {}),
        (' {\n"a"\t:\r\n 1 , "b" :2} ', {"a": "1", "b": "2"}),
        (
            '{"response": {"x": 1.50, "y" : 1e3 },"signature":"s"}',
            {"response": '{"x": 1.50, "y" : 1e3 }', "signature": '"s"'},
        ),
        (r'{"response":{"a":"}{\"]"},"b":"\\"}', {"response": r'{"a":"}{\"]"}', "b": r'"\\"'}),
        (r'{"re\u0073ponse":"\u0041"}', {"response": r'"\u0041"'}),
        ('{"a": {"response": 1}, "response": [ {"a":"," } ]}', {"a": '{"response": 1}', "response": '[ {"a":"," } ]'}),
        ('{"a":"response\\":{}","response":-0.0}', {"a": '"response\\":{}"', "response": "-0.0"}),
        ('{"":null,"t":true}', {"": "null", "t": "true"}),
        ('{"name":"\u0627\u06cc\u0632\u06cc","response":{}}', {"name": '"\u0627\u06cc\u0632\u06cc"', "response": "{}"}),
    ],
)
def test_each_member_is_found_as_it_was_written(text: str, members: dict[str, str]) -> None:
    assert strict_json.raw_members(text) == members


@given(
    st.lists(st.tuples(NAMES, VALUES, SPACES, SPACES), unique_by=lambda member: member[0], max_size=5), st.booleans()
)
def test_any_object_is_cut_where_its_writer_joined_it(
    members: list[tuple[str, object, str, str]], escaped: bool
) -> None:
    written = {name: json.dumps(value, ensure_ascii=escaped, indent=1) for name, value, _, _ in members}
    joined = ",".join(
        f"{before}{json.dumps(name)}{after}:{before}{written[name]}{after}" for name, _, before, after in members
    )
    assert strict_json.raw_members(f"{{{joined}}}") == written


HOSTILE = [
    *("", " ", "[]", "null", "1", '"a"', "{", "}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1}x', "{a:1}"),
    *('{"a":1}{"a":2}', '{"a":1} []', "{'a':1}", "\0{}"),
    *('{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":01}', '{"a":+1}', '{"a":"\n"}', '\ufeff{"a":1}'),
    *('{"a":1,"a":1}', r'{"a":1,"\u0061":2}', '{"b":{"a":1,"a":2}}', '{"b":[{"a":1,"a":2}]}'),
    *('{"a":' * 100_000, '{"a":' + "[" * 100_000, '{"a":' + "1" * 5000 + "}"),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_has_not_one_meaning_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (JSON's own error is one)
        strict_json.parsed_object(text)
    with pytest.raises(ValueError):  # noqa: PT011 (JSON's own error is one)
        strict_json.raw_members(text)


@given(st.text())
def test_any_text_is_an_object_or_refused(text: str) -> None:
    try:
        members = strict_json.raw_members(text)
    except ValueError:
        return
    assert set(members) == set(strict_json.parsed_object(text))


def test_numbers_stay_exact() -> None:
    assert strict_json.parsed_object('{"a": 3000.10}') == {"a": Decimal("3000.10")}
