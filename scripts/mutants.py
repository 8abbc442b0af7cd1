"""Break the code on purpose, one small patch at a time, and see that the tests notice.

    python scripts/mutants.py              run them all
    python scripts/mutants.py stale        run those whose name holds the word
    python scripts/mutants.py --record     run them all, and keep the figures for the page of proofs

A mutant is `mutants/<name>.patch`: a unified diff with a header of `#` lines. `# breaks:` says in
a sentence what promise it breaks; `# tests:` names tests of which one must turn red. So must one
of the tests of every seed clause that names the mutant. All of them must be green without it. A
survivor, or one that no longer applies, fails. `# oracle:` names the law of the simulation that
must have been seen broken; the page of guarantees says of each by which mutants it is proved.
`KEEP_PROOF=1` keeps the figures as `--record` does; those of a part are never kept.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLAUSES = ROOT / "tests" / "seed" / "clauses.toml"
PROOF = ROOT / "docs" / "reference" / "proof" / "mutants.json"
COPIED = ("src", "tests", "examples", "scripts", "docs", "pyproject.toml", "README.md")
PASSED, FAILED, INTERRUPTED = 0, 1, 2
"""What pytest ends with; INTERRUPTED when a test file could not be imported."""

ALL_OF_THEM = 3600
"""Seconds that the tests of all mutants may take together, machines of real crashes among them."""

RED = re.compile(r"(?:FAILED|ERROR) (.*)")


@dataclass(frozen=True)
class Mutant:
    """One patch, the promise that it breaks, and who must notice.

    `witnesses` are clause ids, or "header", each with the tests of which one must turn red.
    `oracle` is what must stand in that red line, "" where nothing must.
    """

    name: str
    patch: Path
    breaks: str
    witnesses: dict[str, tuple[str, ...]]
    oracle: str = ""

    @property
    def tests(self) -> tuple[str, ...]:
        """Give all tests that are run."""
        return tuple(dict.fromkeys(test for tests in self.witnesses.values() for test in tests))


@dataclass(frozen=True)
class Verdict:
    """What came of one mutant; `why` is empty when it was caught."""

    mutant: Mutant
    why: str


def main(argv: list[str]) -> int:
    """Run the mutants whose name holds one of the words; all without words."""
    asked = asked_for(argv)
    words: list[str] = asked.words
    mutants = [m for m in read_mutants() if not words or any(word in m.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        whole = Path(folder)
        _copy(ROOT, whole)
        if why := _why_not_green(whole, mutants):
            print(f"Not green without any mutant: {why}")
            return 1
        with ThreadPoolExecutor(max_workers=2) as pool:
            verdicts = list(pool.map(partial(_run_and_say, whole), mutants))
    survivors = [verdict for verdict in verdicts if verdict.why]
    print(f"\n{len(verdicts)} mutants, {len(verdicts) - len(survivors)} caught")
    for verdict in survivors:
        print(f"  {verdict.mutant.name}: {verdict.why}")
    if asked.record:
        keep(verdicts)
    return 1 if survivors or not verdicts else 0


def asked_for(argv: list[str]) -> argparse.Namespace:
    """Read what is asked: `words` of names, and `record`, which only goes without words."""
    parser = argparse.ArgumentParser(description="Run the mutants of mutants/*.patch.")
    parser.add_argument("words", nargs="*", help="only those whose name holds one of the words")
    parser.add_argument("--record", action="store_true", help="keep the figures of a whole run")
    asked = parser.parse_args(argv)
    if asked.record and asked.words:
        parser.error("--record keeps the figures of a whole run: name no mutant")
    asked.record = asked.record or bool(os.environ.get("KEEP_PROOF") and not asked.words)
    return asked


def keep(verdicts: list[Verdict]) -> None:
    """Write what a whole run has counted, for the page of proofs."""
    caught = sum(not verdict.why for verdict in verdicts)
    figures: dict[str, int | str] = {
        "name": "mutants by hand",
        "command": "make mutants MUTANTS_ARGS=--record",
        "mutants": len(verdicts),
        "caught": caught,
        "survivors": len(verdicts) - caught,
    }
    PROOF.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def read_mutants() -> list[Mutant]:
    """Read every patch with its header, and add the clauses that name it."""
    clauses = tomllib.loads(CLAUSES.read_text())["clause"] if CLAUSES.exists() else []
    return [_read(path, clauses) for path in sorted((ROOT / "mutants").glob("*.patch"))]


def _read(path: Path, clauses: list[dict[str, object]]) -> Mutant:
    header = [line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#")]
    told = [line.removeprefix("tests:").split() for line in header if line.startswith("tests:")]
    witnesses = {"header": tuple(test for line in told for test in line)} if told else {}
    for clause in clauses:
        named = clause["tests"]
        if clause.get("mutant") == path.stem and isinstance(named, list):
            witnesses[str(clause["id"])] = tuple(str(test) for test in named)
    return Mutant(path.stem, path, _told(header, "breaks"), witnesses, _told(header, "oracle"))


def _told(header: list[str], word: str) -> str:
    """Give what the lines of a header say under a word."""
    told = (line.partition(":") for line in header)
    return " ".join(rest.strip() for name, _, rest in told if name == word)


def _run_and_say(whole: Path, mutant: Mutant) -> Verdict:
    verdict = Verdict(mutant, _why_not_caught(whole, mutant))
    said = "SURVIVED" if verdict.why else "caught  "
    print(f"{said}  {mutant.name:40} {mutant.breaks}", flush=True)
    return verdict


def _why_not_green(whole: Path, mutants: list[Mutant]) -> str:
    tests = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
    code, output = _pytest(whole, tests, patience=ALL_OF_THEM)
    return "" if code == PASSED else "\n".join([_last(output), *_reds(output)])


def _why_not_caught(whole: Path, mutant: Mutant) -> str:
    """Apply the patch to a copy of the tree and run its tests there; red is what we want."""
    if not mutant.tests:
        return "it names no test"
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder)
        _copy(whole, tree)
        applied = subprocess.run(
            ["git", "apply", "-p1", str(mutant.patch)],
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )
        if applied.returncode:
            return f"the patch no longer applies: {applied.stderr.strip()}"
        code, output = _pytest(tree, mutant.tests)
    if code not in {FAILED, INTERRUPTED}:
        return f"pytest ended with {code}: {_last(output)}"
    reds = _reds(output)
    blind = [
        who
        for who, tests in mutant.witnesses.items()
        if not any(_speaks_of(red, test) for red in reds for test in tests)
    ]
    if blind:
        return f"not noticed by {', '.join(blind)}"
    return (
        "" if any(mutant.oracle in red for red in reds) else f"not seen by {mutant.oracle}: {reds}"
    )


def _copy(source: Path, tree: Path) -> None:
    for name in COPIED:
        path = source / name
        if path.is_dir():
            shutil.copytree(path, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, tree / name)


def _pytest(tree: Path, tests: Iterable[str], *, patience: int = 600) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-rfE"]
    ran = subprocess.run(
        [*command, *tests],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience,
        env={
            "PYTHONPATH": str(tree / "src"),
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "300",
        },
    )
    return ran.returncode, ran.stdout.strip() or ran.stderr.strip()


def _last(output: str) -> str:
    return output.splitlines()[-1] if output else "nothing was said"


def _reds(output: str) -> list[str]:
    """Give what pytest's summary names as failed or broken."""
    return [found[1] for line in output.splitlines() if (found := RED.match(line))]


def _speaks_of(red: str, test: str) -> bool:
    """Whether a line of the summary names this test, a case of it, or one in its file or class."""
    rest = red.removeprefix(test)
    return red.startswith(test) and (not rest or rest[0] in "[: /")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
