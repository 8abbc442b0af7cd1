"""JSON objects that name a key twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.repeated import repeated_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        (b'{"a":1,"a":2}', "a"),
        (b'{"x":{"b":1,"b":2}}', "b"),
        (b'{"x":[{"b":1},[{"c":1,"c":2}]]}', "c"),
        (b'[{"a":1},{"a":2}]', None),
        (b'{"a":{"a":{"a":1}}}', None),
        (b'{"a" : 1, "a" : 2}', "a"),
        (b'{"a" :1,"b":2}', None),
        (b'{"a":"\\":","b":1}', None),
        (b'{"a":"\\":","b":1,"b":2}', "b"),
        (b'{"b":1,"a":1,"a":2,"b":3}', "b"),
        (b'{"a":1e999,"a":2}', "a"),
        (b"[]", None),
        (b"3", None),
    ],
)
def test_the_key_that_stands_twice_is_named(payload: bytes, key: str | None) -> None:
    assert repeated_key(payload, json.loads(payload)) == key


def test_a_number_of_thousands_of_digits_hides_no_key() -> None:
    payload = b'{"a":' + b"9" * 5_000 + b',"a":1}'
    assert repeated_key(payload, {"a": 1}) == "a"


@given(JSON)
def test_no_json_that_was_written_from_a_value_repeats_a_key(value: object) -> None:
    for separators in ((",", ":"), (", ", ": "), (" , ", " : ")):
        assert repeated_key(json.dumps(value, separators=separators).encode(), value) is None


@given(st.dictionaries(st.text(max_size=4), JSON, min_size=1), JSON, st.data())
def test_a_key_that_is_put_in_once_more_is_named(
    value: dict[str, object], other: object, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    pairs = [*value.items(), (key, other)]
    text = ",".join(f"{json.dumps(name)}:{json.dumps(each)}" for name, each in pairs)
    wrapped = f'[{{"list":[{{{text}}}]}}]'.encode()
    assert repeated_key(wrapped, json.loads(wrapped)) == key
