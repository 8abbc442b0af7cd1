"""Finding companies and contacts for a person to pick from. The index lags; nothing is bound by it.

Source: crm-semantics 1L.
"""

from __future__ import annotations

from typing import TypeVar

from quotey.adapters.composio.docs import as_doc, as_docs, as_text
from quotey.adapters.composio.hubspot.ops import Search
from quotey.adapters.composio.hubspot.portal import Portal
from quotey.adapters.composio.typed import LONGEST, account_distance, host_of
from quotey.contract.adapter import Call
from quotey.contract.dto import CrmAccountDto, CrmContactDto
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, Mapper

LIMIT = 20
WORDS = 5
D = TypeVar("D", CrmAccountDto, CrmContactDto)


class Lookups:
    """Looks things up in one portal, with the share of the budget that is kept for people."""

    def __init__(self, portal: Portal, mapper: Mapper) -> None:
        self._portal = portal
        self._mapper = mapper

    def accounts(self, text: str, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find companies by domain, by whole name, or by the beginnings of words of the name."""
        query = " ".join(text.split())[:LONGEST]
        if not query:
            return ()
        groups = [
            [_filter("domain", "EQ", host_of(query))],
            [_filter("hs_additional_domains", "CONTAINS_TOKEN", host_of(query))],
            [_filter("name", "EQ", query)],
            [_filter("name", "CONTAINS_TOKEN", f"{word}*") for word in query.split()[:WORDS]],
        ]
        found = self._find(Entity.ACCOUNT, Search(groups=groups, limit=LIMIT), CrmAccountDto, call)
        return tuple(sorted(found, key=lambda one: account_distance(query, one)))

    def contacts(self, text: str, call: Call) -> tuple[CrmContactDto, ...]:
        """Find contacts by the portal's own full-text search of names, e-mails and phones."""
        query = " ".join(text.split())[:LONGEST]
        if not query:
            return ()
        what = Search(query=query, limit=LIMIT)
        return tuple(self._find(Entity.CONTACT, what, CrmContactDto, call))

    def _find(self, entity: Entity, what: Search, wanted: type[D], call: Call) -> list[D]:
        """Search for ids, then read what they hold now; what breaks the contract is left out."""
        shape = self._portal.shape(entity)
        op = self._portal.ops.search(shape.kind, what, interactive=True)
        hits = as_docs(as_doc(self._portal.ask(op, call).doc).get("results"))
        refs = [as_text(hit.get("id")) for hit in hits]
        found = self._portal.read_many(shape, refs, call)
        docs = [found.docs[ref] for ref in refs if ref in found.docs]
        records, _failures = self._portal.records(shape, docs, call)
        read = (self._mapper.read(entity, record) for record in records)
        dtos = [one.dto for one in read if isinstance(one, Mapped)]
        return [dto for dto in dtos if isinstance(dto, wanted)]


def _filter(name: str, operator: str, value: str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": value}
