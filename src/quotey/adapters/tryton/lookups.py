"""What a person types, looked up: parties by name or web site, contacts by all that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.shape import MECHANISMS, Shape, record_of
from quotey.adapters.tryton.sight import Sight
from quotey.contract.adapter import Call
from quotey.contract.dto import CrmAccountDto, CrmContactDto, RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.mapper import CrmDto, Mapped, Mapper

MOST = 20
LONGEST = 200


class Lookups:
    """Looks up in one database."""

    def __init__(
        self, rpc: Rpc, sight: Sight, shapes: Mapping[Entity, Shape], mapper: Mapper
    ) -> None:
        self._rpc = rpc
        self._sight = sight
        self._shapes = shapes
        self._mapper = mapper

    def accounts(self, query: str, call: Call) -> tuple[CrmAccountDto, ...]:
        """Find parties, the very name or domain first."""
        text, host = query.strip()[:LONGEST], host_of(query[:LONGEST])
        where: list[object] = [
            "OR",
            ["name", "ilike", like(text)],
            [f"{MECHANISMS}.value", "ilike", like(host)],
        ]
        found = cast("list[CrmAccountDto]", self._found(Entity.ACCOUNT, where, text, call))
        return tuple(sorted(found, key=lambda one: _distance(text, host, one)))

    def contacts(self, query: str, call: Call) -> tuple[CrmContactDto, ...]:
        """Find contacts by name, e-mail or phone."""
        text = query.strip()[:LONGEST]
        paths = ("name", "value", "party.name", f"party.{MECHANISMS}.value")
        where: list[object] = ["OR", *([path, "ilike", like(text)] for path in paths)]
        found = self._found(Entity.CONTACT, where, text, call)
        return tuple(cast("list[CrmContactDto]", found))

    def _found(self, entity: Entity, where: list[object], text: str, call: Call) -> list[CrmDto]:
        """Give what keeps the contract of what was found."""
        shape = self._shapes[entity]
        if not text:
            return []
        records = self._sight.seeing(
            shape, call, lambda seen: self._records(seen, [*shape.domain, where], call)
        )
        read = (self._mapper.read(entity, one) for one in records)
        return [one.dto for one in read if isinstance(one, Mapped)]

    def _records(self, shape: Shape, where: list[object], call: Call) -> list[RemoteRecord]:
        order, fields = [["id", "ASC"]], list(shape.fields)
        docs = self._rpc.call(shape.model, "search_read", where, 0, MOST, order, fields, call=call)
        return [record_of(doc, shape) for doc in docs]


def like(text: str) -> str:
    r"""Make a pattern that finds a text anywhere; its own wild cards are none.

    >>> like("100%")
    '%100\\%%'
    """
    plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"


def host_of(text: str) -> str:
    """Give what could be a host name in what was typed.

    >>> host_of("https://www.Example.com/shop")
    'example.com'
    """
    bare = text.strip().casefold().partition("://")
    return (bare[2] or bare[0]).partition("/")[0].removeprefix("www.")


def _distance(text: str, host: str, account: CrmAccountDto) -> int:
    if account.domain == host:
        return 0
    name = account.name.casefold() if isinstance(account.name, str) else ""
    if name == text.casefold():
        return 1
    return 2 if name.startswith(text.casefold()) else 3
