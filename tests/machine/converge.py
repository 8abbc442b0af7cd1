"""What must be true once faults have stopped and everything came to rest: both sides agree.

What differs must be in somebody's hands: an item that waits, a lock, or a person's own decision.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from quotey.contract.adapter import Call
from quotey.contract.dto import RemoteRecord
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.identity import local_id
from quotey.contract.mapper import Mapped, Mapper
from tests.machine.theatre import Theatre
from tests.machine.told import Told
from tests.machine.witness import Row, Witness

CALL = Call(correlation_id="c_witness")


class Verdict:
    """Both sides, looked at once."""

    def __init__(self, theatre: Theatre, witness: Witness, told: Told) -> None:
        self.theatre = theatre
        self.witness = witness
        self.told = told
        self.items = witness.items(waiting=True)
        self.operations = witness.operations()
        self.records = {row["id"]: row for row in witness.records()}
        self.aliases = {
            (row["entity"], row["crm_ref"]): row["id"]
            for row in witness.rows("SELECT * FROM alias ORDER BY seq")
        }
        self.bound = {
            (row["entity"], row["crm_ref"]): row["id"] for row in self.records.values()
        } | self.aliases
        self.kept_out = {
            (row["entity"], row["crm_ref"]): {one["code"] for one in json.loads(row["reasons"])}
            for row in witness.rows("SELECT * FROM quarantine")
        }
        self.locks = {
            (row["entity_id"], row["field"])
            for row in witness.rows("SELECT * FROM field_lock WHERE ended_at IS NULL")
            if datetime.fromisoformat(row["until"]) > theatre.clock.now().astimezone(UTC)
        }

    def hold(self) -> None:
        """Raise AssertionError at the first thing that is in nobody's hands."""
        mapper = Mapper(self.theatre.mapping, "main")
        for entity in MIRRORED:
            for remote in self._remote(entity):
                if remote.deleted or remote.merged_into is not None:
                    self._gone(entity, remote)
                    continue
                read = mapper.read(entity, remote)
                if isinstance(read, Mapped):
                    self._same(entity, remote.crm_ref, dict(read.values))
                else:
                    assert (entity, remote.crm_ref) in self.kept_out, f"broken, unseen: {remote}"
        self._nothing_waits()
        self._nothing_is_asked_in_vain()
        self._quotes()

    def _remote(self, entity: Entity) -> tuple[RemoteRecord, ...]:
        refs = tuple(state.ref for state in self.theatre.crm.list(entity, limit=10_000))
        return self.theatre.stub.read_records(entity, refs, call=CALL).records

    # --- records --------------------------------------------------------------------------------

    def _gone(self, entity: Entity, remote: RemoteRecord) -> None:
        id_ = self.bound.get((entity, remote.crm_ref))
        if id_ is None or id_ in self.aliases.values():
            return
        assert self.records[id_]["state"] == "gone", f"{remote} is gone, and here it lives"

    def _same(self, entity: Entity, ref: str, values: dict[str, str | None]) -> None:
        kept_out = self.kept_out.get((entity, ref))
        if kept_out is not None:
            alone = kept_out == {"create_in_flight"} and not self._creating()
            assert not alone, f"{entity} {ref} waits for nothing"
            return
        id_ = self.bound.get((entity, ref))
        assert id_ is not None, f"{entity} {ref} is not mirrored: {values}"
        record = self.records[id_]
        if record["state"] != "live":
            assert self._in_hand(record, "*"), f"{entity} {ref} lives, and here it is gone"
            return
        for name, value in values.items():
            here = record["local"].get(name)
            if here != value and not (name == "account_id" and self._same_parent(here, value)):
                assert self._in_hand(record, name), (
                    f"{entity} {ref} {name}: {here!r} here, {value!r} there"
                )

    def _creating(self) -> bool:
        return any(op["kind"] == "create_deal" and op["state"] == "held" for op in self.operations)

    def _same_parent(self, id_: str | None, ref: str | None) -> bool:
        """Whether this account is meant; two of ours may be one there, once merged."""
        newest = {id_: ref for (entity, ref), id_ in self.aliases.items() if entity == "account"}
        record = self.records.get(id_ or "")
        known = record["crm_ref"] if record else None
        return self.bound.get(("account", ref or "")) == id_ or ref == newest.get(id_ or "", known)

    def _in_hand(self, record: Row, name: str) -> bool:
        place = (record["id"], name)
        if place in self.locks or place in self.told.decided:
            return True
        if any(
            item["entity_id"] == record["id"] and item["field_name"] in (name, "*")
            for item in self.items
        ):
            return True
        if any(
            op["entity_id"] == record["id"] and name in op["payload"]
            for op in self.operations
            if op["state"] in ("queued", "held")
        ):
            return True  # that it waits for something is held against it elsewhere
        return any(
            op["id"] in self.told.dropped and name in op["payload"] and not self._later(op, name)
            for op in self.operations
            if op["entity_id"] == record["id"]
        )

    def _later(self, op: Row, name: str) -> bool:
        return any(
            one["seq"] > op["seq"]
            and one["entity_id"] == op["entity_id"]
            and one["state"] == "delivered"
            and name in one["payload"]
            for one in self.operations
        )

    # --- what waits -----------------------------------------------------------------------------

    def _nothing_waits(self) -> None:
        """Nothing is on its way any more; what is held has an item, or lacks its parent."""
        for op in self.operations:
            assert op["state"] not in ("leased", "unknown"), f"it waits still: {op}"
            if op["state"] == "queued":
                held = [one for one in self.operations if one["lane"] == op["lane"]]
                before = [one for one in held if one["state"] == "held" and one["seq"] < op["seq"]]
                assert before, f"it waits still: {op}"
            if op["state"] == "held":
                assert self._held_for_a_reason(op), f"held, and nobody knows: {op}"

    def _held_for_a_reason(self, op: Row) -> bool:
        lane = op["lane"].partition("/")[2]
        about = {item["entity_id"] for item in self.items}
        lane_ids = {one["entity_id"] for one in self.operations if one["lane"] == op["lane"]}
        if op["hold"] == "parent":
            dropped = any(
                one["kind"] == "create_deal" and one["entity_id"] == lane
                for one in self.operations
                if one["state"] in ("discarded", "conflict", "dead")
            )
            return dropped or bool(about & (lane_ids | {lane}))
        return bool(about & lane_ids)

    def _nothing_is_asked_in_vain(self) -> None:
        """Nobody is asked to mend a record that is well, or gone."""
        kept_out = {(entity, self._id_of(entity, ref)) for entity, ref in self.kept_out}
        held = {op["id"] for op in self.operations if op["state"] == "held"}
        for item in self.items:
            if item["conflict_type"] in ("schema_mapping_mismatch", "missing_parent"):
                about = (item["entity_type"], item["entity_id"])
                assert about in kept_out or item["operation_id"] in held, f"in vain: {item}"

    def _id_of(self, entity: str, ref: str) -> str:
        return self.bound.get((entity, ref)) or local_id("main", Entity(entity), ref)

    # --- quotes ---------------------------------------------------------------------------------

    def _quotes(self) -> None:
        """Every acknowledged published newest version is there, or somebody knows why not."""
        for row in self.witness.rows(
            "SELECT q.id, q.deal_id, max(v.version) AS version FROM quote AS q "
            "JOIN quote_version AS v ON v.quote_id = q.id WHERE q.published = 1 GROUP BY q.id"
        ):
            if (row["id"], row["version"]) in self.told.versions:
                assert self._is_there(row) or self._known(row), f"not delivered, unsaid: {row}"

    def _is_there(self, row: Row) -> bool:
        return (row["id"], row["version"]) in self.told.written

    def _known(self, row: Row) -> bool:
        about = {item["entity_id"] for item in self.items}
        ops = [op for op in self.operations if op["entity_id"] == row["id"]]
        dropped = any(op["id"] in self.told.dropped for op in ops)
        lane = f"deal/{row['deal_id']}"
        stuck = any(op["lane"] == lane and op["state"] == "held" for op in self.operations)
        return bool(about & {row["id"], row["deal_id"]}) or dropped or stuck
