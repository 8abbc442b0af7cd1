"""The page of the generic mutants of the core: how many a test noticed, and which none did and why.

`make mutation` counts and writes `docs/reference/proof/mutation.json`; the reasons are written by
hand in `tests/mutation_survivors.toml`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from scripts.pages.markdown import MADE, table

ROOT = Path(__file__).resolve().parents[2]
PROOF = ROOT / "docs" / "reference" / "proof" / "mutation.json"
REASONS = ROOT / "tests" / "mutation_survivors.toml"
SOURCE = ROOT / "src" / "quotey"
ROOMS = ("contract", "decide")
COMMAND = "make mutation MUTATION_ARGS=--record"

INTRO = """\
`make mutation` changes every function of `contract/` and `decide/` in every small way: it turns
comparisons, moves boundaries, swaps *and* and *or*, drops arguments, loses assignments, garbles
keys and codes, and leaves out cases. A mutant is *killed* when a test of `tests/contract` or
`tests/decide` fails, or runs without an end. Left out are wording, that is texts with a blank in
them, what is decorated, and tables; what those promise, the mutants in `mutants/` break by hand.
"""
SAMPLED = """\
Where a module's figure is *n of N*, n of its N mutants were drawn by chance, seeded by the module's
name; all others are counted whole.
"""
SURVIVED = """\
Each is listed with the reason; *equivalent* means that no test can tell it from the code.
"""


class Survivor(msgspec.Struct, frozen=True):
    """One mutant that no test noticed: the lines that it replaced, and by what.

    `reached` is false when no test of the two rooms calls the function at all.
    """

    module: str
    function: str
    was: str
    became: str
    reached: bool = True


class Module(msgspec.Struct, frozen=True):
    """The mutants of one module, as `decide/retry.py`, that were tried, `of` how many there are.

    `undecided` are those that were to be tried and were not.
    """

    name: str
    mutants: int
    killed: int
    of: int
    undecided: int = 0
    survivors: tuple[Survivor, ...] = ()

    @property
    def percent(self) -> float:
        """Give the share that was killed; all of none is all."""
        return percent(self.killed, self.mutants)


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why mutants survive: all of a function, or those whose change holds the pattern `change`."""

    module: str
    function: str
    why: str
    change: str = ""

    def explains(self, one: Survivor) -> bool:
        """Whether it is about this mutant."""
        said = f"{one.was} -> {one.became}"
        here = (self.module, self.function) == (one.module, one.function)
        return here and re.search(self.change, said) is not None


def modules() -> list[str]:
    """Name every module of the two rooms."""
    return [
        path.relative_to(SOURCE).as_posix()
        for room in ROOMS
        for path in sorted((SOURCE / room).glob("**/*.py"))
        if path.name != "__init__.py"
    ]


def percent(killed: int, mutants: int) -> float:
    """Give a share with one digit, never rounded up.

    >>> percent(899, 1000), percent(8999, 10000), percent(0, 0)
    (89.9, 89.9, 100.0)
    """
    return killed * 1000 // mutants / 10 if mutants else 100.0


# --- the record -----------------------------------------------------------------------------------


def recorded() -> list[Module]:
    """Give what was last counted, module by module; nothing when nothing was."""
    if not PROOF.exists():
        return []
    return msgspec.convert(json.loads(PROOF.read_text("utf-8"))["modules"], list[Module])


def keep(found: Sequence[Module]) -> None:
    """Write what was counted over what was known of these modules; forget modules that are gone."""
    known = {one.name: one for one in [*recorded(), *found]}
    kept = [known[name] for name in modules() if name in known]
    mutants, killed = sum(one.mutants for one in kept), sum(one.killed for one in kept)
    whole = sum(one.of for one in kept)
    shares = {f"percent_of_{room}": percent(*of_room(kept, room)) for room in ROOMS}
    proof = {
        "name": "generic mutants",
        "command": command(kept),
        "mutants": mutants,
        **({} if whole == mutants else {"drawn_of": whole}),
        "killed": killed,
        **shares,
        "survivors": mutants - killed,
        "modules": msgspec.to_builtins(kept),
    }
    PROOF.write_text(json.dumps(proof, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def of_room(found: Sequence[Module], room: str) -> tuple[int, int]:
    """Give the killed and the mutants of a room."""
    mine = [one for one in found if _is_of(one, room)]
    return sum(one.killed for one in mine), sum(one.mutants for one in mine)


def command(found: Sequence[Module]) -> str:
    """Give what counts them so again.

    >>> command([Module("a", 30, 30, 99)]), command([Module("a", 9, 9, 9)])
    ('make mutation MUTATION_ARGS="--sample 30 --record"', 'make mutation MUTATION_ARGS=--record')
    """
    drawn = max((one.mutants for one in found if one.mutants < one.of), default=0)
    return f'make mutation MUTATION_ARGS="--sample {drawn} --record"' if drawn else COMMAND


def _is_of(one: Module, room: str) -> bool:
    return one.name.startswith(f"{room}/")


def reasons() -> list[Reason]:
    """Read why mutants survive."""
    if not REASONS.exists():
        return []
    found = tomllib.loads(REASONS.read_text(encoding="utf-8")).get("survivor", [])
    return msgspec.convert(found, list[Reason])


def why(one: Survivor, known: Sequence[Reason]) -> str:
    """Give the reason of a survivor; empty when nobody gave one."""
    return next((reason.why for reason in known if reason.explains(one)), "")


# --- the page -------------------------------------------------------------------------------------


def mutation_page() -> str:
    """Write the page."""
    found, known = recorded(), reasons()
    if not found:
        return f"# Generic mutants\n\n{MADE}\n{INTRO}\nNothing is counted yet: `{COMMAND}`.\n"
    alive = [one for module in found for one in module.survivors]
    return "\n".join(
        [
            "# Generic mutants\n",
            MADE,
            INTRO,
            *([SAMPLED] if any(one.mutants < one.of for one in found) else []),
            table(("module", "mutants", "killed", "share"), _counts(found)),
            "## Survivors\n",
            SURVIVED,
            table(
                ("where", "was", "became", "why"),
                [
                    (f"{one.module} `{one.function}`", _code(one.was), _code(one.became), said)
                    for one in alive
                    for said in [why(one, known)]
                ],
            ),
            f"Again with `{command(found)}`; one with `make mutation MODULE=decide/retry.py`.\n",
        ]
    )


def _counts(found: Sequence[Module]) -> list[tuple[str, ...]]:
    of_rooms = {room: [one for one in found if _is_of(one, room)] for room in ROOMS}
    rows = [_row(f"**{room}/**", mine) for room, mine in of_rooms.items() if mine]
    return [*rows, *(_row(one.name, [one]) for one in found if one.mutants)]


def _row(name: str, found: Sequence[Module]) -> tuple[str, ...]:
    mutants, killed, whole = (
        sum(getattr(one, figure) for one in found) for figure in ("mutants", "killed", "of")
    )
    tried = f"{mutants:,}" if mutants == whole else f"{mutants:,} of {whole:,}"
    return name, tried, f"{killed:,}", f"{percent(killed, mutants)} %"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
