"""What a sweep asks of a portal: every id with its stamp, and what became of the rest.

The list is not the search index: it is strongly consistent and has no cap (crm-semantics 2H). It
asks for one property, so that a page is small. What is there is never taken for a record's values.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotey.adapters.composio.cursor import LeftBehind, left_behind, milliseconds
from quotey.adapters.composio.docs import Doc, as_doc, as_text
from quotey.adapters.composio.hubspot.portal import Portal
from quotey.adapters.composio.hubspot.shape import (
    Shape,
    merged_away,
    moment,
    tombstone,
    updated_at,
)
from quotey.adapters.composio.settings import HubSpotSettings
from quotey.contract.adapter import Call
from quotey.contract.dto import Ends, IdPage, Listed, RemoteRecord
from quotey.contract.fields import Entity


class Listing:
    """Lists ids and finds ends; has no memory."""

    def __init__(self, portal: Portal, settings: HubSpotSettings) -> None:
        self._portal = portal
        self._settings = settings

    def page(self, entity: Entity, place: str, read_to: str, limit: int, call: Call) -> IdPage:
        """List the living records after a place, at most `page_size` of them."""
        shape, behind = self._portal.shape(entity), left_behind(read_to, self._settings)
        size = max(1, min(limit, self._settings.page_size))
        op = self._portal.ops.page(shape.kind, (shape.modified,), place, size, archived=False)
        reply = self._portal.ask(op, call)
        after = as_text(as_doc(as_doc(as_doc(reply.doc).get("paging")).get("next")).get("after"))
        docs = self._portal.results(reply, op)
        return IdPage(
            entity=entity,
            listed=tuple(one for doc in docs if (one := _listed(doc, shape, behind)) is not None),
            next_place=after,
            has_more=bool(after),
        )

    def ends(self, entity: Entity, refs: tuple[str, ...], read_to: str, call: Call) -> Ends:
        """Look for each in the records, then in the recycle bin, then by its id alone."""
        shape, behind = self._portal.shape(entity), left_behind(read_to, self._settings)
        found = self._portal.read_many(shape, refs, call)
        merged = list(merged_away(found.docs.values(), refs, shape))
        settled = found.docs.keys() | found.failures.keys() | {one.crm_ref for one in merged}
        binned = self._binned(shape, [ref for ref in refs if ref not in settled], call)
        settled |= {one.crm_ref for one in binned}
        rest, now = [ref for ref in refs if ref not in settled], found.server_ts
        # Its survivor answers, or nobody; that counts as its end.
        alone = [] if now is None else self._portal.ends(shape, rest, now, call)
        told = [*merged, *binned, *(one for one in alone if one.merged_into)]
        purged = [one for one in alone if one.deleted]
        due = [one for one in told if _is_due(one, behind)]
        # A purge is told by no list, so that reading never brings it.
        return Ends(
            records=(*told, *purged),
            living=frozenset(found.docs.keys() & set(refs)),
            due=frozenset(one.crm_ref for one in (*due, *purged)),
        )

    def _binned(self, shape: Shape, refs: Sequence[str], call: Call) -> list[RemoteRecord]:
        docs = self._portal.read_many(shape, refs, call, archived=True).docs if refs else {}
        return [
            tombstone(ref, at)
            for ref, doc in docs.items()
            if ref in refs and (at := moment(doc.get("archivedAt"))) is not None
        ]


def _listed(doc: Doc, shape: Shape, behind: LeftBehind) -> Listed | None:
    ref, at = as_text(doc.get("id")), updated_at(doc, shape)
    if not ref or at is None:
        return None
    stamp = milliseconds(at)
    return Listed(crm_ref=ref, source_ts=at, source_version=str(stamp), due=stamp < behind.changes)


def _is_due(end: RemoteRecord, behind: LeftBehind) -> bool:
    """A merge is told with its survivor, by the changes; a deletion by the recycle bin."""
    read = behind.deletions if end.deleted else behind.changes
    return milliseconds(end.source_ts) < read
