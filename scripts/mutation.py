"""Break every function of the core in every small way, and see that a test notices each.

    python scripts/mutation.py                       all mutants; goes on where it was stopped
    python scripts/mutation.py decide/retry.py       those of one module, or of several, all anew
    python scripts/mutation.py --record              the same, and the figures into the proof
    python scripts/mutation.py --show decide         tell what survived, without a run
    python scripts/mutation.py contract --sample 40  at most 40 of each module, drawn by its name

mutmut makes the mutants (comparisons, boundaries, and/or, not, numbers, arithmetic, arguments,
assignments, keys and codes, cases of a match), notes which tests call which function, and forks a
process for each mutant, in which only those tests run and for a bounded time. What it is to look
at, and by which tests, stands in `[tool.mutmut]` of pyproject.toml.

Not mutated: wording, that is a text with a blank in it; what is decorated, as a property; tables
and classes, as far as they are no methods. The mutants in `mutants/*.patch` break those by hand.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import libcst
from mutmut.__main__ import CatchOutput, cli, copy_src_dir, create_mutants
from mutmut.mutation import mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.pages.mutation import ROOMS, Module, Survivor, keep, modules  # noqa: E402 - see above

TREE = ROOT / ".mutation"
"""Where mutmut works: it keeps what it makes in `mutants`, a name that is taken in the root."""

SEEN = ("src", "tests", "examples", "docs", "pyproject.toml")
"""What it finds there."""

KILLED = {"killed", "timeout"}
"""What counts as noticed; all else, as a crash of the process or no test at all, does not."""


def main(words: list[str]) -> int:
    """Run, tell what survived, and keep the figures where that is asked for."""
    asked = _asked(words)
    begins = tuple(asked.modules) or ("",)
    chosen = [module for module in modules() if module.startswith(begins)]
    if not chosen:
        print(f"No module {' '.join(begins)}. There are: {', '.join(modules())}")
        return 2
    _prepare()
    drawn = {module: _drawn(module, asked.sample) for module in chosen} if asked.sample else {}
    if not asked.show:
        _run(chosen, drawn, everything=not (asked.modules or drawn))
    found = [_judged(module, drawn.get(module)) for module in chosen]
    _tell(found)
    if undecided := [one.name for one in found if one.undecided]:
        print(f"Not finished: {', '.join(undecided)}. Next: the same command again")
        return 1
    if asked.record:
        keep(found)
    return 0


def _asked(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="modules or rooms: decide/retry.py contract")
    parser.add_argument("--sample", type=int, default=0, help="so many of each module at most")
    parser.add_argument("--record", action="store_true", help="write the figures into the proof")
    parser.add_argument("--show", action="store_true", help="tell what survived; run nothing")
    return parser.parse_args(words)


# --- the run --------------------------------------------------------------------------------------


def _prepare() -> None:
    """Make the place to work at, with the tests as they are now."""
    TREE.mkdir(exist_ok=True)
    for name in SEEN:
        link = TREE / name
        if not link.is_symlink():
            link.symlink_to(Path("..") / name)
    os.chdir(TREE)
    mutators.mutation_operators[:] = [
        (kind, _keys_and_codes if operator is mutators.operator_string else operator)
        for kind, operator in mutators.mutation_operators
    ]
    with CatchOutput(spinner_title="Making mutants"):
        copy_src_dir()
        create_mutants(1)


def _drawn(module: str, size: int) -> frozenset[str]:
    """Draw so many mutants of a module; the same ones as long as it has the same mutants."""
    names = sorted(_kept(module).exit_code_by_key)
    chance = random.Random(module)  # noqa: S311 - a sample, no secret
    return frozenset(chance.sample(names, min(size, len(names))))


def _run(chosen: list[str], drawn: dict[str, frozenset[str]], *, everything: bool) -> None:
    """Try what was chosen, anew; everything: what has no verdict yet."""
    names = [
        name
        for module in ([] if everything else chosen)
        for name in sorted(drawn.get(module, _kept(module).exit_code_by_key))
    ]
    if not (names or everything):
        return
    os.nice(10)
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    shutil.rmtree(TREE / "mutants" / "tests", ignore_errors=True)
    cli(["run", "--max-children", "1", *names], standalone_mode=False)
    print()


def _keys_and_codes(node: libcst.BaseString) -> Iterator[libcst.BaseString]:
    """Mutate a text as mutmut does, but not where it is wording for people."""
    if isinstance(node, libcst.SimpleString) and " " not in node.raw_value:
        yield from mutators.operator_string(node)


# --- what came of it ------------------------------------------------------------------------------


def _path(module: str) -> Path:
    return Path("src/quotey") / module


def _kept(module: str) -> SourceFileMutationData:
    kept = SourceFileMutationData(path=_path(module))
    kept.load()
    return kept


def _judged(module: str, drawn: frozenset[str] | None) -> Module:
    codes = _kept(module).exit_code_by_key
    verdicts = {
        name: status_by_exit_code[code]
        for name, code in codes.items()
        if drawn is None or name in drawn
    }
    alive = [name for name, verdict in verdicts.items() if verdict not in {*KILLED, "not checked"}]
    return Module(
        name=module,
        mutants=len(verdicts),
        of=len(codes),
        killed=sum(verdict in KILLED for verdict in verdicts.values()),
        undecided=sum(verdict == "not checked" for verdict in verdicts.values()),
        survivors=tuple(_survivor(module, name, verdicts[name]) for name in alive),
    )


def _survivor(module: str, name: str, verdict: str) -> Survivor:
    function, kind = orig_function_and_class_names_from_key(name)
    lines = get_diff_for_mutant(name, path=_path(module)).splitlines()[2:]
    was, became = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return Survivor(
        module=module,
        function=f"{kind}.{function}" if kind else function,
        was=was,
        became=became,
        reached=verdict != "no tests",
    )


def _tell(found: list[Module]) -> None:
    for module in found:
        for one in module.survivors:
            told = "survived" if one.reached else "no test "
            print(f"{told}  {one.module} {one.function}\n  - {one.was}\n  + {one.became}")
    for module in found:
        print(f"{module.killed:5} of {module.mutants:5} {module.percent:5.1f} %  {module.name}")
    for room in ROOMS:
        mine = [one for one in found if one.name.startswith(room)]
        killed, mutants = sum(one.killed for one in mine), sum(one.mutants for one in mine)
        if mutants:
            print(f"{killed:5} of {mutants:5} {100 * killed / mutants:5.1f} %  {room}/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
