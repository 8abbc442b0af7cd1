"""What a sweep asks of Tryton: every id with its stamp, and what became of the rest (ADR 5).

The list goes by id, in the database's own tables. An end is believed where Tryton says that there
is no such record: of one that a rule hides from our user it says something else. Source: measured.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from quotey.adapters.tryton.pages import Cursor, Pages, Place, read_cursor
from quotey.adapters.tryton.rpc import RefusedCallError, Rpc
from quotey.adapters.tryton.shape import MECHANISMS, MODIFIED, Shape, changed_at, id_of, record_of
from quotey.adapters.tryton.values import Doc, microseconds
from quotey.contract.adapter import Call
from quotey.contract.dto import Ends, IdPage, Listed, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.identity import canonical_json

NOT_THERE = "don't exist"
"""Tryton's words for an id that is nowhere, in the language that is asked for."""


class Listing:
    """Lists ids and finds ends; has no memory."""

    def __init__(self, rpc: Rpc, pages: Pages) -> None:
        self._rpc = rpc
        self._pages = pages

    def page(self, shape: Shape, place: str, read_to: str, limit: int, call: Call) -> IdPage:
        """List the living records after an id, at most `limit` of them."""
        after = id_of(place) or 0
        living = [["active", "=", True]] if "active" in shape.own else []
        where = [*shape.domain, *living, ["id", ">", after]]
        docs = self._docs(shape, where, limit, call)
        ahead = Ahead(self._pages, read_to)
        return IdPage(
            entity=shape.entity,
            listed=tuple(one for doc in docs if (one := _listed(doc, shape, ahead)) is not None),
            next_place=str(docs[-1]["id"]) if docs else place,
            has_more=len(docs) == limit,
        )

    def ends(self, shape: Shape, refs: tuple[str, ...], read_to: str, call: Call) -> Ends:
        """Look for each by its id, whatever it is now; then ask for the others one by one."""
        ahead = Ahead(self._pages, read_to)
        ids = {known: ref for ref in refs if (known := id_of(ref)) is not None}
        found = self._pages.known(shape, sorted(ids), call)
        docs = {int(doc["id"]): doc for doc in found.result}
        still = {number for number, doc in docs.items() if _is_one(doc, shape)}
        records = [_ended(doc, shape) for number, doc in docs.items() if number not in still]
        told = [one for one in records if one is not None]
        rest = [ref for number, ref in ids.items() if number not in docs]
        purged = self._purged(shape, rest, found.server_ts, call)
        due = {one.crm_ref for one in told if not ahead.of(docs[int(one.crm_ref)], shape)}
        return Ends(
            records=(*told, *purged),
            living=frozenset(ids[number] for number in still),
            due=frozenset(due | {one.crm_ref for one in purged}),
        )

    def _docs(self, shape: Shape, where: list[object], limit: int, call: Call) -> list[Doc]:
        fields = ["id", MODIFIED]
        if shape.entity is Entity.ACCOUNT:
            fields += [f"{MECHANISMS}.{MODIFIED}", f"{MECHANISMS}.id"]
        order = [["id", "ASC"]]
        found: list[Doc] = self._rpc.call(
            shape.model, "search_read", where, 0, limit, order, fields, call=call, **shape.context
        )
        return found

    def _purged(
        self, shape: Shape, refs: list[str], at: datetime | None, call: Call
    ) -> list[RemoteRecord]:
        """Make the tombstones of what Tryton says is nowhere.

        The server tells whole seconds, so they are dated at the end of the one that it told.
        """
        if at is None:
            return []
        gone_by = at + timedelta(seconds=1)
        return [
            RemoteRecord(
                crm_ref=ref,
                source_ts=gone_by,
                source_version=str(microseconds(gone_by)),
                payload=canonical_json({"id": ref}),
                deleted=True,
            )
            for ref in refs
            if self._is_nowhere(shape, ref, call)
        ]

    def _is_nowhere(self, shape: Shape, ref: str, call: Call) -> bool:
        """Whether Tryton itself says that there is no such record."""
        try:
            self._rpc.call(shape.model, "read", [int(ref)], ["id"], call=call, language="en")
        except RefusedCallError as failure:
            return NOT_THERE in failure.message
        return False


class Ahead:
    """What incremental reading is still to bring, by the cursor at which it stands."""

    def __init__(self, pages: Pages, read_to: str) -> None:
        cursor = read_cursor(read_to) if read_to else Cursor()
        under_way = {cursor.lane: cursor.place} if cursor.lane else {}
        self._main = under_way.get("main", pages.back(cursor.high))
        self._links = under_way.get("links", pages.back(cursor.linked))

    def of(self, doc: Doc, shape: Shape) -> bool:
        """Whether a record, or a mechanism of it, lies behind the place of its lane."""
        links = doc.get(MECHANISMS) if shape.entity is Entity.ACCOUNT else ()
        return _place(doc) > self._main or any(
            _place(one) > self._links for one in links or () if isinstance(one, dict)
        )


def _place(doc: Doc) -> Place:
    at = doc.get(MODIFIED)
    return Place(microseconds(at), int(doc["id"])) if isinstance(at, datetime) else Place()


def _listed(doc: Doc, shape: Shape, ahead: Ahead) -> Listed | None:
    at = changed_at(doc)
    if at is None:
        return None
    return Listed(
        crm_ref=str(doc["id"]),
        source_ts=at,
        source_version=str(microseconds(at)),
        due=not ahead.of(doc, shape),
    )


def _is_one(doc: Doc, shape: Shape) -> bool:
    """Whether it is still what it was: active, and of the kind that stands for this entity."""
    return bool(doc.get("active", True)) and (not shape.kind or doc.get("type") == shape.kind)


def _ended(doc: Doc, shape: Shape) -> RemoteRecord | None:
    """Make the tombstone of what was deactivated, or has become something else."""
    try:
        return record_of({**doc, "active": False}, shape)
    except ValueError:
        return None
