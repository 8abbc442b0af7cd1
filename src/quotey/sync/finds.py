"""What a page of a sweep's list says of the mirror, and what the finds come to.

Nothing is decided here (`quotey.decide.sweep` does) and nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quotey.contract.dto import Listed, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord, RecordState
from quotey.contract.sweep import EXAMPLES, Sweep
from quotey.decide import sweep as deciding
from quotey.decide.sweep import Cause
from quotey.sync.changes import Judged
from quotey.sync.ports import Run


class Finds(msgspec.Struct, frozen=True, kw_only=True):
    """Refs of one page that differ from the mirror, and which of them reading should have had.

    `ended` are those that stand here as ended.
    """

    causes: dict[str, Cause] = msgspec.field(default_factory=dict)
    due: frozenset[str] = frozenset()
    ended: dict[str, MirrorRecord] = msgspec.field(default_factory=dict)

    def alive(self, records: Sequence[RemoteRecord]) -> list[RemoteRecord]:
        """Give what was read by id, with what has come back dated behind its end."""
        return [
            deciding.returned(one, self.ended[one.crm_ref]) if one.crm_ref in self.ended else one
            for one in records
        ]


def compare(run: Run, entity: Entity, listed: Sequence[Listed]) -> Finds:
    """Find what is not here, or stands here in an older state."""
    refs = [one.crm_ref for one in listed]
    known = run.store.records.hashes(run.connection, entity, refs)
    other = [
        one
        for one in listed
        if one.crm_ref not in known
        or known[one.crm_ref].source_version != one.source_version
        or known[one.crm_ref].state is RecordState.GONE
    ]
    unlike = [one.crm_ref for one in other]
    mirrors = run.store.records.by_refs(run.connection, entity, unlike)
    kept_out = run.store.quarantine.by_refs(run.connection, entity, unlike)
    causes: dict[str, Cause] = {}
    for one in other:
        ref = one.crm_ref
        cause = deciding.compare(one, mirrors.get(ref), kept_out.get(ref))
        if cause is not None:
            causes[ref] = cause
    ended = {ref: one for ref, one in mirrors.items() if deciding.has_ended(one)}
    due = frozenset(one.crm_ref for one in other if one.due)
    return Finds(causes=causes, due=due, ended=ended)


def counted(after: Sweep, judged: Sequence[Judged], finds: Finds) -> Sweep:
    """Add what the finds came to, and name the first of them."""
    counts, examples = after.counts, list(after.examples)
    for one in judged:
        ref = one.seen.record.crm_ref
        cause = finds.causes.get(ref)
        if cause is not None:
            found = deciding.count(cause, one.plan, due=ref in finds.due)
            counts = counts.plus(found)
            examples += [f"{cause}: {ref}"] * found.missed
    return msgspec.structs.replace(after, counts=counts, examples=tuple(examples[:EXAMPLES]))
