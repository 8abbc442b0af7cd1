"""Filling the stub from its data set: at first use, and again when it is told to.

Records get their revisions in the order of reading, so that the same data set always makes the same
CRM. Source: seed 8.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from quotey.adapters.stub.crm import StubCrm
from quotey.adapters.stub.drawer import Cause, Drawer, Stored
from quotey.adapters.stub.files import read_data, toml_of
from quotey.contract.dataset import DataSet
from quotey.contract.errors import ConfigError
from quotey.contract.fields import Entity
from quotey.contract.rows import payload_of

IDENTITY = "identity"


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a reset did: records brought back to the data set, and records that are not in it."""

    restored: int
    removed: int


def fill_if_new(drawer: Drawer, dataset: Path | None) -> None:
    """Load the data set into a new file.

    Raises DataSetError when that cannot be read, ConfigError when the file holds another one.
    """
    held = drawer.setting(IDENTITY)
    if held:
        check_identity(drawer, dataset, held)
        return
    data = read_data(dataset)
    with drawer.transaction():
        if drawer.setting(IDENTITY):
            return  # another process was first
        _keep_spec(drawer, data, dataset)
        records = [
            msgspec.structs.replace(stored, revision=number)
            for number, stored in enumerate(records_of(data), start=1)
        ]
        drawer.fill(records)
        drawer.set_setting("revision", str(len(records)))


def check_identity(drawer: Drawer, dataset: Path | None, held: str) -> None:
    """Refuse to go on with another data set than the one the file was filled from."""
    if toml_of(dataset).is_file() and identity_of(dataset) != held:
        raise ConfigError(
            f"{drawer.path.name} was filled from another data set than the one that is set now. "
            "Nothing was changed.",
            next=("quotey crm stub reset",),
        )


def identity_of(dataset: Path | None) -> str:
    """Name a data set by what its `dataset.toml` says."""
    return hashlib.sha256(toml_of(dataset).read_bytes()).hexdigest()[:16]


def refill(crm: StubCrm, dataset: Path | None) -> Reloaded:
    """Bring the CRM back to its data set, as edits that a sync will meet.

    Records that are as the data set says keep their revision; the others get a new one; what the
    data set does not hold is deleted. The revision never goes back, so that no cursor is deceived.
    """
    data = read_data(dataset)
    drawer = crm.drawer
    restored = removed = 0
    with drawer.transaction():
        wanted = {(stored.entity, stored.ref): stored for stored in records_of(data)}
        for stored in wanted.values():
            restored += _restore(crm, stored)
        for entity in Entity:
            for stored in drawer.every(entity):
                if (entity, stored.ref) not in wanted and not stored.gone:
                    crm.end(stored, Cause(operation="tool.reset"))
                    removed += 1
        _keep_spec(drawer, data, dataset)
        drawer.set_setting("played", "0")
    return Reloaded(restored=restored, removed=removed)


def _restore(crm: StubCrm, wanted: Stored) -> bool:
    held = crm.drawer.get(wanted.entity, wanted.ref)
    if held is not None and _same(held, wanted):
        return False
    crm.note(crm.drawer.put(crm.touched(held, wanted)), Cause(operation="tool.reset"))
    return True


def _same(held: Stored, wanted: Stored) -> bool:
    likened = msgspec.structs.replace(wanted, revision=held.revision, slot=held.slot)
    return held == likened


def _keep_spec(drawer: Drawer, data: DataSet, dataset: Path | None) -> None:
    drawer.set_setting("as_of", data.spec.as_of.isoformat())
    drawer.set_setting(IDENTITY, identity_of(dataset))


def records_of(data: DataSet) -> Iterator[Stored]:
    """Give the rows of a data set as records; what is broken is a record that says why."""
    for entity, rows in data.entities.items():
        for row in rows.rows:
            payload = payload_of(row).decode()
            yield Stored(entity=entity, ref=row.crm_ref, payload=payload, at=row.modified)
        for broken in rows.broken:
            ref = f"{broken.file}:{broken.line}"
            yield Stored(entity=entity, ref=ref, payload="{}", broken=broken.problem)
