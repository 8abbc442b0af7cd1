"""Runs the whole suite on some candidates and fills a certificate.

The tests are called one by one, each with a world and a folder of its own; a failing one stops
nothing. pytest is needed for skipping and hypothesis for the random tests, so both are asked for
before anything is done.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from quotey.contract.errors import UsageError
from quotey.testing.certificate.certificate import (
    Candidate,
    Certificate,
    Promise,
    Result,
    State,
)
from quotey.testing.certificate.matrix import Ended, cells_of
from quotey.testing.certificate.recording import Notebook
from quotey.testing.world import NotOfferedError, World

NEEDED = ("pytest", "hypothesis")
REASON_LENGTH = 300
_CAPITALS = {"crm": "CRM", "dto": "DTO", "json": "JSON"}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One adapter to be tried: its name, how its world is made, and what that world is."""

    name: str
    make_world: Callable[[Path], World]
    world: str


Progress = Callable[[str, int, int], None]
"""Told of each test: candidate, how many are done, of how many."""


def require_tools() -> None:
    """Raise UsageError when what the suite needs is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"The conformance suite needs {' and '.join(missing)}, which is not installed. "
            "Nothing was checked.",
            next=("pip install 'quotey[testing]'",),
        )


def certify(
    candidates: Sequence[Tried],
    *,
    version: str,
    names: Iterable[str] = (),
    progress: Progress = lambda _name, _done, _all: None,
) -> Certificate:
    """Run the suite on each candidate; `names` are the tests to run, all of them without.

    Raises UsageError when pytest or hypothesis is missing. What a test raises becomes a result.
    """
    require_tools()
    with _nothing_left_behind():
        return _certify(candidates, version, frozenset(names), progress)


def _certify(
    candidates: Sequence[Tried], version: str, names: frozenset[str], progress: Progress
) -> Certificate:
    tests = [one for one in every_test() if not names or one[1] in names]
    ended: dict[str, list[Ended]] = {}
    described: list[Candidate] = []
    for candidate in candidates:
        results = ended.setdefault(candidate.name, [])
        for number, (_part, name) in enumerate(tests):
            progress(candidate.name, number, len(tests))
            results.append(_run(candidate, name))
        described.append(_described(candidate, results))
    return Certificate(
        quotey=version,
        candidates=tuple(described),
        promises=tuple(_promise(part, name, ended) for part, name in tests),
        cells=cells_of(ended),
    )


@contextlib.contextmanager
def _nothing_left_behind() -> Iterator[None]:
    """Let hypothesis keep what it remembers in a folder that goes, not in the working directory."""
    from hypothesis.configuration import set_hypothesis_home_dir

    with tempfile.TemporaryDirectory(prefix="quotey-certify-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


def every_test() -> list[tuple[str, str]]:
    """Give every test of the suite as (part, name), in the order in which they are written."""
    from quotey.testing.conformance import AdapterConformance

    found: list[tuple[str, str]] = []
    for part in AdapterConformance.__mro__[1:]:
        title = (sys.modules[part.__module__].__doc__ or "").partition(":")[0]
        found += [(title, name) for name in vars(part) if name.startswith("test_")]
    return found


def _run(candidate: Tried, name: str) -> Ended:
    from quotey.testing.conformance import AdapterConformance

    notebook = Notebook()

    class Suite(AdapterConformance):
        def make_world(self, folder: Path) -> World:
            return notebook.watch(candidate.make_world(folder))

    suite = Suite()
    with tempfile.TemporaryDirectory(prefix="quotey-certify-") as folder:
        result = _result(lambda: getattr(suite, name)(Path(folder)))
    return Ended(name, result, tuple(notebook.seen), tuple(suite.evidence))


def _result(test: Callable[[], object]) -> Result:
    import pytest

    try:
        test()
    except pytest.skip.Exception as skipped:
        return Result(state=State.NOT_OFFERED, reason=str(skipped))
    except Exception as error:  # noqa: BLE001 - whatever a test raises is its finding
        return Result(state=State.FAILED, reason=_reason(error))
    return Result(state=State.PASSED)


def _reason(error: Exception) -> str:
    """Say where in the suite it went wrong, in the suite's own words."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "conformance" in Path(frame.filename).parts]
    said = " ".join(str(error).split()) or type(error).__name__
    if not ours:
        return f"{type(error).__name__}: {said}"[:REASON_LENGTH]
    last = ours[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    place = f"{Path(last.filename).name}:{last.lineno}"
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    told = f"{line} ({place})" if said == "AssertionError" else f"{kind}{said}: {line} ({place})"
    return told[:REASON_LENGTH]


def _described(candidate: Tried, results: Sequence[Ended]) -> Candidate:
    with tempfile.TemporaryDirectory(prefix="quotey-certify-") as folder:
        world = _made(candidate, Path(folder))
        try:
            declared = world.adapter.capabilities
            faults = tuple(sorted(world.faults))
        finally:
            world.close()
    states = [one.result.state for one in results]
    return Candidate(
        name=candidate.name,
        world=candidate.world,
        tier=int(declared.tier),
        updates_accounts=declared.updates_accounts,
        reports_deletes=declared.reports_deletes,
        page_size=declared.page_size,
        faults=faults,
        passed=states.count(State.PASSED),
        failed=states.count(State.FAILED),
        not_offered=states.count(State.NOT_OFFERED),
    )


def _made(candidate: Tried, folder: Path) -> World:
    try:
        return candidate.make_world(folder)
    except NotOfferedError as reason:
        raise UsageError(f"{candidate.name} cannot be tried: {reason}.") from reason


def _promise(part: str, name: str, ended: dict[str, list[Ended]]) -> Promise:
    results = {
        candidate: next(one.result for one in found if one.name == name)
        for candidate, found in ended.items()
    }
    words = name.removeprefix("test_").split("_")
    sentence = " ".join(_CAPITALS.get(word, word) for word in words)
    sentence = sentence[:1].upper() + sentence[1:].replace(" e mail", " e-mail")
    return Promise(part=part, name=name, sentence=sentence, results=results)
