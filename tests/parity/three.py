"""One business held by three CRMs, and one question put to the adapters of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import UNSET

from quotey.adapters import discover
from quotey.adapters.stub import StubSettings
from quotey.app.simulator import data_source
from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import Canonical, CrmAccountDto, CrmContactDto, CrmDealDto, RemoteRecord
from quotey.contract.fields import MIRRORED, Entity, fields_of
from quotey.contract.mapper import Mapped, Mapper
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping, with_default_currency
from quotey.contract.values import as_text
from quotey.testing.names import CERTIFIED, SIMULATED, Simulated
from quotey.testing.worlds import BEHIND_GATEWAY

CONNECTION = "main"
Dto = CrmAccountDto | CrmContactDto | CrmDealDto


class Held(msgspec.Struct):
    """One CRM that holds the business: its adapter, its mapping, and the ids that it gave."""

    provider: str
    adapter: CrmAdapter
    mapping: Mapping
    ids: dict[Entity, dict[str, str]]

    def ref(self, entity: Entity, key: str) -> str:
        """Give this CRM's id of a record of the business."""
        return self.ids[entity][key]

    def key(self, entity: Entity, ref: str) -> str:
        """Give the business's key of a record, or the id where it is not of the business."""
        return next((key for key, one in self.ids[entity].items() if one == ref), ref)

    def told(self, entity: Entity, dto: Dto) -> Canonical:
        """Give a DTO's contract fields in canonical text, ids as the business's keys."""
        values: Canonical = {"id": self.key(entity, dto.crm_ref or "")}
        for row in fields_of(entity):
            value = UNSET if row.name == "id" else getattr(dto, row.name)
            if value is not UNSET and value is not None:
                values[row.name] = as_text(value)
        return self._by_key(values)

    def mapped(self, entity: Entity, record: RemoteRecord) -> Canonical | None:
        """Give the contract fields of a record of a page; None when it breaks the contract."""
        found = Mapper(self.mapping, CONNECTION).read(entity, record)
        if not isinstance(found, Mapped):
            return None
        values = {name: value for name, value in found.values.items() if value is not None}
        return self._by_key({"id": self.key(entity, record.crm_ref), **values})

    def _by_key(self, values: Canonical) -> Canonical:
        if values.get("account_id"):
            values["account_id"] = self.key(Entity.ACCOUNT, str(values["account_id"]))
        return values


def required(entity: Entity, values: Canonical) -> Canonical:
    """Give the contract-required subset (seed 2.3, 3.2)."""
    names = [row.name for row in fields_of(entity) if row.need == "required"]
    return {name: values.get(name) for name in names}


@contextmanager
def three(folder: Path) -> Iterator[list[Held]]:
    """Open the stub and both vendors on the bundled data set."""
    worlds = [_behind_gateway(name) for name in SIMULATED]
    stub = _stub(folder)
    try:
        yield [stub, *(held for held, _ in worlds)]
    finally:
        stub.adapter.close()
        for _, close in worlds:
            close()


def _stub(folder: Path) -> Held:
    provider = discover()["stub"]
    settings = StubSettings()
    mapping = parse_mapping(provider.shipped_mapping(settings), name="stub.toml")
    mapping = with_default_currency(mapping, "USD")
    adapter = provider.open(settings, mapping, CONNECTION, home=folder)
    rows = data_source(None).data.entities
    ids = {entity: {row.crm_ref: row.crm_ref for row in rows[entity].rows} for entity in MIRRORED}
    return Held("stub", adapter, mapping, ids)


def _behind_gateway(name: Simulated) -> tuple[Held, Callable[[], None]]:
    provider, kind = discover()[name], BEHIND_GATEWAY[name]
    shipped = parse_mapping(provider.shipped_mapping(), name=f"{name}.toml")
    mapping = parse_mapping(kind.own_mapping, name="own.toml", over=shipped)
    mapping = with_default_currency(mapping, "USD")
    world = kind(
        mapping,
        lambda values: provider.open(
            msgspec.convert(dict(values), provider.settings), mapping, CONNECTION, home=Path()
        ),
        source=data_source(None),
    )
    ids = {entity: dict(world.rig.ids[entity]) for entity in MIRRORED}
    return Held(name, world.adapter, mapping, ids), world.close


PROVIDERS = CERTIFIED
