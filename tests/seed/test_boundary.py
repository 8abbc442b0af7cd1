"""Section 2 of the seed: the adapter boundary, the DTOs, and parity between mappings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from quotey.adapters.stub.payload import at_path
from quotey.contract.dto import (
    Attachment,
    Canonical,
    CrmAccountDto,
    CrmContactDto,
    CrmDealDto,
    CrmQuoteWriteDto,
    CrmSyncResultDto,
    MarkerState,
    QuoteMarker,
    Value,
)
from quotey.contract.fields import MIRRORED, Entity, fields_of
from quotey.contract.mapper import Mapped, Mapper
from quotey.desk import deals
from tests.seed.house import CALL, ROOT, desk_of, operation_of, quoted, remap
from tests.seed.vendors import EXPECTED, VENDORS, VendorWorld
from tests.sync.bent import Op, bend
from tests.sync.world import World, make_world

SOURCES = ROOT / "src" / "quotey"
CORE = ("contract", "decide", "store", "desk", "sync")
VENDOR_WORDS = ("hubspot", "salesforce", "composio")


# --- 2.1 the operations --------------------------------------------------------------------------


def test_the_adapter_offers_lookup_account_by_name_or_domain(synced: World) -> None:
    for text in ("Alder", "alder", "alder.example", "https://www.alder.example/about"):
        found = synced.adapter.lookup_account(text, call=CALL)
        assert [(type(one), one.crm_ref) for one in found] == [(CrmAccountDto, "A-1")], text
    assert synced.adapter.lookup_account("Nobody Ltd", call=CALL) == ()


def test_the_adapter_offers_get_deal_by_its_id(synced: World) -> None:
    deal = synced.adapter.get_deal("D-1", call=CALL)
    assert deal is not None
    assert (deal.crm_ref, deal.name, deal.account_id) == ("D-1", "One", "A-1")
    assert synced.adapter.get_deal("D-404", call=CALL) is None
    synced.crm.merge("deal", "D-2", "D-1")
    survivor = synced.adapter.get_deal("D-2", call=CALL)
    assert survivor is not None
    assert survivor.crm_ref == "D-1", "a merged deal is answered under the survivor's id"


def test_the_adapter_offers_create_deal_for_an_account_with_its_data(synced: World) -> None:
    data: dict[str, Value] = {
        "name": "New",
        "stage": "prospecting",
        "amount": Decimal("12.50"),
        "currency": "EUR",
    }
    made = synced.adapter.create_deal("A-2", data, key="k1", call=CALL)
    again = synced.adapter.create_deal("A-2", data, key="k1", call=CALL)
    deal = synced.adapter.get_deal(made.crm_ref, call=CALL)
    assert deal is not None
    assert (deal.account_id, deal.name, deal.amount) == ("A-2", "New", Decimal("12.5"))
    assert again.crm_ref == made.crm_ref, "one key makes one deal"
    assert synced.effects("create_deal") == 1


def test_the_adapter_offers_update_deal_with_its_updates_only(synced: World) -> None:
    before = synced.remote("deal", "D-1")
    synced.adapter.update_deal("D-1", {"name": "Uno"}, key="k2", call=CALL)
    assert synced.remote("deal", "D-1") == {**before, "name": "Uno"}


def test_the_adapter_offers_write_quote_with_summary_and_attachment_reference(
    synced: World,
) -> None:
    marker = QuoteMarker(instance_id="i", quote_id="q", version=1, payload_digest="d" * 64)
    summary = CrmQuoteWriteDto(
        id="q",
        deal_id=synced.deal("D-1").id,
        version=1,
        status="sent",
        total=Decimal("90.50"),
        currency="EUR",
        source_provider="stub",
        source_ts=synced.clock.now(),
    )
    attached = Attachment(ref="offer.pdf", sha256="e" * 64, bytes=7)
    token = synced.adapter.get_quote_marker("D-1", "q", call=CALL).token
    written = synced.adapter.write_quote(
        "D-1", summary, attached, marker=marker, token=token, call=CALL
    )
    assert written.crm_ref == "D-1"
    assert (written.values["total"], written.values["attachment_ref"]) == ("90.5", "offer.pdf")
    reading = synced.adapter.get_quote_marker("D-1", "q", call=CALL)
    assert (reading.state, reading.marker) == (MarkerState.OURS, marker)


def test_the_adapter_offers_sync_incremental(world: World) -> None:
    page = world.adapter.sync_incremental(Entity.DEAL, "", limit=2, call=CALL)
    assert ([one.crm_ref for one in page.records], page.has_more) == (["D-1", "D-2"], True)
    rest = world.adapter.sync_incremental(Entity.DEAL, page.next_cursor, limit=2, call=CALL)
    assert ([one.crm_ref for one in rest.records], rest.has_more) == (["D-3"], False)
    world.crm.set("deal", "D-1", {"stage": "won"})
    after = world.adapter.sync_incremental(Entity.DEAL, rest.next_cursor, limit=2, call=CALL)
    assert [one.crm_ref for one in after.records] == ["D-1"], "only what changed since"


def test_the_adapter_offers_search_contacts_by_a_query(synced: World) -> None:
    for query in ("Ada Ash", "ada", "ada@alder.example"):
        found = synced.adapter.search_contacts(query, call=CALL)
        assert [(type(one), one.crm_ref) for one in found] == [(CrmContactDto, "C-1")], query
    assert synced.adapter.search_contacts("nobody at all", call=CALL) == ()


def test_domain_and_services_consume_normalized_dtos_only(tmp_path: Path) -> None:
    """Whatever the CRM's records look like, mirror and outbox speak the contract's words."""
    with VendorWorld.open(tmp_path, "hubspot") as vendor:
        world = vendor.world
        world.sync()
        answer = quoted(world, "201")
        deals.update(desk_of(world), "201", {"name": "Renamed"})
        payloads = [op.payload for op in world.store.outbox.list("main")]
        assert answer.operation_id
        contract = {row.name for entity in Entity for row in fields_of(entity)}
        extra = {"deal_id", "attachment_sha256", "attachment_bytes"}
        for entity in MIRRORED:
            for record in world.store.records.list("main", entity, 100):
                named = {row.name for row in fields_of(entity)} - {"id"}
                assert set(record.local) <= named, record
                assert set(record.base) <= named, record
        assert payloads
        assert all(set(payload) <= contract | extra for payload in payloads)


def test_no_vendor_specific_types_may_cross_into_the_core_domain(synced: World) -> None:
    """Everything that the adapter answers is made of contract types, down to the last value."""
    adapter = synced.adapter
    answers: list[object] = [
        *adapter.lookup_account("Alder", call=CALL),
        *adapter.search_contacts("Ada", call=CALL),
        adapter.get_deal("D-1", call=CALL),
        adapter.get_quote_marker("D-1", "q", call=CALL),
        adapter.sync_incremental(Entity.DEAL, "", limit=10, call=CALL),
        adapter.read_records(Entity.ACCOUNT, ("A-1",), call=CALL),
        adapter.update_deal("D-1", {"name": "Uno"}, key="k", call=CALL),
        adapter.capabilities,
    ]
    foreign = {type(one).__module__ for answer in answers for one in _parts(answer)} - {
        "builtins",
        "datetime",
        "decimal",
    }
    assert all(name.startswith("quotey.contract.") for name in foreign), foreign
    assert not set(_imports(CORE)) & {"quotey.adapters"}


def test_no_vendor_word_stands_outside_the_adapters() -> None:
    outside = [
        path
        for path in SOURCES.rglob("*")
        if path.suffix in {".py", ".sql", ".toml"}
        and path.relative_to(SOURCES).parts[0] not in {"adapters", "testing"}
    ]
    assert len(outside) > 50
    found = [
        (path.name, word)
        for path in outside
        for word in VENDOR_WORDS
        if word in path.read_text(encoding="utf-8").lower()
    ]
    assert found == []


def _parts(value: object) -> list[object]:
    """Give a value and everything inside it that has a type of its own."""
    if value is UNSET:
        return []
    if isinstance(value, msgspec.Struct):
        inner: list[object] = list(msgspec.structs.astuple(value))
    elif isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, list | tuple):
        inner = list(value)
    else:
        return [value]
    return [value, *(part for one in inner for part in _parts(one))]


def _imports(rooms: tuple[str, ...]) -> list[str]:
    """Name the rooms of ours that these rooms import."""
    found: list[str] = []
    for path in (path for room in rooms for path in (SOURCES / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found += [".".join(name.split(".")[:2]) for name in names]
    return found


# --- 2.2 the DTOs --------------------------------------------------------------------------------


def dtos(world: World) -> dict[type, Any]:
    """Let real traffic make one of each DTO."""
    seen: list[CrmQuoteWriteDto] = []

    def write_quote(
        deal_id: str, summary: CrmQuoteWriteDto, *rest: object, **named: object
    ) -> object:
        seen.append(summary)
        operation: Op = world.stub.write_quote
        return operation(deal_id, summary, *rest, **named)

    quoted(world)
    world.adapter = bend(world.stub, write_quote=write_quote)
    world.sync()
    found = [
        *world.stub.lookup_account("Alder", call=CALL),
        *world.stub.search_contacts("Ada Ash", call=CALL),
        world.stub.get_deal("D-1", call=CALL),
        *seen,
        world.stub.sync_incremental(Entity.CONTACT, "", limit=10, call=CALL),
    ]
    return {type(one): one for one in found}


RECORDS = (CrmAccountDto, CrmContactDto, CrmDealDto)


def test_the_canonical_dtos_are_account_contact_deal_quote_write_and_sync_result(
    synced: World,
) -> None:
    found = dtos(synced)
    assert set(found) == {*RECORDS, CrmQuoteWriteDto, CrmSyncResultDto}
    assert found[CrmDealDto].close_date == datetime(2026, 5, 1, tzinfo=UTC).date()
    assert found[CrmQuoteWriteDto].total == Decimal(90)
    assert found[CrmSyncResultDto].entity is Entity.CONTACT
    assert len(found[CrmSyncResultDto].records) == 2


def test_each_dto_has_a_stable_internal_id(synced: World) -> None:
    """The id stays when the record is renamed, read again, or read by another process."""
    before = _ids(synced)
    assert before == [
        synced.record(entity, ref).id for entity, ref in zip(MIRRORED, REFS, strict=True)
    ]
    assert len(set(before)) == len(before)
    assert dtos(synced)[CrmQuoteWriteDto].deal_id == before[-1]
    synced.crm.set("account", "A-1", {"website": "elsewhere.example"})
    synced.crm.set("contact", "C-1", {"email": "ada@elsewhere.example"})
    synced.crm.set("deal", "D-1", {"name": "Renamed", "stage": "won"})
    synced.restart()
    synced.sync()
    assert _ids(synced) == before
    assert _ids(synced) == [
        synced.record(entity, ref).id for entity, ref in zip(MIRRORED, REFS, strict=True)
    ]


REFS = ("A-1", "C-1", "D-1")


def _ids(world: World) -> list[str]:
    """Ask the adapter for an account, a contact and a deal, and give their internal ids."""
    deal = world.stub.get_deal("D-1", call=CALL)
    assert deal is not None
    found = (
        world.stub.lookup_account("Alder", call=CALL)[0],
        world.stub.search_contacts("Ada Ash", call=CALL)[0],
        deal,
    )
    return [one.id for one in found]


def test_each_dto_has_an_optional_crm_ref_external_id(synced: World) -> None:
    found = dtos(synced)
    assert [found[kind].crm_ref for kind in RECORDS] == list(REFS)
    assert found[CrmQuoteWriteDto].crm_ref == "D-1"
    assert all(one.crm_ref for one in found[CrmSyncResultDto].records)
    terms: dict[str, Value] = {"name": "Local", "stage": "prospecting"}
    made = deals.create(desk_of(synced), "A-1", terms)
    assert made.record.crm_ref is None, "what the CRM does not have yet has none"
    synced.sync()
    bound = synced.store.records.get(Entity.DEAL, made.record.id)
    assert bound is not None
    assert bound.crm_ref, "it is bound once the CRM has it"


def test_each_dto_has_source_provider_and_source_ts(synced: World) -> None:
    as_of = datetime(2026, 1, 15, 9, tzinfo=UTC)
    for kind, dto in dtos(synced).items():
        assert dto.source_provider == "stub", kind
        assert dto.source_ts.utcoffset() is not None, kind
    edited = datetime(2026, 1, 20, 12, tzinfo=UTC)
    synced.crm.set("deal", "D-3", {"stage": "lost"}, at=edited)
    deal = synced.adapter.get_deal("D-3", call=CALL)
    account = synced.adapter.lookup_account("Cedar", call=CALL)[0]
    assert deal is not None
    assert deal.source_ts == edited, "the moment of the source, not ours"
    assert as_of <= account.source_ts < edited


def test_each_dto_has_mapping_diagnostics_for_partial_field_coverage(synced: World) -> None:
    remap(synced, '[account.fields.segment]\ndefault = "smb"\n')
    synced.crm.set("account", "A-1", {"website": "not a domain!"}, unset=["segment"])
    account = synced.adapter.lookup_account("Alder", call=CALL)[0]
    assert account.segment == "smb"
    assert account.domain is UNSET
    told = {(one.field, one.code) for one in account.diagnostics}
    assert told == {("segment", "default_used"), ("domain", "malformed")}
    synced.crm.set("account", "A-1", {}, unset=["website"])
    partial = synced.adapter.lookup_account("Alder", call=CALL)[0]
    assert ("domain", "absent") in {(one.field, one.code) for one in partial.diagnostics}
    whole = synced.adapter.lookup_account("Birch", call=CALL)[0]
    assert whole.diagnostics == ()
    assert {"diagnostics"} <= set(CrmSyncResultDto.__struct_fields__) & set(
        CrmQuoteWriteDto.__struct_fields__
    )


# --- 2.3 parity ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VENDORS)
def test_the_same_request_gives_the_same_required_fields_whatever_the_crm_looks_like(
    tmp_path: Path, name: str
) -> None:
    """Three CRMs of quite different shape, the same requests, the answers of the contract."""
    with VendorWorld.open(tmp_path, name) as vendor:
        world, adapter = vendor.world, vendor.world.adapter
        [account] = adapter.lookup_account("Birch", call=CALL)
        [contact] = adapter.search_contacts("ben@birch.example", call=CALL)
        deal = adapter.get_deal("202", call=CALL)
        assert (account.crm_ref, account.name, account.segment) == ("2", "Birch", "enterprise")
        assert (contact.crm_ref, contact.name, contact.account_id) == ("102", "Ben Beech", "2")
        assert deal is not None
        assert (deal.crm_ref, deal.account_id, deal.name) == ("202", "2", "Two")
        assert (deal.stage, deal.amount) == ("qualification", Decimal("200.5"))
        assert _everything(world) == EXPECTED


@pytest.mark.parametrize("name", VENDORS)
def test_the_same_write_is_the_same_whatever_the_crm_looks_like(tmp_path: Path, name: str) -> None:
    with VendorWorld.open(tmp_path, name) as vendor:
        world, adapter = vendor.world, vendor.world.adapter
        assert world.sync().exit_code == 0
        answer = quoted(world, "202", total="12.50", valid_until="2026-09-30")
        deals.update(desk_of(world), "201", {"name": "Uno", "amount": "101.25"})
        assert world.sync().exit_code == 0
        op = operation_of(world, answer)
        quotes = world.mapping.entities[Entity.QUOTE]
        payload = world.remote("deal", "202")
        held = {field.name: at_path(payload, field.path) for field in quotes.fields}
        ours = QuoteMarker(
            instance_id=world.store.instance_id,
            quote_id=answer.quote.id,
            version=1,
            payload_digest=op.digest,
        )
        reading = adapter.get_quote_marker("202", answer.quote.id, call=CALL)
        assert (reading.state, reading.marker) == (MarkerState.OURS, ours)
        assert {name: str(value) for name, value in held.items() if value is not None} == {
            "id": answer.quote.id,
            "version": "1",
            "status": "priced",
            "total": "12.5",
            "currency": "EUR",
            "valid_until": "2026-09-30",
        }
        changed = {"name": "Uno", "amount": "101.25"}
        assert _everything(world)["deal", "201"] == EXPECTED["deal", "201"] | changed


def _everything(world: World) -> dict[tuple[str, str], Canonical]:
    """Read the whole CRM, page by page, as contract values."""
    mapper = Mapper(world.mapping, "main")
    pages = (world.adapter.sync_incremental(one, "", limit=10, call=CALL) for one in MIRRORED)
    return {
        (str(page.entity), record.crm_ref): mapped.values
        for page in pages
        for record in page.records
        if isinstance(mapped := mapper.read(page.entity, record), Mapped)
    }


RICH_DEALS = """id,name,account_id,stage,amount,close_date,currency,owner,region
D-1,One,A-1,prospecting,100.00,2026-05-01,EUR,Olga,north
"""


@pytest.fixture
def rich(tmp_path: Path) -> Iterator[World]:
    """A world whose CRM tells more of a deal than the contract asks."""
    made = make_world(tmp_path, deals=RICH_DEALS)
    assert made.sync().exit_code == 0
    yield made
    made.close()


def test_richer_fields_stay_in_adapter_local_metadata(rich: World) -> None:
    deal = rich.adapter.get_deal("D-1", call=CALL)
    assert deal is not None
    assert deal.extras == {"owner": "Olga", "region": "north"}
    assert rich.deal("D-1").extras == deal.extras
    before = rich.deal("D-1")
    rich.crm.set("deal", "D-1", {"owner": "Omar"})
    report = rich.sync()
    after = rich.deal("D-1")
    assert after.extras["owner"] == "Omar"
    assert (after.local, after.base, after.local_version) == (
        before.local,
        before.base,
        before.local_version,
    )
    assert report.entities[-1].counts.updated == 0, "they take part in no decision"
    assert rich.events("record.updated") == ()


def test_extras_are_not_promoted_until_the_field_dictionary_is_updated(rich: World) -> None:
    assert "north" not in rich.deal("D-1").local.values()
    remap(rich, '[deal.fields.x_region]\npath = "region"\ntype = "text"\n')
    rich.sync()
    assert rich.deal("D-1").local["x_region"] == "north"
    assert rich.deal("D-1").extras == {"owner": "Olga"}
