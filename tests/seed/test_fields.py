"""Section 3 of the seed: which fields are mapped, which are needed, and what a breach does."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from quotey.contract.errors import ErrorClass, MappingError, UsageError
from quotey.contract.fields import BY_PATH, MIRRORED, Entity, Need
from quotey.contract.identity import local_id
from quotey.contract.journal import Hold, OpState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.desk import deals, quotes
from quotey.desk.quotes import QuoteTerms
from tests.cli.terminal import Terminal
from tests.seed.house import (
    CALL,
    desk_of,
    marker_in_crm,
    operation_of,
    quote_now,
    quoted,
    remap,
    shipped,
    without,
)
from tests.seed.vendors import VENDORS, mapping_text
from tests.sync.world import World

REQUIRED, RECOMMENDED = Need.REQUIRED, Need.RECOMMENDED

SEED = {
    "account.id": ("external account id (`crm_ref`)", REQUIRED, "stable link key"),
    "account.name": ("account name", REQUIRED, "primary lookup field"),
    "account.domain": ("website/domain", RECOMMENDED, "fuzzy lookup aid"),
    "account.segment": ("customer segment", REQUIRED, "pricing/policy context"),
    "deal.id": ("external deal/opportunity id (`crm_ref`)", REQUIRED, "sync key"),
    "deal.account_id": ("parent account id", REQUIRED, "referential integrity"),
    "deal.name": ("opportunity name", REQUIRED, "user-facing context"),
    "deal.stage": ("pipeline stage", REQUIRED, "context and reporting"),
    "deal.amount": ("deal amount", RECOMMENDED, "routing and context"),
    "deal.close_date": ("close date", RECOMMENDED, "planning context"),
    "quote.id": ("quote identifier", REQUIRED, "writeback identity"),
    "quote.version": ("quote revision", REQUIRED, "stale-write guard"),
    "quote.status": ("lifecycle status", REQUIRED, "CRM visibility"),
    "quote.total": ("priced total", REQUIRED, "commercial output"),
    "quote.currency": ("currency code", REQUIRED, "monetary correctness"),
    "quote.valid_until": ("expiry date", RECOMMENDED, "lifecycle signal"),
    "quote.attachment_ref": ("PDF/file reference", RECOMMENDED, "buyer-facing artifact"),
}
"""The table of seed 3.2, row by row, in its own words."""


# --- 3.1 scope -----------------------------------------------------------------------------------


def test_account_contact_deal_and_quote_writeback_summary_are_in_scope(synced: World) -> None:
    assert set(Entity) == {"account", "contact", "deal", "quote"}
    counts = [synced.store.records.count("main", entity) for entity in MIRRORED]
    assert counts == [3, 2, 3]
    answer = quoted(synced)
    synced.sync()
    assert synced.remote("deal", "D-1")["quote_id"] == answer.quote.id


# --- 3.2 the map ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SEED)
def test_the_field_is_in_the_dictionary_and_in_every_shipped_mapping(path: str) -> None:
    category, need, note = SEED[path]
    row = BY_PATH[path]
    assert (row.category, row.need, row.note) == (category, need, note)
    for vendor in VENDORS:
        mapping = parse_mapping(mapping_text(vendor), name=f"{vendor}.toml")
        field = mapping.entities[row.entity].field(row.name)
        assert field is not None, vendor
        assert field.path, vendor
        assert field.need is need, vendor


@pytest.mark.parametrize("path", SEED)
def test_a_mapping_needs_the_field_as_the_contract_says(path: str) -> None:
    _, need, _ = SEED[path]
    row = BY_PATH[path]
    text = without(shipped(), row.entity, row.name)
    assert f"[{row.entity}.fields.{row.name}]" not in text
    if need is RECOMMENDED:
        assert parse_mapping(text, name="own.toml").entities[row.entity].field(row.name) is None
        return
    with pytest.raises(MappingError) as refused:
        parse_mapping(text, name="own.toml")
    assert [one.code for one in refused.value.diagnostics] == ["missing_field"]
    assert path in refused.value.diagnostics[0].message


INBOUND: dict[str, tuple[str, str, str]] = {
    "account.name": ("name", "Alder & Sons", "Alder & Sons"),
    "account.domain": ("website", "https://www.Alder.example/shop", "alder.example"),
    "account.segment": ("segment", "Enterprise", "enterprise"),
    "deal.account_id": ("account_id", "A-2", local_id("main", Entity.ACCOUNT, "A-2")),
    "deal.name": ("name", "Renamed", "Renamed"),
    "deal.stage": ("stage", "negotiation", "negotiation"),
    "deal.amount": ("amount", "1500.50", "1500.5"),
    "deal.close_date": ("close_date", "2026-12-31", "2026-12-31"),
}
"""Field to the stub's property, a value there, and the value that it becomes here."""


@pytest.mark.parametrize("path", INBOUND)
def test_a_value_comes_in_and_its_absence_rejects_the_record_only_when_it_is_required(
    synced: World, path: str
) -> None:
    entity, name = path.split(".")
    ref = "A-1" if entity == "account" else "D-1"
    column, raw, value = INBOUND[path]
    synced.crm.set(entity, ref, {column: raw})
    synced.sync()
    assert synced.record(Entity(entity), ref).local[name] == value
    synced.crm.set(entity, ref, {}, unset=[column])
    report = synced.sync()
    rejected = [(item.field_name, item.detail) for item in synced.items()]
    if SEED[path][1] is REQUIRED:
        assert rejected == [(name, f"{path} missing")]
        assert report.exit_code == 3
    else:
        assert rejected == []
        assert report.exit_code == 0
    assert synced.record(Entity(entity), ref).local[name] == value, "absence never overwrites"


@pytest.mark.parametrize("entity", [Entity.ACCOUNT, Entity.DEAL])
def test_the_external_id_is_the_stable_link_between_both_sides(
    synced: World, entity: Entity
) -> None:
    ref = {Entity.ACCOUNT: "A-1", Entity.DEAL: "D-1"}[entity]
    before = synced.record(entity, ref)
    synced.crm.set(str(entity), ref, {"name": "Quite another name"})
    synced.sync()
    after = synced.record(entity, ref)
    assert (after.id, after.crm_ref) == (before.id, ref)
    assert after.local["name"] == "Quite another name"
    assert synced.store.records.count("main", entity) == 3, "a rename makes no second record"
    assert synced.store.records.ref_of(entity, before.id) == ref


@pytest.mark.parametrize("entity", [Entity.ACCOUNT, Entity.DEAL])
def test_a_record_without_its_external_id_is_rejected(synced: World, entity: Entity) -> None:
    run = synced.run()
    page = synced.adapter.sync_incremental(entity, "", limit=1, call=CALL)
    nameless = msgspec.structs.replace(page.records[0], crm_ref=" ")
    found = run.mapper.read(entity, nameless)
    problems = getattr(found, "problems", ())
    assert [(one.field, one.code) for one in problems] == [("id", "missing")]


@pytest.mark.parametrize("text", ["alder", "alder.example"])
@pytest.mark.parametrize("where", [(), ("--crm",)], ids=["mirror", "crm"])
def test_an_account_is_looked_up_by_name_first_and_by_domain_as_an_aid(
    quotey: Terminal, text: str, where: tuple[str, ...]
) -> None:
    found = quotey.json("crm", "lookup", "account", text, *where)
    assert [one["crm_ref"] for one in found["records"]] == ["A-1"]


def test_a_deal_never_hangs_on_an_account_that_is_not_here(synced: World) -> None:
    deal = {"name": "Nine", "account_id": "A-9", "stage": "won", "currency": "EUR"}
    synced.crm.add("deal", "D-9", deal)
    synced.sync()
    assert synced.store.records.by_refs("main", Entity.DEAL, ("D-9",)) == {}
    assert [item.conflict_type for item in synced.items()] == [ConflictType.MISSING_PARENT]
    synced.crm.add("account", "A-9", {"name": "Ivy", "segment": "SMB"})
    synced.sync()
    parent = synced.record(Entity.ACCOUNT, "A-9")
    assert synced.deal("D-9").local["account_id"] == parent.id
    assert synced.items() == ()


# --- 3.2 the quote, going out --------------------------------------------------------------------


@pytest.fixture
def written(synced: World) -> tuple[World, dict[str, object], str]:
    """A quote that was written out whole, and what the deal holds then."""
    desk = desk_of(synced)
    (desk.attachments / "offer.pdf").write_bytes(b"%PDF-1.7 offer")
    terms = QuoteTerms(total="90.50", valid_until="2026-09-30", attachment="offer.pdf")
    answer = quotes.create(desk, "D-1", terms)
    quotes.revise(desk_of(synced), answer.quote.id, QuoteTerms(total="95.25"))
    assert synced.sync().exit_code == 0
    return synced, synced.remote("deal", "D-1"), answer.quote.id


OUTBOUND = {
    "quote.id": ("quote_id", None),
    "quote.version": ("quote_version", 2),
    "quote.status": ("quote_status", "priced"),
    "quote.total": ("quote_total", Decimal("95.25")),
    "quote.currency": ("quote_currency", "EUR"),
    "quote.valid_until": ("quote_valid_until", "2026-09-30"),
    "quote.attachment_ref": ("quote_attachment", "offer.pdf"),
}


@pytest.mark.parametrize("path", OUTBOUND)
def test_a_value_of_the_quote_goes_out_to_its_property(
    written: tuple[World, dict[str, object], str], path: str
) -> None:
    _, payload, quote_id = written
    column, value = OUTBOUND[path]
    assert str(payload[column]) == str(quote_id if value is None else value)


def test_the_quote_id_is_the_identity_of_the_writeback(synced: World) -> None:
    """Another quote over there is never overwritten, not even one with a lower number."""
    synced.crm.set(
        "deal",
        "D-1",
        {
            "quote_id": "q_of_somebody",
            "quote_version": "1",
            "quotey_instance_id": synced.store.instance_id,
            "quotey_payload_digest": "a" * 64,
        },
    )
    made = quoted(synced)
    answer = quotes.revise(desk_of(synced), made.quote.id, QuoteTerms(total="80.00"))
    assert answer.quote.current.version == 2
    synced.sync()
    assert operation_of(synced, answer).state is OpState.CONFLICT
    assert synced.remote("deal", "D-1")["quote_id"] == "q_of_somebody"


def test_the_quote_version_guards_against_stale_writes(synced: World) -> None:
    answer = quoted(synced)
    marker_in_crm(synced, answer, version=2)
    synced.sync()
    assert operation_of(synced, answer).state is OpState.CONFLICT
    assert synced.remote("deal", "D-1")["quote_version"] == "2"


def test_the_quote_currency_makes_the_total_correct(synced: World) -> None:
    """No total finer than its currency, none in another currency than its deal's."""
    for terms in (QuoteTerms(total="90.505"), QuoteTerms(total="90", currency="USD")):
        with pytest.raises(UsageError):
            quotes.create(desk_of(synced), "D-1", terms)
    assert synced.store.quotes.list() == ()


# --- 3.3 validation ------------------------------------------------------------------------------

STATUS_WORDS = """
[quote.fields.status.transform]
kind = "value_map"
values = { "Angebot" = "sent" }
otherwise = "reject"
"""
"""A mapping that has no word for `priced`, so that a priced quote cannot be written out."""


def test_mapping_validation_fails_fast_when_required_fields_are_absent_or_malformed(
    synced: World,
) -> None:
    """All problems at once, before anything is mutated or sent."""
    synced.crm.set("deal", "D-1", {"stage": "", "amount": "a lot", "close_date": "31.12.26"})
    synced.sync()
    [kept_out] = synced.store.quarantine.list("main", Entity.DEAL)
    told = {(one.field, one.code) for one in kept_out.reasons}
    assert told == {("stage", "missing"), ("amount", "malformed"), ("close_date", "malformed")}
    with pytest.raises(UsageError) as refused:
        deals.create(desk_of(synced), "A-1", {"amount": "NaN", "close_date": "0001-01-01"})
    fields = {one.field for one in refused.value.diagnostics}
    assert fields == {"name", "stage", "amount", "close_date"}
    assert synced.store.records.count("main", Entity.DEAL) == 3
    assert synced.store.outbox.list("main") == ()


def test_on_mapping_failure_the_domain_state_is_unchanged(synced: World) -> None:
    remap(synced, STATUS_WORDS)
    synced.sync()
    answer = quoted(synced)
    before = (synced.deal("D-1").local, quote_now(synced, answer), synced.remote("deal", "D-2"))
    synced.crm.set("deal", "D-1", {"stage": "", "name": "Half a record"})
    synced.sync()
    synced.sync()
    after = (synced.deal("D-1").local, quote_now(synced, answer), synced.remote("deal", "D-2"))
    assert after == before, "neither mirror, quote nor CRM took a part of it"
    assert synced.effects("write_quote") == 0


def test_on_mapping_failure_an_explicit_mapping_error_category_is_emitted(synced: World) -> None:
    remap(synced, STATUS_WORDS)
    answer = quoted(synced)
    report = synced.sync()
    op = operation_of(synced, answer)
    assert (op.state, op.hold, op.error_class) == (OpState.HELD, Hold.MAPPING, ErrorClass.MAPPING)
    [failure] = report.failures
    assert (failure.error_class, report.exit_code) == (ErrorClass.MAPPING, 5)
    assert "quotey crm mapping check" in failure.next
    assert [item.conflict_type for item in synced.items()] == [ConflictType.SCHEMA_MAPPING_MISMATCH]


def test_on_mapping_failure_diagnostics_are_recorded_in_sync_state_and_audit_events(
    synced: World,
) -> None:
    synced.crm.set("deal", "D-1", {"stage": ""})
    report = synced.sync()
    state = synced.state(Entity.DEAL)
    assert [(one.field, one.code, one.crm_ref) for one in state.diagnostics] == [
        ("stage", "missing", "D-1")
    ]
    assert "is required and absent, null or blank" in state.diagnostics[0].message
    [event] = synced.events("reconciliation.recorded")
    assert event.correlation_id == report.correlation_id == state.correlation_id
    assert event.body["field"] == "stage"
    assert event.body["detail"] == "deal.stage missing"
    assert event.entity_id == synced.deal("D-1").id
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    assert synced.state(Entity.DEAL).diagnostics == (), "the next good run has none"
    assert synced.items() == ()
    assert len(synced.items(state=ItemState.RESOLVED)) == 1


def test_a_mapping_is_tried_on_one_record_without_touching_anything(
    quotey: Terminal, tmp_path: Path
) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"id": "D-77", "name": "Try", "amount": "12.50"}))
    ran = quotey("crm", "mapping", "test", str(record), "--entity", "deal", "--json")
    codes = {(one["field"], one["code"]) for one in ran.document["diagnostics"]}
    assert ran.code == 5
    assert {("stage", "missing"), ("account_id", "missing")} <= codes
    assert quotey.json("crm", "outbox", "list")["items"] == []
