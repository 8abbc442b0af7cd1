"""The five strategies of `merge_with_audit`, by example."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.fields import FieldType, Strategy
from quotey.decide.strategy import Dated, Picked, Winner, pick
from tests.decide.build import NOW, later

CRM_FIRST = ("crm", "local")
LOCAL_FIRST = ("local", "crm")


def picked(
    strategy: Strategy,
    local: str | None,
    remote: str | None,
    type_: FieldType = FieldType.TEXT,
    priority: tuple[str, ...] = CRM_FIRST,
) -> Picked | None:
    return pick(
        strategy,
        type_,
        local=(local, None),
        remote=(remote, None),
        tolerance_seconds=1,
        source_priority=priority,
    )


@pytest.mark.parametrize(
    ("strategy", "type_", "local", "remote", "winner"),
    [
        (Strategy.MAX, FieldType.MONEY, "9", "10", Winner.REMOTE),
        (Strategy.MAX, FieldType.MONEY, "10", "9", Winner.LOCAL),
        (Strategy.MIN, FieldType.MONEY, "9", "10", Winner.LOCAL),
        (Strategy.MIN, FieldType.INTEGER, "10", "9", Winner.REMOTE),
        (Strategy.MAX, FieldType.MONEY, "-1", "-2.5", Winner.LOCAL),
        (Strategy.MAX, FieldType.DATE, "2026-01-02", "2026-01-10", Winner.REMOTE),
        (Strategy.MIN, FieldType.DATE, "2026-01-02", "2026-01-10", Winner.LOCAL),
        # Words are compared as words, so that "9" comes after "10".
        (Strategy.MAX, FieldType.TEXT, "9", "10", Winner.LOCAL),
        (Strategy.MAX, FieldType.MONEY, None, "-5", Winner.REMOTE),
        (Strategy.MIN, FieldType.MONEY, "5", None, Winner.LOCAL),
        (Strategy.PREFER_NONBLANK, FieldType.TEXT, " ", "x", Winner.REMOTE),
        (Strategy.PREFER_NONBLANK, FieldType.TEXT, "x", None, Winner.LOCAL),
        (Strategy.UNION, FieldType.TEXT, "a", "b;a", Winner.REMOTE),
        (Strategy.UNION, FieldType.TEXT, "a;b", "b", Winner.LOCAL),
        (Strategy.UNION, FieldType.TEXT, "a", "b", Winner.BOTH),
        (Strategy.UNION, FieldType.TEXT, None, "b", Winner.REMOTE),
        (Strategy.UNION, FieldType.TEXT, "b", None, Winner.LOCAL),
    ],
)
def test_a_strategy_picks(
    strategy: Strategy, type_: FieldType, local: str | None, remote: str | None, winner: Winner
) -> None:
    value = {Winner.LOCAL: local, Winner.REMOTE: remote, Winner.BOTH: "a;b"}[winner]
    for priority in (CRM_FIRST, LOCAL_FIRST):
        assert picked(strategy, local, remote, type_, priority) == Picked(winner, value)


@pytest.mark.parametrize(
    ("strategy", "type_", "local", "remote"),
    [
        (Strategy.PREFER_NONBLANK, FieldType.TEXT, "x", "y"),
        (Strategy.PREFER_NONBLANK, FieldType.TEXT, "", None),
        (Strategy.MAX, FieldType.MONEY, "1.0", "1"),
        (Strategy.MIN, FieldType.MONEY, None, ""),
    ],
)
def test_a_tie_goes_by_source_priority(
    strategy: Strategy, type_: FieldType, local: str | None, remote: str | None
) -> None:
    crm = picked(strategy, local, remote, type_, CRM_FIRST)
    ours = picked(strategy, local, remote, type_, LOCAL_FIRST)
    assert crm == Picked(Winner.REMOTE, remote)
    assert ours == Picked(Winner.LOCAL, local)


@pytest.mark.parametrize("strategy", [Strategy.PREFER_NONBLANK, Strategy.MAX])
def test_a_tie_without_a_priority_is_undecided(strategy: Strategy) -> None:
    assert picked(strategy, "x", "x", priority=()) is None


@pytest.mark.parametrize(
    ("ahead", "tolerance", "winner"),
    [
        (0.5, 0, Winner.REMOTE),
        (-0.5, 0, Winner.LOCAL),
        (0.0, 0, None),
        (1.0, 1, None),
        (-1.0, 1, None),
        (1.5, 1, Winner.REMOTE),
        (-1.5, 1, Winner.LOCAL),
    ],
)
def test_the_newer_one_wins_outside_the_tolerance(
    ahead: float, tolerance: int, winner: Winner | None
) -> None:
    found = pick(
        Strategy.NEWEST,
        FieldType.TEXT,
        local=("ours", NOW),
        remote=("theirs", later(ahead)),
        tolerance_seconds=tolerance,
        source_priority=CRM_FIRST,
    )
    value = {Winner.REMOTE: "theirs", Winner.LOCAL: "ours"}
    assert found == (Picked(winner, value[winner]) if winner else None)


def test_a_number_that_is_none_is_undecided() -> None:
    assert picked(Strategy.MAX, "1", "many", FieldType.MONEY) is None


def test_a_union_keeps_each_part_once_sorted_without_blanks() -> None:
    assert picked(Strategy.UNION, "b; a;", ";c;b") == Picked(Winner.BOTH, "a;b;c")


def test_a_union_of_nothing_stands_as_the_crm_wrote_it() -> None:
    assert picked(Strategy.UNION, " ", None) == Picked(Winner.REMOTE, None)


# --- laws: whichever side a value stands on, it fares the same ------------------------------------

AT = datetime(2026, 3, 1, tzinfo=UTC)
values = {
    FieldType.MONEY: st.decimals(-10, 10, places=1).map(str),
    FieldType.DATE: st.dates().map(str),
    FieldType.TEXT: st.lists(st.sampled_from("abc"), max_size=3).map(";".join),
}
moments = st.none() | st.integers(0, 5).map(lambda seconds: AT + timedelta(seconds=seconds))


@st.composite
def two_values(draw: st.DrawFn) -> tuple[FieldType, Dated, Dated]:
    type_ = draw(st.sampled_from(list(values)))
    value = st.none() | st.just("") | values[type_]
    return type_, (draw(value), draw(moments)), (draw(value), draw(moments))


def merged(
    strategy: Strategy, type_: FieldType, local: Dated, remote: Dated, first: tuple[str, ...]
) -> Picked | None:
    return pick(
        strategy, type_, local=local, remote=remote, tolerance_seconds=1, source_priority=first
    )


@given(st.sampled_from(Strategy), two_values(), st.sampled_from([CRM_FIRST, LOCAL_FIRST, ()]))
def test_a_merge_is_commutative(
    strategy: Strategy, given_values: tuple[FieldType, Dated, Dated], first: tuple[str, ...]
) -> None:
    type_, one, two = given_values
    there = merged(strategy, type_, one, two, first)
    turned = merged(strategy, type_, two, one, first[::-1])
    assert (there is None) == (turned is None)
    if there is not None and turned is not None:
        if strategy is Strategy.UNION:
            assert _parts(there.value) == _parts(turned.value)
        else:
            assert there.value == turned.value


@given(st.sampled_from(Strategy), two_values())
def test_a_merge_is_reflexive_and_merging_its_result_changes_nothing(
    strategy: Strategy, given_values: tuple[FieldType, Dated, Dated]
) -> None:
    type_, one, two = given_values
    same = merged(strategy, type_, one, one, CRM_FIRST)
    assert same is None or same.value == one[0]
    picked_ = merged(strategy, type_, one, two, CRM_FIRST)
    if picked_ is not None and strategy is not Strategy.NEWEST:
        after = merged(strategy, type_, (picked_.value, None), two, CRM_FIRST)
        assert after is not None
        assert after.value == picked_.value or _parts(after.value) == _parts(picked_.value)


def _parts(text: str | None) -> set[str]:
    return {one.strip() for one in (text or "").split(";")} - {""}
