"""The generated pages that are not of the command line, by their place under docs/reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from quotey.contract.mapping_schema import mapping_schema
from quotey.contract.schema import contract_schema
from quotey.decide.lifecycle import OUTBOX_MOVES, SYNC_MOVES, OpEvent
from scripts.pages.documents import documents_page
from scripts.pages.faults import faults_page, security_page
from scripts.pages.fields import fields_page
from scripts.pages.guarantees import guarantees_page
from scripts.pages.markdown import block, filled
from scripts.pages.mutation import mutation_page
from scripts.pages.parity import parity_html, parity_page
from scripts.pages.proof import proof_page
from scripts.pages.seed import seed_page
from scripts.pages.states import drawing, states_page

HOW_SYNC_WORKS = "../explanation/how-sync-works.md"
_HERE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def how_sync_works() -> str:
    """Give the written page with its drawings as the tables are now."""
    text = (_HERE / HOW_SYNC_WORKS).read_text(encoding="utf-8")
    by_itself = {
        (state, event): after
        for (state, event), after in OUTBOX_MOVES.items()
        if event not in (OpEvent.AGAIN, OpEvent.DISCARD) and after is not state
    }
    drawings = {"sync run": block(drawing(SYNC_MOVES)), "operation": block(drawing(by_itself))}
    return filled(text, drawings)


def _schema(give: Callable[[], dict[str, object]]) -> Callable[[], str]:
    return lambda: f"{json.dumps(give(), indent=1, ensure_ascii=False)}\n"


MORE: dict[str, Callable[[], str]] = {
    "fields.md": fields_page,
    "states.md": states_page,
    "json.md": documents_page,
    "schema/contract.json": _schema(contract_schema),
    "schema/mapping.json": _schema(mapping_schema),
    HOW_SYNC_WORKS: how_sync_works,
    "../explanation/guarantees.md": guarantees_page,
    "proof.md": proof_page,
    "mutation.md": mutation_page,
    "faults.md": faults_page,
    "security.md": security_page,
    "seed.md": seed_page,
    "parity.md": parity_page,
    "parity.html": parity_html,
}
