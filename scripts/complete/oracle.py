"""What the mirror lacks, by the vendor's own store and the mirror's own file.

Both are read past everything of ours that takes part in a sync: the store's objects on one side,
plain SQL on the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import apsw

from scripts.complete.crm import Truth

_ROWS = "SELECT entity, crm_ref, state, local, id FROM record WHERE crm_ref IS NOT NULL"


@dataclass
class Verdict:
    """Refs of records that live there and are not here, are older here, or live only here."""

    living: int = 0
    missing: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many records are not as they are over there."""
        return len(self.missing) + len(self.stale) + len(self.ghosts)

    def __str__(self) -> str:
        return (
            f"{len(self.missing)} missing, {len(self.stale)} stale, {len(self.ghosts)} ghosts "
            f"of {self.living:,}"
        )


def judge(truth: Iterable[tuple[str, str, Truth]], database: Path) -> Verdict:
    """Compare everything that lives over there with everything that lives here."""
    here, accounts = _mirror(database)
    verdict = Verdict()
    for entity, ref, told in truth:
        verdict.living += 1
        found = here.pop((entity, ref), None)
        if found is None:
            verdict.missing.append(ref)
        elif _read(found, accounts) != told:
            verdict.stale.append(ref)
    verdict.ghosts += [ref for _, ref in here]
    return verdict


def _mirror(database: Path) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        here, accounts = dict[tuple[str, str], str](), dict[str, str]()
        for entity, ref, state, local, id_ in db.execute(_ROWS):
            if state == "live":
                here[str(entity), str(ref)] = str(local)
            if entity == "account":
                accounts[str(id_)] = str(ref)
        return here, accounts
    finally:
        db.close()


def _read(local: str, accounts: dict[str, str]) -> Truth:
    values = json.loads(local)
    amount = values.get("amount")
    return Truth(
        name=values["name"],
        amount=None if amount is None else Decimal(amount),
        parent=accounts.get(values.get("account_id") or "", ""),
    )
