"""Fields: each one of the dictionary, through every operation that carries it, value by value."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec

from quotey.contract.dto import (
    Attachment,
    Canonical,
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    RemoteRecord,
    Value,
)
from quotey.contract.fields import FIELDS, Direction, Entity, fields_of
from quotey.contract.mapper import Mapped
from quotey.contract.values import as_text
from quotey.testing.conformance.pages import records
from quotey.testing.conformance.quotes import reading
from quotey.testing.conformance.suite import Suite, not_offered
from quotey.testing.world import (
    CALL,
    World,
    a_summary,
    an_account,
    marker_of,
    read,
    words_of,
)

ACCOUNT: Canonical = {"name": "Fieldfare Ltd", "domain": "fieldfare.example", "segment": "smb"}
CONTACT: Canonical = {
    "name": "Quillon",
    "email": "quillon@fieldfare.example",
    "title": "Buyer",
    "phone": "+1 555 0100",
}
AMOUNT, DAY = Decimal("1200.5"), date(2026, 5, 31)

BODY = b"quote"
DIGEST = hashlib.sha256(BODY).hexdigest()


def deal_values(world: World) -> Canonical:
    """Give a value for every field of a deal but its ids."""
    words = words_of(world)
    own = {"stage": words.stage, "currency": words.currency}
    return {"name": "Field deal", "amount": as_text(AMOUNT), "close_date": as_text(DAY), **own}


class FieldConformance(Suite):
    """Every field of seed 3.2, read and written by every operation that carries it."""

    def test_every_field_of_an_account_is_read(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = world.add(Entity.ACCOUNT, ACCOUNT)
            found = world.adapter.lookup_account("Fieldfare Ltd", call=CALL)
            expected = {"id": ref, **ACCOUNT}
            self.carries("lookup_account", Entity.ACCOUNT, _shown(found[0]), expected)
            self._is_in_pages(world, Entity.ACCOUNT, ref, expected)

    def test_every_field_of_a_contact_is_read(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            values = {**CONTACT, "account_id": account}
            ref = world.add(Entity.CONTACT, values)
            found = world.adapter.search_contacts("quillon@fieldfare.example", call=CALL)
            expected = {"id": ref, **values}
            self.carries("search_contacts", Entity.CONTACT, _shown(found[0]), expected)
            self._is_in_pages(world, Entity.CONTACT, ref, expected)

    def test_every_field_of_a_deal_is_read(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            values = {**deal_values(world), "account_id": an_account(world)}
            ref = world.add(Entity.DEAL, values)
            deal = world.adapter.get_deal(ref, call=CALL)
            assert deal is not None
            expected = {"id": ref, **values}
            self.carries("get_deal", Entity.DEAL, _shown(deal), expected)
            self._is_in_pages(world, Entity.DEAL, ref, expected)

    def test_every_field_of_a_created_deal_is_there(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            held = deal_values(world)
            data: dict[str, Value] = {**held, "amount": AMOUNT, "close_date": DAY}
            made = world.adapter.create_deal(account, data, key="key_fields", call=CALL)
            deal = world.adapter.get_deal(made.crm_ref, call=CALL)
            assert deal is not None
            expected = {"id": made.crm_ref, "account_id": account, **held}
            self.carries("create_deal", Entity.DEAL, _shown(deal), expected)
            self.carries("create_deal", Entity.DEAL, made.values, held)

    def test_every_field_of_a_deal_that_flows_out_is_updated(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            held = deal_values(world)
            ref = world.add(Entity.DEAL, {**held, "account_id": an_account(world)})
            updates = _updates(world, Entity.DEAL)
            written = world.adapter.update_deal(ref, updates, key="key_fields", call=CALL)
            expected = _canonical(updates)
            self.carries("update_deal", Entity.DEAL, written.values, expected)
            deal = world.adapter.get_deal(ref, call=CALL)
            assert deal is not None
            self.carries("update_deal", Entity.DEAL, _shown(deal), {**held, **expected})

    def test_every_field_of_an_account_that_flows_out_is_updated(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            if not world.adapter.capabilities.updates_accounts:
                not_offered("accounts are not updated through this adapter")
            ref = world.add(Entity.ACCOUNT, ACCOUNT)
            updates = _updates(world, Entity.ACCOUNT)
            written = world.adapter.update_account(ref, updates, key="key_fields", call=CALL)
            expected = _canonical(updates)
            self.carries("update_account", Entity.ACCOUNT, written.values, expected)
            held = world.adapter.read_records(Entity.ACCOUNT, (ref,), call=CALL)
            found = _mapped(world, Entity.ACCOUNT, held.records[0])
            self.carries("update_account", Entity.ACCOUNT, found, {**ACCOUNT, **expected})

    def test_every_field_of_a_quote_is_written(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = world.add(Entity.DEAL, {**deal_values(world), "account_id": an_account(world)})
            summary = msgspec.structs.replace(
                a_summary(version=4),
                valid_until=date(2026, 3, 31),
                attachment_ref="quotes/q_conformance-4.pdf",
            )
            written = world.adapter.write_quote(
                ref,
                summary,
                Attachment(ref="quotes/q_conformance-4.pdf", sha256=DIGEST, bytes=len(BODY)),
                marker=marker_of(summary),
                token=reading(world, ref, summary.id).token,
                call=CALL,
            )
            expected: Canonical = {
                "id": "q_conformance",
                "version": "4",
                "status": "sent",
                "total": "1500.25",
                "currency": "EUR",
                "valid_until": "2026-03-31",
                "attachment_ref": "quotes/q_conformance-4.pdf",
            }
            self.carries("write_quote", Entity.QUOTE, written.values, expected)
            found = reading(world, ref, summary.id).marker
            assert found is not None
            marker: Canonical = {"id": found.quote_id, "version": str(found.version)}
            kept: Canonical = {"id": "q_conformance", "version": "4"}
            self.carries("get_quote_marker", Entity.QUOTE, marker, kept)

    def _is_in_pages(self, world: World, entity: Entity, ref: str, expected: Canonical) -> None:
        """Look at a record as inbound reading brings it, by page and by id."""
        paged = next(one for one in records(world.adapter, entity) if one.crm_ref == ref)
        held = world.adapter.read_records(entity, (ref,), call=CALL).records[0]
        for operation, record in (("sync_incremental", paged), ("read_records", held)):
            found = _mapped(world, entity, record)
            self.carries(operation, entity, found, expected)


def _mapped(world: World, entity: Entity, record: RemoteRecord) -> Canonical:
    found = read(world, entity, record)
    assert isinstance(found, Mapped), found
    return {"id": record.crm_ref, **found.values}


def _shown(dto: CrmAccountDto | CrmContactDto | CrmDealDto) -> Canonical:
    """Give a DTO's contract fields in canonical text; `id` is the CRM's."""
    names = {row.name for row in FIELDS if row.name != "id"}
    found = {name: getattr(dto, name) for name in dto.__struct_fields__ if name in names}
    canonical: Canonical = {"id": dto.crm_ref}
    for name, value in found.items():
        if value is not msgspec.UNSET:
            canonical[name] = None if value is None else as_text(value)
    return canonical


def _updates(world: World, entity: Entity) -> dict[str, Value]:
    """Give a new value for every field that this world's mapping lets out."""
    mapped, words = world.mapping.entities[entity], words_of(world)
    new: dict[str, Value] = {
        "name": "Renamed",
        "stage": words.later_stage,
        "amount": Decimal("7.25"),
        "close_date": date(2026, 7, 1),
        "currency": words.other_currency,
        "segment": "enterprise",
        "domain": "renamed.example",
    }
    rows = [row.name for row in fields_of(entity) if row.direction is Direction.BOTH]
    fields = [mapped.field(name) for name in rows]
    return {one.name: new[one.name] for one in fields if one is not None and one.flows_out}


def _canonical(values: dict[str, Value]) -> Canonical:
    return {name: None if value is None else as_text(value) for name, value in values.items()}
