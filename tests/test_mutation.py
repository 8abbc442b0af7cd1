"""How the figures of mutants are kept, and how survivors get their reasons."""

import json
from pathlib import Path

import pytest

from scripts import mutants
from scripts.pages import mutation
from scripts.pages.mutation import Module, Reason, Survivor, command, why

SURVIVOR = Survivor("decide/retry.py", "delay", "if a < b:", "if a <= b:")


def test_a_reason_explains_its_own_function_and_change_only() -> None:
    reason = Reason("decide/retry.py", "delay", "equal there", change="a < b: -> if a <= b")
    assert why(SURVIVOR, [reason]) == "equal there"
    other = Survivor("decide/retry.py", "delay", "if a < c:", "if a <= c:")
    elsewhere = Survivor("decide/merge.py", "delay", "if a < b:", "if a <= b:")
    assert [why(one, [reason]) for one in (other, elsewhere)] == ["", ""]


def test_what_counts_them_again_says_how_many_were_drawn() -> None:
    whole, drawn = Module("a", 9, 9, 9), Module("b", 30, 29, 99)
    assert command([whole]) == "make mutation MUTATION_ARGS=--record"
    assert command([whole, drawn]) == 'make mutation MUTATION_ARGS="--sample 30 --record"'


def test_a_module_counted_again_replaces_its_own_figures_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutation, "PROOF", tmp_path / "mutation.json")
    mutation.keep([Module("decide/retry.py", 10, 10, 10), Module("decide/merge.py", 10, 5, 40)])
    mutation.keep([Module("decide/retry.py", 10, 9, 10, survivors=(SURVIVOR,))])
    mutation.keep([Module("decide/no_longer.py", 10, 0, 10)])
    assert mutation.recorded() == [
        Module("decide/merge.py", 10, 5, 40),
        Module("decide/retry.py", 10, 9, 10, survivors=(SURVIVOR,)),
    ]
    kept = json.loads((tmp_path / "mutation.json").read_text("utf-8"))
    assert (kept["mutants"], kept["drawn_of"]) == (20, 50)
    assert (kept["killed"], kept["survivors"]) == (14, 6)
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
