"""The page of what is promised, with the tests that try to break it and what proves that they can.

Written from `tests/guarantees.toml`. A guarantee without a test, or one that names a test or a
mutant that does not exist, is a problem; then there is no page.
"""

from __future__ import annotations

import tomllib
from html import escape

import msgspec

from scripts.pages.markdown import MADE, table
from scripts.pages.oracles import oracles_part
from scripts.pages.seed import ROOT, link, link_of_mutant, not_there

GUARANTEES = ROOT / "tests" / "guarantees.toml"

INTRO = """\
What may be relied upon, each promise with the tests that try to break it and the mutants (small
patches that break it on purpose) that turn such a test red. What the machines that try have counted
is in [proof](../reference/proof.md); how it is done, in [how the sync works](how-sync-works.md).

Two promises depend on what a CRM can do. Adapters declare a tier, and the conformance suite
confirms it: **tier 1** can write on a condition (the stub, Salesforce with its rules), **tier 2**
can upsert on a unique key (HubSpot), **tier 3** can only create and search.
"""
NOT_PROMISED = """\
## What is not promised

| | |
|---|---|
| N1 | Exactly-once into a CRM that has neither key nor condition (tier 3) |
| N2 | That another writer is never overwritten in the moment between look and write: a quote \
on tiers 2 and 3, which is found and raised; a field of a deal or an account on any tier, which is \
not seen |
| N3 | Surviving a disk that lies, a network file system, or a second SQLite library on the same \
file in one process |
| N4 | Truth against somebody who has both the database and the audit key |
| N5 | Being fresher than the CRM's own lag |
| N6 | G2, for whoever weakens SQLite's `synchronous` |
| N7 | To see that the newest events of the audit were cut off, or that the whole folder was put \
back to an older day, beyond the newest head that was noted elsewhere (`quotey crm audit --head`) |
| N8 | To know an older update of ours again (G13) that lands more than 90 seconds, and the \
CRM's lag, after its end, or whose record is changed once more before it is read: it counts as a \
change made in the CRM, and is audited as one |
"""
ELSEWHERE = """\
Mistakes that cannot be made in the engine, and so are no mutants of the simulation:

| | |
|---|---|
| M04 windows that do not overlap | The engine never reads a cursor; windows are the adapters'. \
[windows_do_not_overlap](../../mutants/windows_do_not_overlap.patch), against hundreds of records \
that show late |
| M05 a cursor from the local clock | Cursors hold the provider's moments, read from its answers. \
[a_cursor_waits_for_a_wrong_clock](../../mutants/a_cursor_waits_for_a_wrong_clock.patch) |
| M23 paging by offset | No adapter has offsets: pages go on behind a stamp and an id. \
[a_portal_is_paged_by_the_stamp_alone](../../mutants/a_portal_is_paged_by_the_stamp_alone.patch), \
[an_org_is_paged_by_the_stamp_alone](../../mutants/an_org_is_paged_by_the_stamp_alone.patch) |
| M24 a cursor from the newest record seen | The end of a window is fixed before its first page. \
[a_window_is_open_at_its_end](../../mutants/a_window_is_open_at_its_end.patch) |
| two records here for one there | A unique index of the database refuses it; \
[test_records](../../tests/store/test_records.py) |
"""
TIERS = ("t1", "t2", "t3")


class Guarantee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[guarantee]]` of the file; `t1` to `t3` where the tiers differ."""

    id: str
    promise: str
    tests: tuple[str, ...]
    mutants: tuple[str, ...]
    t1: str = ""
    t2: str = ""
    t3: str = ""


def read_guarantees() -> list[Guarantee]:
    """Read the file, in its order."""
    found = tomllib.loads(GUARANTEES.read_text(encoding="utf-8"))["guarantee"]
    return msgspec.convert(found, list[Guarantee])


def lacks(guarantees: list[Guarantee]) -> list[str]:
    """Say what is missing, each in a line."""
    return [*(f"{one.id}: no test" for one in guarantees if not one.tests), *not_there(guarantees)]


def guarantees_page() -> str:
    """Write the page. Ends the script when a guarantee is bare."""
    guarantees = read_guarantees()
    if missing := lacks(guarantees):
        raise SystemExit("\n".join(["These guarantees name what does not exist:", *missing]))
    rows = [_row(one) for one in guarantees]
    promises = table(("", "promise", "tests that try to break it", "proved to fail by"), rows)
    parts = (
        f"# What is promised\n\n{MADE}",
        INTRO,
        promises,
        NOT_PROMISED,
        oracles_part(),
        ELSEWHERE,
    )
    return "\n".join(parts)


def _row(one: Guarantee) -> tuple[str, ...]:
    tiers = [f"*tier {tier[1]}*: {said}" for tier in TIERS if (said := getattr(one, tier))]
    promise = "<br>".join([escape(one.promise, quote=False), *tiers])
    tests = "<br>".join(link(test) for test in one.tests)
    mutants = "<br>".join(map(link_of_mutant, one.mutants))
    return one.id, promise, tests, mutants or "-"
