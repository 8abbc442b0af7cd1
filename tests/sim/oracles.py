"""What must be true once everything has come to rest; one function a law.

Judged by the ledger (what people were told, what the CRM saw) and by what anybody can see.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from quotey.contract.identity import canonical_json
from tests.sim.crm import Crm, Mark
from tests.sim.ledger import Broken, Edit, Ledger
from tests.sim.request import CANARY
from tests.sim.scheduler import START
from tests.sim.sight import Row, Sight
from tests.sim.words import READ, canonical_of

ENDED = ("delivered", "superseded", "conflict", "dead", "discarded")
"""States in which an operation stays until somebody asks for it again."""


@dataclass
class Verdict:
    """The laws that hold once faults have stopped and everything came to rest."""

    ledger: Ledger
    sight: Sight
    crm: Crm

    def __post_init__(self) -> None:
        self.items = self.sight.waiting()
        self.records = self.sight.records()
        self.published = self.sight.published()
        self.operations = self.sight.operations()
        self.about = {item["entity_id"] for item in self.items}
        aliases = self.sight.rows("SELECT entity, crm_ref, id FROM alias")
        self.ids = {
            **{(row["entity"], row["crm_ref"]): row["id"] for row in self.records.values()},
            **{(row["entity"], row["crm_ref"]): row["id"] for row in aliases},
        }

    def hold(self) -> None:
        """Raise `Broken` at the first law that does not hold."""
        self.what_was_made_is_what_was_ordered()
        self.every_acknowledged_version_ended()
        self.every_version_that_is_shown_went_out()
        self.the_crm_shows_the_newest()
        self.both_sides_agree()
        self.no_older_edit_undoes_a_newer_one()
        self.no_value_is_lost()
        self.what_was_met_and_replaced_is_told()
        self.what_has_ended_is_not_ended_again()
        self.no_secret_is_kept()

    def every_acknowledged_version_ended(self) -> None:
        """Delivered, superseded by a delivered one, or in somebody's hands (G2a)."""
        for said in self.ledger.said:
            if said.quote not in self.published or said.operation is None:
                continue
            if self._is_in_hand(said.quote, said.deal, said.version):
                continue
            if not self._arrived(said.quote, said.version):
                raise Broken("G2a", f"{said} never arrived, and nobody is told")

    def every_version_that_is_shown_went_out(self) -> None:
        """What stands here as the newest is there too, though nobody was told of it (G2a, CP-2)."""
        newest = self.sight.rows(
            "SELECT q.id AS quote, q.deal_id AS deal, max(v.version) AS version FROM quote AS q "
            "JOIN quote_version AS v ON v.quote_id = q.id WHERE q.published = 1 GROUP BY q.id"
        )
        for row in newest:
            known = (row["quote"], row["version"]) in self.ledger.written
            if not known and not self._is_in_hand(row["quote"], row["deal"], row["version"]):
                raise Broken("G2a", f"{row} stands here and never went out")

    def the_crm_shows_the_newest(self) -> None:
        """At rest the CRM shows the newest acknowledged version (G5)."""
        newest = {one.quote: one for one in self.ledger.said if one.operation is not None}
        for said in (one for quote, one in newest.items() if quote in self.published):
            ref = self.records[said.deal]["crm_ref"]
            there = self.crm.now("deal", ref) if ref else None
            if self._is_in_hand(said.quote, said.deal, said.version) or there is None:
                continue
            if there.gone:
                continue
            if not self._shows(there.mark, said.quote, said.version):
                raise Broken("G5", f"{ref} shows {there.mark}, and {said} was the newest")

    def _shows(self, mark: Mark | None, quote: str, version: int) -> bool:
        """Whether it stands there; another desk may have written over it once it did."""
        if mark is None:
            return False
        if mark.instance != self.ledger.instance:
            return self._arrived(quote, version)
        return mark.quote == quote and mark.version >= version

    def _arrived(self, quote: str, version: int) -> bool:
        """Whether this version or a newer one has stood in the CRM."""
        return any(one == quote and number >= version for one, number in self.ledger.written)

    def _is_in_hand(self, quote: str, deal: str, version: int) -> bool:
        """Whether a person is asked, or has dropped it: then it need not go on by itself.

        Who drops a version means none that comes after it; without its deal no quote can go.
        """
        dropped = [op for op in self.operations if op["id"] in self.sight.dropped]
        quotes = [op["version"] for op in dropped if op["entity_id"] == quote]
        without = any(op["kind"] == "create_deal" and op["entity_id"] == deal for op in dropped)
        return bool({quote, deal} & self.about) or without or max(quotes, default=0) >= version

    # --- the mirror -------------------------------------------------------------------------------

    def both_sides_agree(self) -> None:
        """Every record of the CRM is here as it is there, or somebody is asked (G3)."""
        if differing := self._differing():
            raise Broken("G3", differing)

    def one_good_sync_is_enough(self) -> None:
        """What changed longer ago than the CRM's lag is here after one sync without faults (G3)."""
        if differing := self._differing():
            raise Broken("G3", f"after one sync {differing}")

    def _differing(self) -> str:
        """Say what differs first; "" when nothing does that nobody was asked about."""
        places = [(entity, ref) for entity in READ for ref in self.crm.history[entity]]
        return next(filter(None, (self._differs(entity, ref) for entity, ref in places)), "")

    def _differs(self, entity: str, ref: str) -> str:
        there = self.crm.now(entity, ref)
        assert there is not None, "it has a history"
        id_ = self.ids.get((entity, ref))
        gone = there.gone
        if id_ is None:
            return "" if gone or self._kept_out(entity, ref) else f"{entity} {ref} is not here"
        record = self.records[id_]
        if id_ in self.about:
            return ""
        if gone != (record["state"] == "gone"):
            return f"{entity} {ref}: gone there {gone}, here {record['state']}"
        if gone or self._kept_out(entity, ref):
            return ""
        for name, value in canonical_of(entity, there.fields).items():
            here = record["local"].get(name)
            if here != value and not self._is_chosen(record, name):
                return f"{entity} {ref} {name}: {here!r} here, {value!r} there"
        return ""

    def _kept_out(self, entity: str, ref: str) -> bool:
        sql = "SELECT 1 FROM quarantine WHERE entity = ? AND crm_ref = ?"
        return bool(self.sight.column(sql, entity, ref))

    def _is_chosen(self, record: Row, name: str) -> bool:
        """Whether a person chose that it differs, or is asked first.

        There is a lock, an operation that they dropped, or one that is held or waits behind one.
        """
        locked = self.sight.column(
            "SELECT 1 FROM field_lock WHERE entity_id = ? AND field = ? AND ended_at IS NULL",
            record["id"],
            name,
        )
        return bool(locked) or any(
            name in op["payload"]
            and (op["id"] in self.sight.dropped or op["state"] in ("held", "queued"))
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

    def no_older_edit_undoes_a_newer_one(self) -> None:
        """An update that landed late over a newer edit of ours is not what stands at last (G13).

        Where the record was changed once more before it was read, its moment tells of that change.
        """
        order: dict[tuple[str | None, ...], int] = {
            (*_place(edit), edit.value): at for at, edit in enumerate(self.ledger.edits)
        }
        for late in self.ledger.late_updates:
            entity = late.what.partition(".")[0]
            id_, there = self.ids.get((entity, late.ref)), self.crm.now(entity, late.ref)
            if id_ in self.about or there is None or there.gone:
                continue
            before, now = (canonical_of(entity, one) for one in (late.before, there.fields))
            for name, value in canonical_of(entity, late.after).items():
                newer = order.get((entity, id_, name, before.get(name)), -1)
                if order.get((entity, id_, name, value), newer) >= newer:
                    continue
                self.ledger.probe("a late update landed over a newer edit")
                if now.get(name) == value and not self._was_judged_later(str(value), late.at):
                    raise Broken("G13", f"{name}={value} of {late.ref} undid {before[name]}")

    def _was_judged_later(self, value: str, landed: float) -> bool:
        """Whether it was judged by a later moment of its record, or by a person."""
        told = [json.loads(body) for _, body in self.sight.audit_after(0) if value in body]
        stamps = [datetime.fromisoformat(one["source_ts"]) for one in told if "source_ts" in one]
        by_person = any("action" in one for one in told)
        return by_person or any(at > START + timedelta(seconds=landed + 1) for at in stamps)

    def what_was_met_and_replaced_is_told(self) -> None:
        """What somebody else left in a slot is audited when we, who saw it, replace it (G4, G5)."""
        audit = self.sight.audit_after(0)
        for marker in self.ledger.replaced:
            told = json.dumps(canonical_json(marker).decode())[1:-1]
            if not any(told in body for _, body in audit):
                raise Broken("G4", f"we wrote over {marker}, which we had seen, untold")

    def _stands(self, edit: Edit) -> bool:
        record = self.records.get(edit.entity_id)
        return record is not None and record["local"].get(edit.field) == edit.value

    def what_was_made_is_what_was_ordered(self) -> None:
        """A deal that was made for a record of ours is bound to that record (G14)."""
        ordered = {op["key"]: op for op in self.operations if op["state"] == "delivered"}
        for made in self.crm.effects:
            op = ordered.get(made.after["key"]) if made.what == "deal.create" else None
            if op is not None and self.ids.get(("deal", made.ref)) != op["entity_id"]:
                raise Broken("G14", f"{made.ref} was made for {op['entity_id']}, not bound to it")

    def what_has_ended_is_not_ended_again(self) -> None:
        """Who comes late to an operation that has ended settles nothing any more (G9)."""
        ended: set[str] = set()
        for seq, body in self.sight.audit_after(0):
            told = json.loads(body)
            id_ = told.get("operation")
            if not ("state" in told and "kind_of_operation" in told):
                ended.discard(id_)
            elif id_ in ended:
                raise Broken("G9", f"{id_} had ended, and event {seq} ends it again: {body}")
            elif told["state"] in ENDED:
                ended.add(id_)

    def no_secret_is_kept(self) -> None:
        """What looks like a key in the CRM's words is in no byte of the database (G8)."""
        for path in sorted(self.sight.path.parent.iterdir()):
            if path.is_file() and CANARY.encode() in path.read_bytes():
                raise Broken("G8", f"{CANARY} is in {path.name}")


def _place(edit: Edit) -> tuple[str, str, str]:
    return edit.entity, edit.entity_id, edit.field


def _told_since(audit: list[tuple[int, str]], edit: Edit) -> bool:
    return any(seq > edit.seq and edit.value in body for seq, body in audit)
