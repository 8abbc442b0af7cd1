"""The figures of `make mutation` on record: every module is counted, and few mutants live."""

import json
from pathlib import Path

import pytest

from scripts import mutants
from scripts.pages import mutation
from scripts.pages.mutation import ROOMS, Module, Reason, Survivor, modules, of_room, percent, why

ENOUGH = 90.0
"""The share of mutants that must be killed in each room (reliability 3.7)."""

SURVIVOR = Survivor("decide/retry.py", "delay", "if a < b:", "if a <= b:")


@pytest.mark.parametrize("room", ROOMS)
def test_enough_mutants_of_a_room_are_killed(room: str) -> None:
    killed, tried = of_room(mutation.recorded(), room)
    assert tried > 1000
    assert percent(killed, tried) >= ENOUGH


def test_every_module_was_counted_and_every_survivor_is_listed() -> None:
    found = mutation.recorded()
    again = "make mutation MODULE=... MUTATION_ARGS=--record"
    assert [one.name for one in found] == modules(), again
    for one in found:
        assert len(one.survivors) == one.mutants - one.killed, one.name
        assert not one.undecided, one.name


def test_every_reason_is_about_a_survivor() -> None:
    alive = [one for module in mutation.recorded() for one in module.survivors]
    idle = [x for x in mutation.reasons() if not any(x.explains(one) for one in alive)]
    assert not idle, f"no such mutant survives: {idle}"


def test_a_reason_explains_its_own_function_and_change_only() -> None:
    reason = Reason("decide/retry.py", "delay", "equal there", change="a < b: -> if a <= b")
    assert why(SURVIVOR, [reason]) == "equal there"
    other = Survivor("decide/retry.py", "delay", "if a < c:", "if a <= c:")
    elsewhere = Survivor("decide/merge.py", "delay", "if a < b:", "if a <= b:")
    assert [why(one, [reason]) for one in (other, elsewhere)] == ["", ""]


def test_a_module_counted_again_replaces_its_own_figures_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutation, "PROOF", tmp_path / "mutation.json")
    mutation.keep([Module("decide/retry.py", 10, 10), Module("decide/merge.py", 10, 5)])
    mutation.keep([Module("decide/retry.py", 10, 9, survivors=(SURVIVOR,))])
    mutation.keep([Module("decide/no_longer.py", 10, 0)])
    assert mutation.recorded() == [
        Module("decide/merge.py", 10, 5),
        Module("decide/retry.py", 10, 9, survivors=(SURVIVOR,)),
    ]
    kept = json.loads((tmp_path / "mutation.json").read_text("utf-8"))
    assert (kept["mutants"], kept["killed"], kept["survivors"]) == (20, 14, 6)
    assert (kept["percent_of_decide"], kept["percent_of_contract"]) == (70.0, 100.0)


def test_the_figures_of_the_mutants_by_hand_are_kept_when_they_are_run_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutants, "PROOF", tmp_path / "mutants.json")
    one = mutants.Mutant("stale", tmp_path / "stale.patch", "a promise", {})
    mutants.keep([mutants.Verdict(one, ""), mutants.Verdict(one, ""), mutants.Verdict(one, "why")])
    kept = json.loads((tmp_path / "mutants.json").read_text("utf-8"))
    assert (kept["mutants"], kept["caught"], kept["survivors"]) == (3, 2, 1)


@pytest.mark.parametrize(
    ("argv", "variable", "kept"),
    [([], "", False), (["--record"], "", True), ([], "1", True), (["stale"], "1", False)],
)
def test_the_figures_of_a_part_are_never_kept(
    argv: list[str], variable: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEP_PROOF", variable)
    assert mutants.asked_for(argv).record is kept
    with pytest.raises(SystemExit):
        mutants.asked_for(["--record", "stale"])
