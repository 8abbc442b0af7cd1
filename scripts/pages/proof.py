"""The page of what the machines that try to break the promises have counted.

Each machine writes its figures to `docs/reference/proof/<name>.json` when it is run with its own
switch for that; this page only sets them side by side.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from scripts.pages.markdown import MADE, table

PROOFS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "proof"

INTRO = """\
No promise is worth more than the attempt to break it. Each machine below tries; what it counted on
its last recorded run is written here by itself, with the command that repeats it and what shows
that the machine can fail. The promises are in [what is promised](../explanation/guarantees.md).
"""


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one machine counted: what it `tried`, what it `found` broken, and how it can fail."""

    title: str
    command: str
    tried: dict[str, int | float | str]
    found: dict[str, int]
    fails_with: tuple[str, ...]


def proof_page() -> str:
    """Write the page; a file of another shape ends the script."""
    proofs = [
        msgspec.json.decode(path.read_bytes(), type=Proof) for path in sorted(PROOFS.glob("*.json"))
    ]
    return "\n".join(["# Proof\n", MADE, INTRO, *(_section(one) for one in proofs)])


def _section(one: Proof) -> str:
    rows = [(name, _said(count), "") for name, count in one.tried.items()]
    rows += [(f"**{name}**", "", f"**{count:,}**") for name, count in one.found.items()]
    can_fail = "".join(f"- {how}\n" for how in one.fails_with)
    figures = table(("", "tried", "found"), rows)
    return (
        f"## {one.title}\n\n`{one.command}`\n\n{figures}\nIt is known to fail with:\n\n{can_fail}"
    )


def _said(count: float | str) -> str:
    return count if isinstance(count, str) else f"{count:,}"
