"""What must be true after every step, whatever happened on the way; each law names its guarantee.

Judged by the witness and the ledger; of the engine only its files are looked at.
"""

from __future__ import annotations

import json

from tests.machine.told import Edit, Told, same_total
from tests.machine.witness import Row, Witness

LEGAL = {
    "outbox": {
        ("queued", "leased"),
        ("queued", "held"),
        ("queued", "superseded"),
        ("queued", "discarded"),
        ("leased", "delivered"),
        ("leased", "superseded"),
        ("leased", "conflict"),
        ("leased", "dead"),
        ("leased", "queued"),
        ("leased", "unknown"),
        ("leased", "held"),
        ("unknown", "leased"),
        ("unknown", "discarded"),
        ("unknown", "queued"),
        ("held", "queued"),
        ("held", "superseded"),
        ("held", "discarded"),
        ("conflict", "discarded"),
        ("conflict", "superseded"),
        ("dead", "discarded"),
        ("dead", "superseded"),
        ("dead", "queued"),
        ("discarded", "queued"),
        ("delivered", "queued"),
    },
    "sync": {
        ("idle", "syncing"),
        ("error", "syncing"),
        ("syncing", "syncing"),
        ("syncing", "idle"),
        ("syncing", "error"),
    },
    "item": {
        ("open", "open"),
        ("deferred", "deferred"),
        ("open", "deferred"),
        ("deferred", "open"),
        ("open", "resolved"),
        ("deferred", "resolved"),
        ("resolved", "open"),
    },
}
"""The moves that design section 9 and seed 6.2 draw, and no other."""


def only_legal_moves(witness: Witness) -> None:
    """States move by their tables; a token grows by one with each claim and never else."""
    for what, id_, was, now, grew in witness.new_moves():
        assert (was, now) in LEGAL[what], f"{what} {id_}: {was} -> {now}"
        match what:
            case "outbox":
                assert grew == (now == "leased"), f"{id_}: {was} -> {now}, token by {grew}"
            case "sync":
                assert grew in ((1,) if was != "syncing" else (0, 1)), f"{id_}: epoch by {grew}"
            case _:
                assert grew in (0, 1), f"{id_}: rev by {grew}"


def quotes_are_as_acknowledged(witness: Witness, told: Told) -> None:
    """Every acknowledged version stands, unchanged (G1, G2)."""
    rows = {(row["quote_id"], row["version"]): row for row in _versions(witness)}
    for key, version in told.versions.items():
        assert key in rows, f"acknowledged {key} is not there"
        row = rows[key]
        assert same_total(row["total"], version.total), key
        kept = (row["status"], row["currency"], row["valid_until"], row["note"])
        assert kept == (version.status, version.currency, version.valid_until, version.note), key


def _versions(witness: Witness) -> list[Row]:
    return witness.rows("SELECT * FROM quote_version")


def no_value_is_lost(witness: Witness, told: Told) -> None:
    """Every value that anybody wrote stands somewhere, or is told as a loser (G4)."""
    records = {row["id"]: row for row in witness.records()}
    items = json.dumps([(row["local_value"], row["remote_value"]) for row in witness.items()])
    audit = witness.audit()
    for edit in told.edits:
        found = _stands(records, edit) or edit.value in items or _told_since(audit, edit)
        assert found, f"lost: {edit}"
    mirror = json.dumps([(row["local"], row["remote"]) for row in records.values()])
    for entity, ref, name, value in told.overwritten:
        found = value in mirror or value in items or any(value in body for _, _, body in audit)
        assert found, f"we wrote over {entity} {ref} {name}={value}, which nobody was told of"


def _stands(records: dict[str, Row], edit: Edit) -> bool:
    record = records.get(edit.entity_id)
    return record is not None and record["local"].get(edit.field) == edit.value


def _told_since(audit: list[tuple[int, str, str]], edit: Edit) -> bool:
    return any(edit.value in body for seq, _, body in audit if seq > edit.seq)


_OF_OPERATIONS = {
    "stale_outbound_write",
    "identity_mismatch",
    "remote_gone",
    "attempts_exhausted",
    "unknown_outcome",
    "schema_mapping_mismatch",
}


def every_conflict_is_visible(witness: Witness) -> None:
    """What ended badly has an item; what was settled says so in the audit (seed 5.3, G2a)."""
    items, audit = witness.items(), witness.audit()
    waiting = [item for item in items if item["state"] != "resolved"]
    operations = {row["id"]: row for row in witness.operations()}
    for op in operations.values():
        if op["state"] == "conflict":
            assert any(_speaks_of(item, op, operations) for item in items), f"nobody told: {op}"
        if op["state"] == "dead":
            assert any(_speaks_of(item, op, operations) for item in waiting), f"nobody told: {op}"
        if op["hold"] in ("mapping", "operator"):
            about = [item for item in waiting if item["entity_id"] == op["entity_id"]]
            assert about or _just_let_in(witness, op), f"held, and nobody told: {op}"
    settled = {
        json.loads(body)["item"] for _, kind, body in audit if kind == "reconciliation.resolved"
    }
    for item in items:
        if item["state"] == "resolved":
            assert item["id"] in settled, f"settled without a word: {item}"


def _just_let_in(witness: Witness, op: Row) -> bool:
    """Whether a person has let the record in, so that the next sync takes it and sends this."""
    return any(
        op["entity_id"] in _ids_of(witness, row)
        for row in witness.rows("SELECT * FROM quarantine WHERE fingerprint = ''")
    )


def _speaks_of(item: Row, op: Row, operations: dict[str, Row]) -> bool:
    """An open item moves on to the newest operation that met the same trouble."""
    if item["entity_id"] != op["entity_id"] or item["conflict_type"] not in _OF_OPERATIONS:
        return False
    about = operations.get(item["operation_id"] or "")
    if about is None or about["finished_at"] is None:
        return True
    return bool(about["finished_at"] >= op["finished_at"])


def every_reject_is_listed(witness: Witness) -> None:
    """A record that was kept out is counted and has an item that waits (seed 3.3, law 8)."""
    waiting = {(row["entity_type"], row["entity_id"]) for row in witness.items(waiting=True)}
    for row in witness.rows("SELECT * FROM quarantine"):
        codes = {reason["code"] for reason in json.loads(row["reasons"])}
        assert codes, row
        if codes <= {"create_in_flight"} or not row["fingerprint"]:
            continue  # it waits for our own create, or a person has just let it in
        ids = _ids_of(witness, row)
        assert any((row["entity"], id_) in waiting for id_ in ids), f"kept out unseen: {row}"


def _ids_of(witness: Witness, row: Row) -> set[str]:
    from quotey.contract.fields import Entity
    from quotey.contract.identity import local_id

    entity = Entity(row["entity"])
    found = witness.rows(
        "SELECT id FROM record WHERE entity = ?1 AND crm_ref = ?2 "
        "UNION SELECT id FROM alias WHERE entity = ?1 AND crm_ref = ?2",
        row["entity"],
        row["crm_ref"],
    )
    return {one["id"] for one in found} or {local_id("main", entity, row["crm_ref"])}


def nothing_is_delivered_that_is_not_there(witness: Witness, told: Told) -> None:
    """Delivered means that the CRM saw it (G2c)."""
    for op in witness.operations():
        if op["state"] != "delivered":
            continue
        if op["kind"] == "write_quote":
            assert (op["entity_id"], op["version"]) in told.written, f"no effect: {op}"
        if op["kind"] == "create_deal":
            assert op["key"] in told.keys, f"no effect: {op}"


def one_at_a_time(witness: Witness) -> None:
    """One operation in flight a lane, and sent in the order of the lane (G6)."""
    flying = [op["lane"] for op in witness.operations() if op["state"] in ("leased", "unknown")]
    assert len(flying) == len(set(flying)), flying
