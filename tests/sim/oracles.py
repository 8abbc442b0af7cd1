"""What must be true after every commit, and once everything has come to rest; one function a law.

Judged by the ledger (what people were told, what the CRM saw) and by what anybody can see.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.sim.crm import Crm, Mark
from tests.sim.ledger import Broken, Edit, Ledger
from tests.sim.sight import Row, Sight
from tests.sim.words import READ, canonical_of


@dataclass
class Watch:
    """The laws that hold after every commit."""

    ledger: Ledger
    sight: Sight
    _quotes: list[list[tuple[Any, ...]]] = field(default_factory=list)
    _revisions: dict[str, int] = field(default_factory=dict)

    def committed(self, role: str, label: str) -> None:
        """Look at what has just been committed."""
        if role == "desk":
            self._quotes = self.sight.quotes()
            return
        self.no_quote_changed(label)
        self.nothing_is_delivered_that_is_not_there()
        self.the_mirror_never_goes_back()

    def no_quote_changed(self, label: str) -> None:
        """Sync never changes a quote (G1)."""
        quotes = self.sight.quotes()
        if self._quotes and quotes != self._quotes:
            raise Broken("G1", f"a sync changed quotes in {label!r}")
        self._quotes = quotes

    def nothing_is_delivered_that_is_not_there(self) -> None:
        """What is shown as delivered has had its effect in the CRM (G2c)."""
        for quote, version, digest in self.sight.delivered():
            effects = self.ledger.written.get((quote, version), [])
            if not any(one.mark is not None and one.mark.digest == digest for one in effects):
                raise Broken("G2c", f"{quote} v{version} is called delivered")

    def the_mirror_never_goes_back(self) -> None:
        """An older revision never replaces a newer one (G5, G13)."""
        now = self.sight.revisions()
        for id_, number in now.items():
            if number < self._revisions.get(id_, 0):
                raise Broken("G5", f"{id_} went back to revision {number}")
        self._revisions = now


@dataclass
class Verdict:
    """The laws that hold once faults have stopped and everything came to rest."""

    ledger: Ledger
    sight: Sight
    crm: Crm

    def __post_init__(self) -> None:
        self.items = self.sight.waiting()
        self.records = self.sight.records()
        self.operations = self.sight.operations()
        self.about = {item["entity_id"] for item in self.items}
        aliases = self.sight.rows("SELECT entity, crm_ref, id FROM alias")
        self.ids = {
            **{(row["entity"], row["crm_ref"]): row["id"] for row in self.records.values()},
            **{(row["entity"], row["crm_ref"]): row["id"] for row in aliases},
        }

    def hold(self) -> None:
        """Raise `Broken` at the first law that does not hold."""
        self.every_acknowledged_version_ended()
        self.every_version_that_is_shown_went_out()
        self.the_crm_shows_the_newest()
        self.both_sides_agree()
        self.no_value_is_lost()
        self.no_two_of_one()

    def every_acknowledged_version_ended(self) -> None:
        """Delivered, superseded by a delivered one, or in somebody's hands (G2a)."""
        for said in self.ledger.said:
            if said.operation is None or self._is_in_hand(said.quote, said.deal):
                continue
            newer = [v for q, v in self.ledger.written if q == said.quote and v >= said.version]
            if not newer:
                raise Broken("G2a", f"{said} never arrived, and nobody is told")

    def every_version_that_is_shown_went_out(self) -> None:
        """What stands here as the newest is there too, though nobody was told of it (G2a, CP-2)."""
        newest = self.sight.rows(
            "SELECT q.id AS quote, q.deal_id AS deal, max(v.version) AS version FROM quote AS q "
            "JOIN quote_version AS v ON v.quote_id = q.id WHERE q.published = 1 GROUP BY q.id"
        )
        for row in newest:
            known = (row["quote"], row["version"]) in self.ledger.written
            if not known and not self._is_in_hand(row["quote"], row["deal"]):
                raise Broken("G2a", f"{row} stands here and never went out")

    def the_crm_shows_the_newest(self) -> None:
        """At rest the CRM shows the newest acknowledged version (G5)."""
        newest = {one.quote: one for one in self.ledger.said if one.operation is not None}
        for said in newest.values():
            ref = self.records[said.deal]["crm_ref"]
            there = self.crm.now("deal", ref) if ref else None
            if self._is_in_hand(said.quote, said.deal) or there is None:
                continue
            if there.deleted or there.merged_into is not None:
                continue
            if not self._shows(there.mark, said.quote, said.version):
                raise Broken("G5", f"{ref} shows {there.mark}, and {said} was the newest")

    def _shows(self, mark: Mark | None, quote: str, version: int) -> bool:
        """Whether it stands there; another desk may have written over it once it did."""
        if mark is None:
            return False
        if mark.instance != self.ledger.instance:
            return (quote, version) in self.ledger.written
        return mark.quote == quote and mark.version >= version

    def _is_in_hand(self, quote: str, deal: str) -> bool:
        """Whether a person is asked, or has decided: then it need not go on by itself."""
        ops = [op for op in self.operations if op["entity_id"] in (quote, deal)]
        dropped = any(op["id"] in self.sight.dropped for op in ops)
        return bool({quote, deal} & self.about) or dropped

    # --- the mirror -------------------------------------------------------------------------------

    def both_sides_agree(self) -> None:
        """Every record of the CRM is here as it is there, or somebody is asked (G3)."""
        for entity in READ:
            for ref in self.crm.history[entity]:
                self._agrees(entity, ref)

    def _agrees(self, entity: str, ref: str) -> None:
        there = self.crm.now(entity, ref)
        assert there is not None, "it has a history"
        id_ = self.ids.get((entity, ref))
        gone = there.deleted or there.merged_into is not None
        if id_ is None:
            if not gone and not self._kept_out(entity, ref):
                raise Broken("G3", f"{entity} {ref} is not here")
            return
        record = self.records[id_]
        if id_ in self.about:
            return
        if gone != (record["state"] == "gone"):
            raise Broken("G3", f"{entity} {ref}: gone there {gone}, here {record['state']}")
        if gone or self._kept_out(entity, ref):
            return
        for name, value in canonical_of(entity, there.fields).items():
            here = record["local"].get(name)
            if here != value and not self._is_chosen(record, name):
                raise Broken("G3", f"{entity} {ref} {name}: {here!r} here, {value!r} there")

    def _kept_out(self, entity: str, ref: str) -> bool:
        sql = "SELECT 1 FROM quarantine WHERE entity = ? AND crm_ref = ?"
        return bool(self.sight.column(sql, entity, ref))

    def _is_chosen(self, record: Row, name: str) -> bool:
        """Whether a person chose that it differs: a lock, or an operation that they dropped."""
        locked = self.sight.column(
            "SELECT 1 FROM field_lock WHERE entity_id = ? AND field = ? AND ended_at IS NULL",
            record["id"],
            name,
        )
        return bool(locked) or any(
            name in op["payload"] and (op["id"] in self.sight.dropped or op["state"] == "held")
            for op in self.operations
            if op["entity_id"] == record["id"]
        )

    # --- values -----------------------------------------------------------------------------------

    def no_value_is_lost(self) -> None:
        """Every value that somebody wrote and we replaced is told somewhere (G4)."""
        items = json.dumps(
            self.sight.rows("SELECT local_value, remote_value, base_value FROM item")
        )
        audit = self.sight.audit_after(0)
        mirror = json.dumps([(one["local"], one["remote"]) for one in self.records.values()])
        for edit in self.ledger.edits:
            if not (self._stands(edit) or edit.value in items or _told_since(audit, edit)):
                raise Broken("G4", f"lost: {edit}")
        for entity, ref, value in self.ledger.overwritten:
            if not (value in mirror or value in items or any(value in body for _, body in audit)):
                raise Broken("G4", f"we wrote over {value} of {entity} {ref}, untold")

    def _stands(self, edit: Edit) -> bool:
        record = self.records.get(edit.entity_id)
        return record is not None and record["local"].get(edit.field) == edit.value

    def no_two_of_one(self) -> None:
        """One record there is one record here (G14), and one key made one deal (G2b)."""
        made = [one.after["key"] for one in self.crm.effects if one.what == "deal.create"]
        if len(made) != len(set(made)):
            raise Broken("G2b", "one key made two deals")
        doubled = self.sight.column(
            "SELECT crm_ref FROM record WHERE crm_ref IS NOT NULL "
            "GROUP BY entity, crm_ref HAVING count(*) > 1"
        )
        if doubled:
            raise Broken("G14", f"two records here are one there: {doubled}")


def _told_since(audit: list[tuple[int, str]], edit: Edit) -> bool:
    return any(seq > edit.seq and edit.value in body for seq, body in audit)
