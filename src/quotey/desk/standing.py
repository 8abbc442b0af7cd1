"""How our value of a field stands to the CRM's: agreed, on its way, asked about, or left behind.

Pure; it looks at facts that the caller gathered. Source: ADR 0002.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

from quotey.contract.journal import MirrorRecord, Operation
from quotey.contract.mapping import FieldMapping
from quotey.contract.reconciliation import Reconciliation
from quotey.decide.sentence import shown


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence ("" where neither side has a value), and what helps where nothing moves."""

    sentence: str
    next: tuple[str, ...] = ()


def standing(
    record: MirrorRecord,
    field: FieldMapping,
    *,
    waiting: Sequence[Operation],
    items: Sequence[Reconciliation],
) -> Standing:
    """Say how one field of a record stands; `waiting` and `items` are those of the record."""
    name = field.name
    if name in record.remote:
        sentence = f"The CRM's {shown(record.remote[name])} waits for a decision."
        steps = (f"quotey crm reconcile show {one.id}" for one in items if one.field_name == name)
        return Standing(sentence=sentence, next=tuple(steps))
    if name not in record.local and name not in record.base:
        return Standing(sentence="")
    ours, theirs = record.local.get(name), record.base.get(name)
    if ours == theirs:
        return Standing(sentence=f"Both sides hold {shown(ours)}.")
    carrier = next((op for op in waiting if name in op.payload), None)
    if carrier is not None:
        return Standing(sentence=f"It is on its way to the CRM ({carrier.id}, {carrier.state}).")
    return _left_behind(record, field, ours, theirs)


def _left_behind(
    record: MirrorRecord, field: FieldMapping, ours: str | None, theirs: str | None
) -> Standing:
    """Say what stands here only: it does not flow out, or what carried it was dropped."""
    here = f"{record.entity}/{record.id}"
    if record.crm_ref is None:
        sentence = f"The CRM has no such {record.entity} and nothing is on its way."
        return Standing(sentence=sentence, next=(f"quotey crm outbox list --record {here} --all",))
    if not field.flows_out:
        return Standing(sentence=f"It stands here only; the CRM holds {shown(theirs)}.")
    sentence = f"The CRM holds {shown(theirs)} and nothing is on its way."
    edit = shlex.quote(f"{field.name}={ours or ''}")
    step = f"quotey crm {record.entity} update {record.id} {edit}"
    return Standing(sentence=sentence, next=(step,))
