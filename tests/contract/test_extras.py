"""What a payload holds beside the mapped paths, and how much of it is kept."""

from __future__ import annotations

import msgspec
import pytest

from quotey.contract.extras import MAX_BYTES, MAX_DEPTH, MAX_KEYS, Extras, is_shallow

BIG = MAX_BYTES + 1
PATHS = ("id", "props.name", "props.deep.a", "props.deep.b")


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_everything_beside_the_mapped_paths_is_found_at_every_level() -> None:
    payload = {
        "id": "1",
        "x": 1,
        "props": {"name": "n", "y": [2], "deep": {"a": 1, "b": 2, "z": {"w": 3}}},
        "v": None,
    }
    assert Extras(PATHS).of(payload, 10) == {
        "x": 1, "props.y": [2], "props.deep.z": {"w": 3}, "v": None,
    }  # fmt: skip


def test_what_stands_where_a_table_was_to_be_is_no_extra() -> None:
    assert Extras(PATHS).of({"props": "text", "id": {"a": 1}}, 10) == {}


def test_so_many_are_kept_and_the_first_ones() -> None:
    payload = {f"k{number}": number for number in range(MAX_KEYS + 1)}
    assert list(Extras(()).of(payload, 10)) == [f"k{number}" for number in range(MAX_KEYS)]


@pytest.mark.parametrize(("levels", "kept"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_what_is_too_deep_is_left_out_and_the_next_is_kept(levels: int, kept: bool) -> None:
    found = Extras(()).of({"deep": deep(levels), "next": 1}, 10)
    assert ("deep" in found, found["next"]) == (kept, 1)


def room_left(path: str, text: str) -> int:
    return MAX_BYTES - len(path) - len(msgspec.json.encode(text))


def test_a_large_payload_is_kept_as_far_as_there_is_room() -> None:
    first = "x" * 1_000
    left = room_left("a", first)
    fits = "y" * (left - len("b") - 2)
    payload = {"a": first, "b": fits, "c": 1}
    assert Extras(()).of(payload, BIG) == {"a": first, "b": fits}
    over = {"a": first, "b": fits + "y", "c": 1}
    assert Extras(()).of(over, BIG) == {"a": first, "c": 1}


def test_a_small_payload_is_not_measured_value_by_value() -> None:
    text = "x" * MAX_BYTES
    assert Extras(()).of({"a": text}, MAX_BYTES) == {"a": text}
    assert Extras(()).of({"a": text}, BIG) == {}


@pytest.mark.parametrize(
    ("value", "depth", "shallow"),
    [
        (1, 0, True),
        ([], 0, False),
        ([], 1, True),
        ({}, 1, True),
        ([[1]], 1, False),
        ([[1]], 2, True),
        ({"a": {"b": 1}}, 2, True),
        ({"a": {"b": 1}}, 1, False),
        ({"a": [1, {"b": 1}]}, 3, True),
        ({"a": [1, {"b": 1}]}, 2, False),
        ([1, [[2]]], 2, False),
    ],
)
def test_levels_are_lists_and_objects(value: object, depth: int, shallow: bool) -> None:
    assert is_shallow(value, depth) is shallow
