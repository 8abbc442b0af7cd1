"""The little CRM behind the stub: what can happen to its records, each with its effect noted.

The adapter and the tools both act through it, inside a transaction of the drawer.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quotey.adapters.stub.definitions import Definitions
from quotey.adapters.stub.drawer import Cause, Drawer, Effect, Stored
from quotey.adapters.stub.payload import Payload, at_path, decode, encode, put_path
from quotey.adapters.stub.slot import slot_paths, values_at
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import Diagnostic, ErrorClass, Outcome, RemoteFailure, Severity
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, Mapper, Rejected
from quotey.contract.mapping import FieldMapping, Join, Mapping

REF_PREFIX = {Entity.ACCOUNT: "A", Entity.CONTACT: "C", Entity.DEAL: "D", Entity.QUOTE: "Q"}
CHILDREN = (Entity.CONTACT, Entity.DEAL)


class StubCrm:
    """Records of one stub file, seen through a connection's mapping."""

    def __init__(self, drawer: Drawer, mapping: Mapping, connection: str) -> None:
        self.drawer = drawer
        self.mapping = mapping
        self._mapper = Mapper(mapping, connection)
        self._slot_paths = slot_paths(mapping)
        self.definitions = Definitions(drawer, mapping)

    # --- reading ------------------------------------------------------------------------------

    def remote(self, stored: Stored) -> RemoteRecord:
        """Show a record as an inbound page does."""
        return RemoteRecord(
            crm_ref=stored.ref,
            source_ts=self.drawer.moment(stored),
            source_version=version_text(stored.revision),
            payload=stored.payload.encode(),
            deleted=stored.gone and stored.merged_into is None,
            merged_into=stored.merged_into,
        )

    def read(self, stored: Stored) -> Mapped | Rejected:
        """Look at a record with the mapping."""
        return self._mapper.read(stored.entity, self.remote(stored))

    def mapped(self, stored: Stored) -> Mapped:
        """Look at a record that must keep the contract.

        Raises RemoteFailure (mapping, not applied) with all its problems. Source: seed 3.3, 8.3.
        """
        found = Rejected(crm_ref=stored.ref, problems=()) if stored.broken else self.read(stored)
        if isinstance(found, Mapped):
            return found
        told = "; ".join(problem.message.rstrip(".") for problem in found.problems) or stored.broken
        raise RemoteFailure(
            f"{stored.entity.capitalize()} {stored.ref} breaks the contract: {told}. "
            "Nothing was changed.",
            error_class=ErrorClass.MAPPING,
            diagnostics=found.problems,
        )

    def survivor(self, entity: Entity, ref: str) -> Stored | None:
        """Follow merges to the record that answers for `ref`; None when that is gone or unknown."""
        stored = self.drawer.get(entity, ref)
        seen = {ref}
        while stored is not None and stored.merged_into is not None:
            if stored.merged_into in seen:
                return None
            seen.add(stored.merged_into)
            stored = self.drawer.get(entity, stored.merged_into)
        return None if stored is None or stored.gone else stored

    def living(self, entity: Entity, ref: str) -> Stored:
        """Give the record under exactly this id, for writing.

        Raises RemoteFailure (permanent) with the diagnostic `not_found`, `remote_gone` or
        `identity_mismatch`: a write never goes to another record than the one asked for (G15).
        """
        stored = self.drawer.get(entity, ref)
        if stored is None:
            raise absent(entity, ref, "not_found", "is not in the stub CRM")
        if stored.merged_into is not None:
            why = f"was merged into {stored.merged_into}"
            raise absent(entity, ref, "identity_mismatch", why)
        if stored.gone:
            raise absent(entity, ref, "remote_gone", "was deleted in the stub CRM")
        return stored

    # --- changing -----------------------------------------------------------------------------

    def new_ref(self, entity: Entity) -> str:
        """Give the next free id, as D-000123."""
        while True:
            number = self.drawer.next_number(f"number.{entity.value}")
            ref = f"{REF_PREFIX[entity]}-{number:06d}"
            if self.drawer.get(entity, ref) is None:
                return ref

    def put(
        self,
        before: Stored,
        payload: Payload,
        cause: Cause,
        *,
        at: datetime | None = None,
    ) -> Stored:
        """Keep a record's new payload and note what changed it."""
        text = encode(payload)
        kept = self.drawer.put(
            msgspec.structs.replace(
                before, payload=text, at=at, gone=False, broken="", slot=self._slot(before, payload)
            )
        )
        self.note(kept, cause)
        return kept

    def touched(self, held: Stored | None, wanted: Stored) -> Stored:
        """Give a record that replaces `held`, its slot marked where the quote differs."""
        before = held or wanted
        return msgspec.structs.replace(wanted, slot=self._slot(before, decode(wanted.payload)))

    def _slot(self, before: Stored, payload: Payload) -> int:
        """Give the revision that last touched the quote's slot of this record."""
        coming = self.drawer.revision + 1
        if before.entity is Entity.QUOTE:
            return coming
        old: Payload = decode(before.payload) if before.payload else {}
        paths = self._slot_paths if before.entity is Entity.DEAL else ()
        same = values_at(old, paths) == values_at(payload, paths)
        return before.slot if same else coming

    def end(self, before: Stored, cause: Cause, *, merged_into: str | None = None) -> Stored:
        """Delete a record, or merge it away; it stays as evidence."""
        kept = self.drawer.put(
            msgspec.structs.replace(before, gone=True, merged_into=merged_into, at=None)
        )
        self.note(kept, cause)
        return kept

    def move_children(self, loser: str, winner: str, cause: Cause) -> int:
        """Hang the deals and contacts of an account on another; give how many moved."""
        moved = 0
        for entity in CHILDREN:
            path = self._path(entity, "account_id")
            for child in self.drawer.every(entity) if path else ():
                payload = {} if child.gone or child.broken else decode(child.payload)
                if str(at_path(payload, path)) == loser:
                    put_path(payload, path, winner)
                    self.put(child, payload, cause)
                    moved += 1
        return moved

    def paths(self, entity: Entity) -> dict[str, tuple[str, ...]]:
        """Give the properties of every contract field of an entity; a join has several."""
        mapped = self.mapping.entities.get(entity)
        return {field.name: _paths_of(field) for field in mapped.fields} if mapped else {}

    def slot_paths(self) -> tuple[str, ...]:
        """Give the properties of a deal that belong to its quote."""
        return self._slot_paths

    def _path(self, entity: Entity, name: str) -> str:
        return self.paths(entity).get(name, ("",))[0]

    def maps(self, entity: Entity) -> bool:
        """Say whether the mapping knows this entity."""
        return entity in self.mapping.entities

    def note(self, kept: Stored, cause: Cause) -> None:
        """Add a change to the list of effects."""
        self.drawer.log(
            Effect(
                **msgspec.structs.asdict(cause),
                entity=kept.entity.value,
                ref=kept.ref,
                revision=kept.revision,
                at=self.drawer.moment_of(kept.revision),
            )
        )

    def blank(self, entity: Entity, ref: str) -> tuple[Stored, Payload]:
        """Give an empty record that is not kept yet; its id stands where the mapping wants it."""
        payload: Payload = {}
        if path := self._path(entity, "id"):
            put_path(payload, path, ref)
        return Stored(entity=entity, ref=ref, payload=""), payload


def _paths_of(field: FieldMapping) -> tuple[str, ...]:
    return field.transform.paths if isinstance(field.transform, Join) else (field.path,)


def version_text(revision: int) -> str:
    """Write a revision so that versions sort as texts too.

    >>> version_text(42)
    '000000000042'
    """
    return f"{revision:012d}"


def absent(entity: Entity, ref: str, code: str, why: str) -> RemoteFailure:
    """Build the refusal for a record that cannot be written."""
    message = f"{entity.capitalize()} {ref} {why}. Nothing was changed."
    found = Diagnostic(
        code=code, severity=Severity.ERROR, message=message, entity=entity.value, crm_ref=ref
    )
    return RemoteFailure(
        message,
        error_class=ErrorClass.PERMANENT,
        outcome=Outcome.NOT_APPLIED,
        diagnostics=(found,),
    )
