"""The page of what the machines that try to break the promises have counted.

Each machine writes its figures to `docs/reference/proof/<name>.json` when it is run with
`KEEP_PROOF=1`; this page only sets them side by side.
"""

from __future__ import annotations

import json
from pathlib import Path

from scripts.pages.markdown import MADE, table

PROOFS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "proof"
BROKEN = (
    "lost",
    "corrupt",
    "doubled",
    "written_twice",
    "reordered",
    "stalled",
    "missing",
    "stale",
    "survivors",
    "failures",
    "differing",
    "undetected",
    "misnamed",
    "false_alarms",
)
"""Figures that count broken promises; all others count what was tried."""

INTRO = """\
No promise is worth more than the attempt to break it. Each machine below tries; what it counted on
its last recorded run was written by itself, with the command that repeats it. A *negative control*
switches a protection off: it must lose, or the machine proves nothing. The promises,
and the mutants that show that their tests can fail, are in
[what is promised](../explanation/guarantees.md); the generic mutants, module by module, in
[generic mutants](mutation.md).
"""

IN_SHORT: dict[str, tuple[str, tuple[str, ...]]] = {
    "simulated worlds": (
        "sim-part-",
        (
            "seeds",
            "events",
            "virtual_hours",
            "crashes",
            "acknowledged_versions",
            "acknowledged_edits",
            "quote_sends",
            "crm_revisions",
        ),
    ),
    "processes killed": ("kills", ("kills", "acknowledged", "written")),
    "processes stopped beyond their lease": ("stops-", ("stops", "acknowledged", "fenced_off")),
    "a long day": ("long-day", ("seconds", "kills", "stops", "faults", "acknowledged", "requests")),
    "power cuts": ("power-cuts", ("cuts",)),
    "errors of the disk": ("io-errors-", ("runs", "told")),
    "a full disk": ("full-disk", ("runs", "refused")),
    "bad input": ("bad-input", ("inputs",)),
    "changes to the audit": ("audit-tampering", ("mutations",)),
    "planted faults": ("mutants", ("mutants", "caught")),
    "generic mutants": ("mutation", ("mutants", "killed")),
}
"""By kind of machine: how the names of its files begin, and which of its figures are summed up."""
CONTROL = "negative control"
"""How the mode of a run begins that must lose."""


CONTROLS: dict[str, tuple[tuple[str, ...], str]] = {
    "audit-": (
        ("an_erasure_is_not_held_against_its_event", "a_damaged_event_has_no_place"),
        "logs of `synchronous=NORMAL` must be seen to lack what was noted",
    ),
    "bad-input": (("a_reject_empties_the_mirror", "rejects_leave_no_item"), "(by their own tests)"),
    "full-disk": (
        (
            "filled_a_commit_that_failed_is_called_done",
            "filled_outbox_row_in_a_second_transaction",
        ),
        "",
    ),
    "io-errors-": (("a_commit_that_failed_is_called_done",), ""),
    "killed-syncs": (("killed_the_cursor_moves_first", "killed_a_token_is_kept_apart"), ""),
    "kills": (
        (
            "killed_answered_before_the_commit",
            "killed_outbox_row_in_a_second_transaction",
            "killed_noted_after_sending",
            "killed_done_before_sending",
            "killed_a_new_key_for_every_attempt",
            "killed_the_dead_keep_their_lease",
        ),
        "",
    ),
    "power-cuts-migration": (("a_migration_may_be_half_done",), ""),
    "power-cuts": (
        ("commits_are_not_synced",),
        "(by its own test); `NORMAL` must lose, `OFF` must corrupt",
    ),
    "sim": ((), "all mutants that are named `simulated_…`, each with its law"),
    "stops-": (
        ("stopped_no_fence_on_settle", "stopped_a_note_needs_no_lease", "processes_no_late_look"),
        "*fenced off* counts what the fence refused, *written again* what landed late, and repairs",
    ),
}
"""By the beginning of a machine's name: the mutants and controls that turn it red."""


def proof_page() -> str:
    """Write the page. Ends the script when a control names a mutant that does not exist."""
    paths = sorted(PROOFS.glob("*.json"))
    proofs = {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
    short = table(("tried", "how often", "broken"), _in_short(proofs))
    every = table(("machine", "tried", "broken", "again with"), [*map(_row, proofs.values())])
    return (
        f"# Proof\n\n{MADE}\n{INTRO}\n## In short\n\n{short}\n## Machine by machine\n\n{every}\n"
        f"{_controls()}"
    )


def _in_short(proofs: dict[str, dict[str, object]]) -> list[tuple[str, ...]]:
    """Sum up all machines of a kind, but for negative controls."""
    rows: list[tuple[str, ...]] = []
    for kind, (begins, names) in IN_SHORT.items():
        runs = [
            one
            for stem, one in proofs.items()
            if stem.startswith(begins) and not str(one.get("mode", "")).startswith(CONTROL)
        ]
        if runs:
            tried = ", ".join(_said(name, _sum(runs, name)) for name in names)
            counted = [name for name in BROKEN if any(name in one for one in runs)]
            broken = ", ".join(_said(name, _sum(runs, name)) for name in counted)
            rows.append((kind, tried, broken))
    return rows


def _sum(runs: list[dict[str, object]], name: str) -> float:
    counts = [count for one in runs if isinstance(count := one.get(name), int | float)]
    return round(sum(counts), 1)


def _controls() -> str:
    """Tell for each kind of machine what it must see; otherwise it would prove nothing."""
    named = {name for mutants, _ in CONTROLS.values() for name in mutants}
    there = {path.stem for path in (PROOFS.parents[2] / "mutants").glob("*.patch")}
    if missing := named - there:
        raise SystemExit(f"These controls name no mutant that exists: {sorted(missing)}")
    rows = [
        (
            kind.strip("-").replace("-", " "),
            "<br>".join([*map(_mutant, mutants), *filter(None, [words])]),
        )
        for kind, (mutants, words) in CONTROLS.items()
    ]
    return f"## What turns a machine red\n\n{table(('machine', 'negative control'), rows)}"


def _mutant(name: str) -> str:
    return f"[{name}](../../mutants/{name}.patch)"


def _row(proof: dict[str, object]) -> tuple[str, ...]:
    name, command = str(proof.pop("name")), str(proof.pop("command"))
    figures = {key: told for key, told in proof.items() if isinstance(told, int | float | str)}
    tried = [_said(key, value) for key, value in figures.items() if key not in BROKEN]
    broken = [_said(key, value) for key, value in figures.items() if key in BROKEN]
    return name.replace("-", " "), ", ".join(tried), ", ".join(broken), f"`{command}`"


def _said(name: str, count: float | str) -> str:
    words = name.replace("_", " ")
    return f"{words}: {count}" if isinstance(count, str) else f"{words} {count:,}"
