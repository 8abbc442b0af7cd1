"""Section 9 of the seed: the provider matrix, the backlog, and the frozen defaults."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from quotey.contract.fields import BY_PATH, FIELDS, OWNERSHIP, Entity, Policy
from quotey.contract.journal import OpState
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType, ItemState
from quotey.desk import locks
from tests.cli.terminal import Terminal
from tests.seed.house import CALL, desk_of, marker_in_crm, operation_of, quote_now, quoted
from tests.seed.vendors import VENDORS, VendorWorld, mapping_text
from tests.sync.world import World


def mapping_of(vendor: str) -> Mapping:
    """Parse the mapping that is shipped for a vendor."""
    return parse_mapping(mapping_text(vendor), name=f"{vendor}.toml")


# --- 9, for the matrix ---------------------------------------------------------------------------


def test_the_field_mapping_is_expanded_into_a_provider_specific_matrix() -> None:
    """Every row of the dictionary stands in every CRM under a name of that CRM."""
    matrix = {
        row.path: tuple(
            field.path if (field := mapping_of(vendor).entities[row.entity].field(row.name)) else ""
            for vendor in VENDORS
        )
        for row in FIELDS
    }
    assert len(matrix) == 24
    assert all(all(places) for places in matrix.values()), matrix
    assert matrix["account.id"] == ("id", "id", "Id")
    assert matrix["deal.stage"] == ("stage", "properties.dealstage", "StageName")
    assert matrix["deal.close_date"] == ("close_date", "properties.closedate", "CloseDate")
    assert matrix["quote.total"] == ("quote_total", "properties.quotey_total", "Quotey_Total__c")


def test_the_matrix_of_a_connection_is_shown_by_a_command(quotey: Terminal) -> None:
    shown = quotey("crm", "mapping", "show").out
    for row in FIELDS:
        field = mapping_of("stub").entities[row.entity].field(row.name)
        assert field is not None
        [line] = [line for line in shown.splitlines() if line.split()[:1] == [row.path]]
        assert field.path in line
        assert field.policy in line


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_mapped_attribute_has_a_field_policy_mode(vendor: str) -> None:
    mapped = [
        (entity, field)
        for entity, one in mapping_of(vendor).entities.items()
        for field in one.fields
    ]
    assert len(mapped) == len(FIELDS)
    for entity, field in mapped:
        assert field.policy in set(Policy)
        assert field.policy is BY_PATH[f"{entity}.{field.name}"].policy
        assert (field.strategy is not None) == (field.policy is Policy.MERGE_WITH_AUDIT)


@pytest.mark.parametrize("vendor", VENDORS)
def test_unresolved_fields_are_kept_in_a_backlog_for_non_v1_fields(vendor: str) -> None:
    backlog = mapping_of(vendor).backlog
    assert len(backlog) >= 5
    for entry in backlog:
        entity, _, name = entry.field.partition(".")
        assert entity in set(Entity)
        assert name
        assert entry.field not in BY_PATH, "what is left out is not in the contract"
        assert len(entry.reason) > 10, "and it says why"


# --- 9, for adapters -----------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_adapters_map_vendor_dtos_to_normalized_dtos_inside_the_adapter(
    tmp_path: Path, vendor: str
) -> None:
    with VendorWorld.open(tmp_path, vendor) as opened:
        world = opened.world
        deal = world.adapter.get_deal("202", call=CALL)
        assert deal is not None
        assert (deal.name, deal.stage, deal.amount) == ("Two", "qualification", Decimal("200.5"))
        assert str(deal.close_date) == "2026-06-01"
        world.sync()
        stored = world.deal("202")
        names = {row.name for row in FIELDS if row.entity is Entity.DEAL}
        assert set(stored.local) <= names


def test_required_fields_are_validated_strictly_before_domain_mutation(synced: World) -> None:
    """One missing required field, and no other field of that record is taken either."""
    before = synced.deal("D-1").local
    synced.crm.set("deal", "D-1", {"stage": " ", "amount": "777.00", "close_date": "2026-12-24"})
    synced.sync()
    assert synced.deal("D-1").local == before
    assert synced.events("record.updated") == ()
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    after = synced.deal("D-1").local
    assert (after["stage"], after["amount"], after["close_date"]) == ("won", "777", "2026-12-24")


def test_conflicts_are_classified_and_persisted_for_reconciliation(synced: World) -> None:
    answer = quoted(synced, "D-2")
    marker_in_crm(synced, answer, version=3, ref="D-2")
    locks.lock(desk_of(synced), "deal/D-1", "stage", duration="48h", reason="in talks")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.set("account", "A-3", {"segment": "Galactic"})
    synced.crm.add(
        "deal", "D-9", {"name": "Nine", "account_id": "A-9", "stage": "won", "currency": "EUR"}
    )
    synced.sync()
    synced.restart()
    kept = {(str(item.entity_type), item.conflict_type): item.state for item in synced.items()}
    assert kept == {
        ("account", ConflictType.SCHEMA_MAPPING_MISMATCH): ItemState.OPEN,
        ("deal", ConflictType.LOCKED_FIELD_OVERWRITE): ItemState.OPEN,
        ("deal", ConflictType.MISSING_PARENT): ItemState.OPEN,
        ("quote", ConflictType.STALE_OUTBOUND_WRITE): ItemState.OPEN,
    }


# --- 9, the freeze -------------------------------------------------------------------------------

FROZEN = {
    "account.id": "immutable_after_bind inbound",
    "account.name": "crm_wins inbound",
    "account.domain": "crm_wins inbound",
    "account.segment": "merge_with_audit both",
    "contact.id": "immutable_after_bind inbound",
    "contact.name": "crm_wins inbound",
    "contact.email": "crm_wins inbound",
    "contact.account_id": "crm_wins inbound",
    "contact.title": "crm_wins inbound",
    "contact.phone": "crm_wins inbound",
    "deal.id": "immutable_after_bind inbound",
    "deal.account_id": "crm_wins inbound",
    "deal.name": "merge_with_audit both",
    "deal.stage": "crm_wins inbound",
    "deal.amount": "merge_with_audit both",
    "deal.close_date": "crm_wins inbound",
    "deal.currency": "crm_wins inbound",
    "quote.id": "immutable_after_bind outbound",
    "quote.version": "local_wins outbound",
    "quote.status": "local_wins outbound",
    "quote.total": "local_wins outbound",
    "quote.currency": "local_wins outbound",
    "quote.valid_until": "local_wins outbound",
    "quote.attachment_ref": "local_wins outbound",
}
"""The defaults that were frozen, field by field."""


def test_the_defaults_are_frozen() -> None:
    assert {row.path: f"{row.policy} {row.direction}" for row in FIELDS} == FROZEN
    assert [row.policy for row in OWNERSHIP] == [
        "crm_wins",
        "explicit per field",
        "crm_wins unless lock window",
        "local_wins",
        "local_wins",
        "local_wins",
        "n/a",
    ]


def test_the_local_side_stays_the_authority_of_quotes(synced: World) -> None:
    answer = quoted(synced)
    synced.sync()
    synced.crm.set("deal", "D-1", {"quote_total": "1", "quote_status": "accepted"})
    synced.settle_down()
    assert quote_now(synced, answer) == answer.quote
    assert operation_of(synced, answer).state is OpState.DELIVERED
