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


def proof_page() -> str:
    """Write the page."""
    proofs = [json.loads(path.read_text("utf-8")) for path in sorted(PROOFS.glob("*.json"))]
    rows = [_row(one) for one in proofs]
    heads = ("machine", "tried", "broken", "again with")
    return f"# Proof\n\n{MADE}\n{INTRO}\n{table(heads, rows)}"


def _row(proof: dict[str, object]) -> tuple[str, ...]:
    name, command = str(proof.pop("name")), str(proof.pop("command"))
    figures = {key: told for key, told in proof.items() if isinstance(told, int | float | str)}
    tried = [_said(key, value) for key, value in figures.items() if key not in BROKEN]
    broken = [_said(key, value) for key, value in figures.items() if key in BROKEN]
    return name.replace("-", " "), ", ".join(tried), ", ".join(broken), f"`{command}`"


def _said(name: str, count: float | str) -> str:
    words = name.replace("_", " ")
    return f"{words}: {count}" if isinstance(count, str) else f"{words} {count:,}"
