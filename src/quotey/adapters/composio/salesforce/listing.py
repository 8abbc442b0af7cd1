"""What a sweep asks of an org: every id with its stamp, and what became of the rest.

The ids come from the database itself, by ascending id, 2,000 a page. A record that is not even in
the recycle bin may have been purged or hidden from us; only the list of deletions tells which (2S).
"""

from __future__ import annotations

from datetime import datetime

from quotey.adapters.composio.cursor import LeftBehind, left_behind, milliseconds
from quotey.adapters.composio.docs import Doc, as_doc
from quotey.adapters.composio.ops import Failed, Kind
from quotey.adapters.composio.salesforce.org import Org
from quotey.adapters.composio.salesforce.pages import KEPT, deletions
from quotey.adapters.composio.salesforce.shape import (
    ID,
    Shape,
    changed_at,
    record_of,
    ref_of,
    tombstone,
)
from quotey.adapters.composio.salesforce.soql import Select, quoted
from quotey.adapters.composio.settings import SalesforceSettings
from quotey.contract.adapter import Call
from quotey.contract.dto import Ends, IdPage, Listed, RemoteRecord
from quotey.contract.fields import Entity

MOST = 2_000
"""Rows of one page of a query (2S)."""


class Listing:
    """Lists ids and finds ends; has no memory."""

    def __init__(self, org: Org, settings: SalesforceSettings) -> None:
        self._org = org
        self._settings = settings

    def page(self, entity: Entity, place: str, read_to: str, limit: int, call: Call) -> IdPage:
        """List the living records after an id; the next place is that of the last row."""
        shape, behind = self._org.shape(entity), left_behind(read_to, self._settings)
        size = max(1, min(limit, MOST))
        select = Select(
            fields=(ID, shape.modified),
            of=shape.sobject,
            where=(f"Id > {quoted(place)}",) if place else (),
            by_id=True,
            limit=size,
        )
        docs, done, reply = self._org.query(select, call)
        more, last = len(docs) >= size or not done, ref_of(docs[-1]) if docs else ""
        if more and not last:
            failed = Failed(kind=Kind.MALFORMED, message="an empty page came", trace=reply.trace)
            raise self._org.failure(failed, self._org.ops.query(select))
        return IdPage(
            entity=entity,
            listed=tuple(one for doc in docs if (one := _listed(doc, shape, behind)) is not None),
            next_place=last,
            has_more=more,
        )

    def ends(self, entity: Entity, refs: tuple[str, ...], read_to: str, call: Call) -> Ends:
        """Look for each in the recycle bin, then in the list of deletions."""
        shape, behind = self._org.shape(entity), left_behind(read_to, self._settings)
        found = self._org.read_many(shape, refs, shape.system, call)
        made = [one for doc in found.docs.values() if (one := record_of(doc, shape)) is not None]
        binned = [one for one in made if _has_ended(one)]
        purged = self._purged(shape, set(refs) - found.docs.keys(), found.server_ts, call)
        late = [one for one in binned if milliseconds(one.source_ts) < behind.changes]
        late += [one for one in purged if milliseconds(one.source_ts) < behind.deletions]
        return Ends(
            records=(*binned, *purged),
            living=frozenset(one.crm_ref for one in made if not _has_ended(one)),
            due=frozenset(one.crm_ref for one in late),
        )

    def _purged(
        self, shape: Shape, refs: set[str], now: datetime | None, call: Call
    ) -> list[RemoteRecord]:
        """Tell of those that the org says it deleted; no tool slug lists deletions."""
        if not refs or now is None or self._settings.transport == "tools":
            return []
        reply = self._org.ask(self._org.ops.deleted(shape.sobject, now - KEPT, now), call)
        return [tombstone(ref, at) for ref, at in deletions(as_doc(reply.doc)) if ref in refs]


def _listed(doc: Doc, shape: Shape, behind: LeftBehind) -> Listed | None:
    ref, at = ref_of(doc), changed_at(doc, shape)
    if not ref or at is None:
        return None
    stamp = milliseconds(at)
    return Listed(crm_ref=ref, source_ts=at, source_version=str(stamp), due=stamp < behind.changes)


def _has_ended(record: RemoteRecord) -> bool:
    return record.deleted or record.merged_into is not None
