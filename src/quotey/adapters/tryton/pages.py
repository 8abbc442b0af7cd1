"""Inbound pages, by keyset: after (moment of the last change, id), in that order.

Many records may share one moment, so the id belongs to the cursor. A new contact mechanism does not
touch its party, so accounts have a second lane, `links`, that reads changed mechanisms and answers
with their parties. Hard deletions leave nothing that could be read.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quotey.adapters.tryton.rpc import Reply, Rpc
from quotey.adapters.tryton.settings import TrytonSettings
from quotey.adapters.tryton.shape import MODIFIED, Shape, id_of, record_of
from quotey.adapters.tryton.sight import Sight
from quotey.adapters.tryton.values import EPOCH, Doc, at_microseconds, microseconds
from quotey.contract.adapter import Call
from quotey.contract.dto import CrmSyncResultDto, ItemFailure, RemoteRecord
from quotey.contract.errors import ErrorClass, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.refusals import foreign_cursor

LINKED = "party.contact_mechanism"
FORMAT = 1
SECOND = 1_000_000


class Place(msgspec.Struct, frozen=True, order=True):
    """The last record that was read: its moment in microseconds, and its id."""

    at: int = 0
    id: int = 0


class Cursor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far reading has come. `high` is the furthest that was ever read, in each lane.

    `lane` is the one under way, "" between two runs.
    """

    format: int = FORMAT
    lane: str = ""
    place: Place = Place()
    high: Place = Place()
    linked: Place = Place()


class Pages:
    """Reads pages; has no memory but the cursor that it is given."""

    def __init__(self, rpc: Rpc, sight: Sight, settings: TrytonSettings, provider: str) -> None:
        self._rpc = rpc
        self._sight = sight
        self._overlap = settings.overlap_seconds * SECOND
        self._provider = provider

    def page(self, shape: Shape, text: str, limit: int, call: Call) -> CrmSyncResultDto:
        """Read the page after a cursor, of at most `limit` records."""
        cursor = self._begin(shape, text, call)
        begins = not text or not read_cursor(text).lane
        if begins:
            self._sight.begin(shape.entity)
        page = self._sight.seeing(shape, call, lambda seen: self._from(seen, cursor, limit, call))
        remarks = self._sight.hidden(shape) if begins else ()
        return msgspec.structs.replace(page, diagnostics=remarks)

    def _from(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> CrmSyncResultDto:
        if cursor.lane == "links":
            return self._links(shape, cursor, limit, call)
        reply = self._after(shape.model, shape.domain, cursor.place, shape.fields, limit, call)
        place = _last(reply.result, cursor.place)
        cursor = msgspec.structs.replace(cursor, place=place, high=max(place, cursor.high))
        room = limit - len(reply.result)
        if room <= 0:
            return self._result(shape, reply, cursor)
        if shape.entity is not Entity.ACCOUNT:
            return self._result(shape, reply, msgspec.structs.replace(cursor, lane=""))
        links = msgspec.structs.replace(cursor, lane="links", place=self.back(cursor.linked))
        page, more = self._result(shape, reply, links), self._links(shape, links, room, call)
        return msgspec.structs.replace(
            more,
            records=(*page.records, *more.records),
            failures=(*page.failures, *more.failures),
        )

    def records(self, shape: Shape, refs: tuple[str, ...], call: Call) -> CrmSyncResultDto:
        """Read these records as they are now; what is gone or deactivated is left out."""
        ids = sorted({known for known in map(id_of, refs) if known is not None})

        def read(seen: Shape) -> CrmSyncResultDto:
            reply = self._by_id(seen, ids, call) if ids else Reply([], None)
            return self._result(seen, reply, Cursor())

        found = self._sight.seeing(shape, call, read)
        living = tuple(one for one in found.records if not (one.deleted or one.merged_into))
        return msgspec.structs.replace(found, records=living, next_cursor="")

    def _begin(self, shape: Shape, text: str, call: Call) -> Cursor:
        """Give the cursor of this page; a new run steps back by the overlap."""
        if not text:
            first = self._newest_link(call) if shape.entity is Entity.ACCOUNT else Place()
            return Cursor(lane="main", linked=first)
        cursor = read_cursor(text)
        if cursor.lane:
            return cursor
        return msgspec.structs.replace(cursor, lane="main", place=self.back(cursor.high))

    def known(self, shape: Shape, ids: list[int], call: Call) -> Reply:
        """Read records as they are, whatever has become of them; who is not there is missing."""
        anything = msgspec.structs.replace(shape, kind="")
        return self._sight.seeing(anything, call, lambda seen: self._by_id(seen, ids, call))

    def back(self, place: Place) -> Place:
        """Say where the next run begins, by how far one has come."""
        return Place(max(0, place.at - self._overlap)) if self._overlap else place

    def _links(self, shape: Shape, cursor: Cursor, limit: int, call: Call) -> CrmSyncResultDto:
        """Read changed mechanisms, and answer with their parties."""
        found = self._after(LINKED, [], cursor.place, ("id", "party", MODIFIED), limit, call)
        place = _last(found.result, cursor.place)
        ended = len(found.result) < limit
        cursor = msgspec.structs.replace(
            cursor,
            lane="" if ended else "links",
            place=place,
            linked=max(place, cursor.linked),
        )
        parties = sorted({int(one["party"]) for one in found.result if one.get("party")})
        docs = self._by_id(shape, parties, call).result if parties else []
        return self._result(shape, Reply(docs, found.server_ts), cursor)

    def _newest_link(self, call: Call) -> Place:
        """Find where the links' lane begins: a first load reads every party anyhow."""
        order = [[MODIFIED, "DESC"], ["id", "DESC"]]
        found = self._rpc.call(
            LINKED, "search_read", [], 0, 1, order, ["id", MODIFIED], call=call, active_test=False
        )
        return _last(found, Place())

    def _after(
        self,
        model: str,
        domain: list[object],
        place: Place,
        fields: tuple[str, ...],
        limit: int,
        call: Call,
    ) -> Reply:
        at = at_microseconds(place.at)
        after = ["OR", [[MODIFIED, ">", at]], [[MODIFIED, "=", at], ["id", ">", place.id]]]
        order = [[MODIFIED, "ASC"], ["id", "ASC"]]
        return self._rpc.ask(
            model,
            "search_read",
            [*domain, after],
            0,
            limit,
            order,
            list(fields),
            call=call,
            **({} if model == "sale.opportunity" else {"active_test": False}),
        )

    def _by_id(self, shape: Shape, ids: list[int], call: Call) -> Reply:
        where = [["id", "in", ids], *shape.domain]
        order = [["id", "ASC"]]
        return self._rpc.ask(
            shape.model,
            "search_read",
            where,
            0,
            None,
            order,
            list(shape.fields),
            call=call,
            **shape.context,
        )

    def _result(self, shape: Shape, reply: Reply, cursor: Cursor) -> CrmSyncResultDto:
        records, failures = _shaped(reply.result, shape)
        return CrmSyncResultDto(
            entity=shape.entity,
            source_provider=self._provider,
            source_ts=reply.server_ts or EPOCH,
            records=tuple(records),
            failures=tuple(failures),
            next_cursor=msgspec.json.encode(cursor).decode(),
            has_more=bool(cursor.lane),
        )


def _shaped(docs: list[Doc], shape: Shape) -> tuple[list[RemoteRecord], list[ItemFailure]]:
    """Shape each document; one that cannot be leaves its neighbours alone."""
    records: list[RemoteRecord] = []
    failures: list[ItemFailure] = []
    for doc in docs:
        try:
            records.append(record_of(doc, shape))
        except ValueError as error:
            failures.append(ItemFailure(crm_ref=str(doc.get("id") or ""), message=str(error)))
    return records, failures


def _last(docs: list[Doc], place: Place) -> Place:
    """Give the place of the last document, or the one before where there is none.

    Raises RemoteFailure when it is not further on: the same page would come for ever.
    """
    if not docs:
        return place
    at = docs[-1].get(MODIFIED)
    last = Place(microseconds(at), int(docs[-1]["id"])) if isinstance(at, datetime) else place
    if last <= place:
        message = "The page does not begin behind the one before. Nothing was read."
        raise RemoteFailure(message, error_class=ErrorClass.TRANSIENT)
    return last


def read_cursor(text: str) -> Cursor:
    """Decode a cursor. Raises RemoteFailure (permanent) for one that is not ours."""
    try:
        cursor = msgspec.json.decode(text, type=Cursor)
        at_microseconds(max(cursor.place.at, cursor.high.at, cursor.linked.at))
    except (msgspec.DecodeError, msgspec.ValidationError, OverflowError) as error:
        raise foreign_cursor() from error
    if cursor.format != FORMAT or cursor.lane not in ("", "main", "links"):
        raise foreign_cursor()
    return cursor
