"""The disk fails at any read, write or sync: the user is told, nothing is half done, it goes on.

Source: reliability 2.D, D4 to D7.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from quotey.contract.errors import StoreBusyError, StoreError
from quotey.desk.quote_checks import QuoteTerms
from quotey.store import open_store
from tests.disk import day
from tests.disk.day import Office
from tests.disk.vfs import watched
from tests.proof import keep, size

EVERY = size("IO_EVERY", every_run=12, soak=1)
"""Fail at every operation of this many; 1 is all of them."""


@dataclass(frozen=True)
class Kind:
    """One way to fail; `lasts`: it fails ever after, as a disk that stays full does."""

    name: str
    at: tuple[str, ...]
    code: int
    lasts: bool = False
    short: int = 0


KINDS = (
    Kind("eio on write", ("write", "truncate"), apsw.SQLITE_IOERR_WRITE),
    Kind("eio on read", ("read",), apsw.SQLITE_IOERR_READ),
    Kind("short write", ("write",), apsw.SQLITE_IOERR_WRITE, short=700),
    Kind("disk full", ("write",), apsw.SQLITE_FULL, lasts=True),
    Kind("sync fails", ("sync",), apsw.SQLITE_IOERR_FSYNC),
    Kind("no sync any more", ("sync",), apsw.SQLITE_IOERR_FSYNC, lasts=True),
    Kind("disk is gone", ("write", "sync", "read", "truncate"), apsw.SQLITE_IOERR, lasts=True),
)


@dataclass
class Failing:
    """Lets the k-th operation of a kind fail; `at` None only counts."""

    kind: Kind
    at: int | None = None
    met_: int = 0
    failed: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def met(self, kind: str, path: Path, offset: int, content: bytes) -> int | None:
        """Fail, or let it go on."""
        if kind not in self.kind.at or not path.name.startswith("quotey.db"):
            return None
        self.met_ += 1
        if self.at is None or self.met_ < self.at or (self.met_ > self.at and not self.kind.lasts):
            return None
        self.failed += 1
        self.seen[f"{kind} {path.suffix}"] += 1
        return min(self.kind.short, len(content))

    def failure(self) -> apsw.Error:
        """Give what SQLite is told."""
        if self.kind.code == apsw.SQLITE_FULL:
            return apsw.FullError("it is full")
        error = apsw.IOError("it failed")
        vars(error)["extendedresult"] = self.kind.code
        return error


Act = Callable[[Office, list[day.Told]], None]


def _nothing(office: Office) -> None:
    pass


def _mirrored(office: Office) -> None:
    office.sync()


def _quoted(office: Office) -> None:
    office.sync()
    office.quote("D-2", "333", lambda _told: None)


def _publish(office: Office, told: list[day.Told]) -> None:
    """Two quotes of one deal, and the second is published."""
    with office.open() as quotey:
        for total in ("111", "222"):
            made = quotey.quote_create("D-1", QuoteTerms(total=total)).quote
            told.append((made.id, 1, total))
        quotey.quote_publish(told[1][0])


def _sync(office: Office, _told: list[day.Told]) -> None:
    with office.open() as quotey:
        quotey.sync()


SCENARIOS: dict[str, tuple[Callable[[Office], None], Act]] = {
    "quote publish": (_mirrored, _publish),
    "page apply": (_nothing, _sync),
    "settle": (_quoted, _sync),
}


@dataclass
class Tried:
    """What came of all failures of one scenario."""

    runs: int = 0
    told: int = 0
    unnoticed: int = 0
    lost: int = 0
    corrupt: int = 0
    untrue: int = 0
    where: list[str] = field(default_factory=list)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whatever_fails_is_told_and_nothing_is_half_done(
    ram: Path, scenario: str, kind: Kind
) -> None:
    prepare, act = SCENARIOS[scenario]
    office = day.opened(ram)
    prepare(office)
    template = shutil.copytree(office.home, ram / "template")
    now = office.clock.now()
    counter = Failing(kind)
    with watched(counter):
        act(office, [])
    assert counter.met_ > 0
    tried = Tried()
    for at in range(1, counter.met_ + 1, EVERY):
        _again(office, template, now)
        _fail_once(office, act, Failing(kind, at), tried)
    assert tried.told > 0, "nobody was ever told"
    assert (tried.lost, tried.corrupt, tried.untrue) == (0, 0, 0), tried.where
    keep(
        f"io-errors-{scenario}-{kind.name}".replace(" ", "-"),
        "IO_EVERY=1 KEEP_PROOF=1 pytest tests/disk/test_io_errors.py",
        runs=tried.runs,
        told=tried.told,
        not_needed=tried.unnoticed,
        every=EVERY,
        lost=tried.lost,
        corrupt=tried.corrupt,
        told_what_was_not_so=tried.untrue,
    )


def _again(office: Office, template: Path, now: object) -> None:
    shutil.rmtree(office.home)
    shutil.copytree(template, office.home)
    office.clock._now = now  # type: ignore[assignment] # back to when it was copied


def _fail_once(office: Office, act: Act, failing: Failing, tried: Tried) -> None:
    before = _quotes(office)
    tried.runs += 1
    acknowledged: list[day.Told] = []
    told = ""
    with watched(failing):
        try:
            act(office, acknowledged)
        except (StoreError, StoreBusyError) as error:
            told = error.message
    where = f"{failing.kind.name} at {failing.at} ({dict(failing.seen)}): {told!r}"
    assert failing.failed, where
    tried.told += bool(told)
    tried.unnoticed += not told
    with open_store(office.home / "quotey.db", role="desk") as store:
        tried.corrupt += bool(store.admin.check())
    after = _quotes(office)
    promised = before | set(acknowledged)
    tried.lost += len(promised - after)
    tried.untrue += "Nothing was changed" in told and after != promised
    if tried.lost or tried.corrupt or tried.untrue:
        tried.where.append(where)
    day.settle(office)
    assert after <= _quotes(office), where


def _quotes(office: Office) -> set[day.Told]:
    kept = day.look(office.home / "quotey.db")
    assert kept is not None
    return kept
