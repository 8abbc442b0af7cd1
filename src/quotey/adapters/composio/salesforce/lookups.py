"""Finding accounts and contacts for a person to pick from.

SOQL's LIKE minds no case and answers from the database; nothing is bound by what is found.
Source: crm-semantics 1L.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from quotey.adapters.composio.salesforce.org import Org
from quotey.adapters.composio.salesforce.shape import record_of
from quotey.adapters.composio.salesforce.soql import Select, containing
from quotey.adapters.composio.typed import LONGEST, account_distance, host_of
from quotey.contract.adapter import Call
from quotey.contract.dto import CrmAccountDto, CrmContactDto
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, Mapper

SHOWN = 20
"""Records that are given to a person."""
CANDIDATES = 200
"""Records that are ranked for that: the org cannot sort by how well a name fits."""
D = TypeVar("D", CrmAccountDto, CrmContactDto)


class Lookups:
    """Looks things up in one org, with the share of the budget that is kept for people."""

    def __init__(self, org: Org, mapper: Mapper) -> None:
        self._org = org
        self._mapper = mapper

    def accounts(self, text: str, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find accounts by a part of the name or of the web site, best first."""
        query = _typed(text)
        if not query:
            return ()
        either = {"Name": query.split(), "Website": [host_of(query)]}
        found = self._find(Entity.ACCOUNT, either, CrmAccountDto, call)
        return tuple(sorted(found, key=lambda one: account_distance(query, one))[:SHOWN])

    def contacts(self, text: str, call: Call) -> tuple[CrmContactDto, ...]:
        """Find contacts by a part of the name, the e-mail or a phone number."""
        words = _typed(text).split()
        either = dict.fromkeys(("Name", "Email", "Phone", "MobilePhone"), words)
        found = self._find(Entity.CONTACT, either, CrmContactDto, call) if words else []
        return tuple(found[:SHOWN])

    def _find(
        self, entity: Entity, either: Mapping[str, list[str]], wanted: type[D], call: Call
    ) -> list[D]:
        """Query for what has these words in one of the fields; what is hidden is not asked.

        What breaks the contract is left out.
        """
        shape = self._org.shape(entity)
        shown = self._org.shown(shape, call)
        tests = [f"{name} LIKE {containing(words)}" for name, words in either.items()]
        asked = [test for test in tests if test.split(" ")[0] in shown]
        if not asked:
            return []
        select = Select(
            fields=self._org.fields(shape, call),
            of=shape.sobject,
            where=(f"({' OR '.join(asked)})",),
            by_id=True,
            limit=CANDIDATES,
        )
        docs, _, _ = self._org.query(select, call, interactive=True)
        records = (record_of(doc, shape) for doc in docs)
        read = (self._mapper.read(entity, one) for one in records if one is not None)
        dtos = [one.dto for one in read if isinstance(one, Mapped)]
        return [dto for dto in dtos if isinstance(dto, wanted)]


def _typed(text: str) -> str:
    return " ".join(text.split())[:LONGEST]
