"""What a person can do inside the stub CRM: edit, delete, merge, make it fail, look at it.

These are edits on the other side, as a sales person would make them; the next sync meets them.
Every tool checks its input and raises UsageError; nothing is changed then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from quotey.adapters.stub.checks import entity_of, fault_of, in_utc, like, new_ref_of, told
from quotey.adapters.stub.crm import StubCrm
from quotey.adapters.stub.definitions import DefinedProperty, Edited
from quotey.adapters.stub.drawer import Cause, Effect, Stored
from quotey.adapters.stub.faults import FaultKind, FaultQueue, FaultSpec
from quotey.adapters.stub.late import LateWrites
from quotey.adapters.stub.load import Reloaded, refill
from quotey.adapters.stub.payload import Payload, at_path, decode, put_path
from quotey.adapters.stub.play import Edit, Played, read_edits
from quotey.contract.errors import NotFoundError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.problems import did_you_mean

PLAYED = "played"


class RemoteState(msgspec.Struct, frozen=True, kw_only=True):
    """A record as the stub CRM holds it: its own words, not the contract's."""

    entity: str
    ref: str
    revision: int
    at: datetime
    payload: Payload
    deleted: bool = False
    merged_into: str | None = None
    broken: str = ""


class StubTools:
    """The commands `quotey crm stub ...` over one stub file."""

    def __init__(self, crm: StubCrm, dataset: Path | None) -> None:
        self._crm = crm
        self._drawer = crm.drawer
        self._faults = FaultQueue(crm.drawer)
        self._late = LateWrites(crm)
        self._dataset = dataset

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._drawer.close()

    # --- edits --------------------------------------------------------------------------------

    def set(
        self,
        entity: str,
        ref: str,
        fields: Mapping[str, str | None],
        *,
        unset: Iterable[str] = (),
        at: datetime | None = None,
    ) -> RemoteState:
        """Write fields of a record, in the CRM's own words; None is null, `unset` takes away.

        A name is a contract field (`stage`) or else a property of the record. A deleted record
        comes back. `at` is the moment that the record then carries.
        """
        with self._drawer.transaction():
            return self._state(self._set(entity_of(entity), ref, fields, unset, in_utc(at)))

    def add(
        self,
        entity: str,
        ref: str,
        fields: Mapping[str, str | None],
        *,
        at: datetime | None = None,
    ) -> RemoteState:
        """Make a record; an empty `ref` takes the next free id. One that is gone may come anew."""
        kind = entity_of(entity)
        with self._drawer.transaction():
            return self._state(self._add(kind, ref, fields, in_utc(at)))

    def delete(self, entity: str, ref: str) -> RemoteState:
        """Delete a record; it stays as evidence that it is gone."""
        with self._drawer.transaction():
            stored = self._living(entity_of(entity), ref)
            return self._state(self._crm.end(stored, Cause(operation="tool.delete")))

    def merge(self, entity: str, loser: str, winner: str) -> RemoteState:
        """Merge one record into another; an account's deals and contacts move along."""
        with self._drawer.transaction():
            return self._state(self._merge(entity_of(entity), loser, winner))

    def define(self, name: str, edited: Edited) -> DefinedProperty:
        """Define a property (`object.property`, or a contract field) as an administrator would.

        `Edited()` restores it. The records stay as they are.
        """
        with self._drawer.transaction():
            return self._crm.definitions.define(name, edited)

    # --- faults -------------------------------------------------------------------------------

    def fail(
        self,
        kind: str,
        *,
        operation: str = "*",
        times: int = 1,
        after: int = 0,
        retry_after: float | None = None,
        delay: int | None = None,
    ) -> FaultSpec:
        """Tell the stub to fail: `kind` at `operation` (a glob), `times` times after `after` calls.

        Kinds: timeout_before, timeout_after, server_error, rate_limited (with `retry_after` seconds
        or none), auth (until the connection is authorised anew), mapping_error, partial_batch,
        duplicate_page, out_of_order, skipped_rows, late_effect (of write_quote; it lands when
        `delay` further requests were answered, or at `land`).
        """
        spec = fault_of(kind, operation, times, after, retry_after, delay)
        with self._drawer.transaction():
            self._faults.add(spec)
        return spec

    def faults(self) -> tuple[FaultSpec, ...]:
        """Give the faults that wait."""
        return self._faults.waiting()

    def heal(self) -> int:
        """Forget all faults; give how many there were."""
        with self._drawer.transaction():
            waiting = len(self._faults.waiting())
            self._faults.clear()
        return waiting

    def land(self, most: int = -1) -> int:
        """Let late effects land now, the oldest first (-1 = all); give how many landed."""
        with self._drawer.transaction():
            return self._late.land(most)

    def reauthorise(self) -> None:
        """End an auth stop: what `quotey crm connect` does for a stub."""
        with self._drawer.transaction():
            self._faults.clear(FaultKind.AUTH)

    # --- a script, and back to the start ------------------------------------------------------

    def play(self, steps: int | None = None, *, script: Path | None = None) -> tuple[Played, ...]:
        """Play the next steps of the script of later edits; None plays all that are left.

        The step that fails is not played, nor is any after it; those before it stay.
        """
        if steps is not None and steps < 1:
            raise UsageError("steps must be at least 1. Nothing was played.")
        edits = read_edits(self._dataset, script)
        first = int(self._drawer.setting(PLAYED, "0"))
        last = len(edits) if steps is None else min(len(edits), first + steps)
        return tuple(
            self._play(edits[index], index + 1, len(edits)) for index in range(first, last)
        )

    def reset(self) -> Reloaded:
        """Bring the CRM back to its data set, as edits that a sync meets; forget all else."""
        done = refill(self._crm, self._dataset)
        self.heal()
        self._late.forget()
        with self._drawer.transaction():
            self._crm.definitions.restore()
        return done

    # --- looking ------------------------------------------------------------------------------

    def show(self, entity: str, ref: str) -> RemoteState:
        """Show one record, also one that is gone."""
        return self._state(self._known(entity_of(entity), ref))

    def list(self, entity: str, *, limit: int = 100, after: int = 0) -> tuple[RemoteState, ...]:
        """Show the records of one entity in the order of their last change, from a revision on."""
        found = self._drawer.page(entity_of(entity), after, max(1, limit))
        return tuple(self._state(stored) for stored in found)

    def log(self, *, limit: int = 0) -> tuple[Effect, ...]:
        """Give every change the CRM has seen since it was loaded, oldest first (0 = all)."""
        effects = self._drawer.effects()
        return effects[-limit:] if limit > 0 else effects

    # --- inside -------------------------------------------------------------------------------

    def _set(
        self,
        entity: Entity,
        ref: str,
        fields: Mapping[str, str | None],
        unset: Iterable[str],
        at: datetime | None,
    ) -> Stored:
        stored = self._known(entity, ref)
        payload = decode(stored.payload)
        changes: dict[str, str | None | UnsetType] = {**fields, **dict.fromkeys(unset, UNSET)}
        if not changes:
            raise UsageError("Say what to set, as stage=won. Nothing was changed.")
        self._write(entity, payload, changes)
        back = msgspec.structs.replace(stored, merged_into=None)
        return self._crm.put(back, payload, Cause(operation="tool.set", body=told(changes)), at=at)

    def _add(
        self, entity: Entity, ref: str, fields: Mapping[str, str | None], at: datetime | None
    ) -> Stored:
        held = self._drawer.get(entity, new_ref_of(ref)) if ref else None
        if held is not None and not held.gone:
            raise UsageError(f"There is a {entity} {ref} already. Nothing was changed.")
        blank, payload = self._crm.blank(entity, ref or self._crm.new_ref(entity))
        self._write(entity, payload, dict(fields))
        return self._crm.put(blank, payload, Cause(operation="tool.add", body=told(fields)), at=at)

    def _write(
        self, entity: Entity, payload: Payload, changes: Mapping[str, str | None | UnsetType]
    ) -> None:
        for name, value in changes.items():
            path, *others = self._paths(entity, name, payload)
            raw = value if value is UNSET else like(at_path(payload, path), value)
            put_path(payload, path, raw)
            for other in others:  # the whole of a joined field now stands in its first part
                put_path(payload, other, UNSET if value is UNSET else None)

    def _paths(self, entity: Entity, name: str, payload: Payload) -> tuple[str, ...]:
        """Give the properties of a contract field, or the property itself when it is one."""
        mapped = self._crm.paths(entity)
        if name in mapped:
            return mapped[name]
        quote = self._crm.slot_paths() if entity is Entity.DEAL else ()
        known = [*(path for paths in mapped.values() for path in paths), *quote]
        if name in known or at_path(payload, name) is not UNSET:
            return (name,)
        raise UsageError(
            f"A {entity} of the stub has no {name!r}. "
            f"{did_you_mean(name, dict.fromkeys([*mapped, *known, *payload]))} Nothing was changed."
        )

    def _known(self, entity: Entity, ref: str) -> Stored:
        stored = self._drawer.get(entity, ref)
        if stored is None:
            raise NotFoundError(entity, ref, next=(f"quotey crm stub show {entity}",))
        return stored

    def _living(self, entity: Entity, ref: str) -> Stored:
        stored = self._known(entity, ref)
        if stored.gone:
            raise UsageError(f"{entity.capitalize()} {ref} is gone already. Nothing was changed.")
        return stored

    def _play(self, edit: Edit, step: int, of: int) -> Played:
        """Do one step and remember it, in one transaction."""
        entity = entity_of(edit.entity)
        fields: dict[str, str | None] = {**edit.fields, **dict.fromkeys(edit.clear)}
        with self._drawer.transaction():
            match edit.action:
                case "set":
                    self._set(entity, edit.ref, fields, (), in_utc(edit.at))
                case "add":
                    self._add(entity, edit.ref, fields, in_utc(edit.at))
                case "delete":
                    self._crm.end(self._living(entity, edit.ref), Cause(operation="tool.delete"))
                case "merge":
                    self._merge(entity, edit.ref, edit.into)
            self._drawer.set_setting(PLAYED, str(step))
        return Played(
            step=step, of=of, entity=entity, ref=edit.ref, action=edit.action, why=edit.why
        )

    def _merge(self, entity: Entity, loser: str, winner: str) -> Stored:
        if loser == winner:
            raise UsageError(f"{loser} cannot be merged into itself. Nothing was changed.")
        kept = self._living(entity, winner)
        lost = self._living(entity, loser)
        gone = self._crm.end(lost, Cause(operation="tool.merge"), merged_into=kept.ref)
        if entity is Entity.ACCOUNT:
            self._crm.move_children(loser, winner, Cause(operation="tool.merge"))
        return gone

    def _state(self, stored: Stored) -> RemoteState:
        return RemoteState(
            entity=stored.entity,
            ref=stored.ref,
            revision=stored.revision,
            at=self._drawer.moment(stored),
            payload=decode(stored.payload),
            deleted=stored.gone,
            merged_into=stored.merged_into,
            broken=stored.broken,
        )
