"""The metadata that an admin deploys holds what the mapping and the adapter stand on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quotey.adapters.composio.salesforce.errors import TAG
from quotey.contract.fields import Entity
from quotey.testing.simulators.salesforce.rules import Save
from quotey.testing.simulators.salesforce.schema import Value
from tests.composio.salesforce_metadata import (
    FOLDER,
    NS,
    document,
    fields_of,
    formula,
    rules_of,
    text_of,
)
from tests.composio.salesforce_world import shipped

SLOT: dict[str, Value] = {
    "Quotey_Instance_Id__c": "inst",
    "Quotey_Quote_Id__c": "q",
    "Quotey_Version__c": Decimal(3),
    "Quotey_Payload_Digest__c": "d",
}


def shipped_fields(sobject: str) -> set[str]:
    return {field.name for field in fields_of(sobject)}


def test_every_custom_field_of_the_shipped_mapping_is_made() -> None:
    mapping = shipped("")
    deal, account = mapping.entities[Entity.DEAL], mapping.entities[Entity.ACCOUNT]
    quote = mapping.entities[Entity.QUOTE]
    paths = [field.path for field in (*quote.fields, *deal.fields)]
    words = [*quote.settings.values(), *deal.settings.values()]
    wanted = {name for name in (*paths, *words) if name.endswith("__c")}
    assert shipped_fields("Opportunity") == wanted
    assert shipped_fields("Account") == {account.settings["operations"]}


def test_both_keys_are_external_unique_and_mind_their_case() -> None:
    keys = [field for field in fields_of("Opportunity") if field.external_id]
    assert {key.name for key in keys} == {"Quotey_Deal_Key__c", "Quotey_Quote_Id__c"}
    assert all(key.unique and key.case_sensitive for key in keys)


def test_the_package_lists_all_that_is_in_it() -> None:
    listed = {
        text_of(types, "name"): {one.text for one in types.iter(f"{NS}members")}
        for types in document("package.xml").iter(f"{NS}types")
    }
    objects = ("Account", "Opportunity")
    fields = {f"{name}.{field}" for name in objects for field in shipped_fields(name)}
    rules = {f"{name}.{rule.name}" for name in objects for rule in rules_of(name)}
    assert listed == {"CustomField": fields, "ValidationRule": rules, "PermissionSet": {"Quotey"}}


def test_the_permission_set_opens_every_field() -> None:
    permissions = document("permissionsets/Quotey.permissionset").iter(f"{NS}fieldPermissions")
    opened = {
        text_of(one, "field")
        for one in permissions
        if text_of(one, "editable") == text_of(one, "readable") == "true"
    }
    objects = ("Account", "Opportunity")
    assert opened == {f"{name}.{field}" for name in objects for field in shipped_fields(name)}


def test_every_rule_is_active_and_bears_our_tag() -> None:
    rules = rules_of("Opportunity")
    assert all(rule.active and rule.message.startswith(TAG) for rule in rules)
    assert {rule.message for rule in rules} == {"QUOTEY_STALE_VERSION", "QUOTEY_VERSION_REUSED"}
    assert (FOLDER / "package.xml").is_file()


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, ()),
        ({"Name": "x"}, ()),
        ({"Quotey_Version__c": Decimal(4), "Quotey_Payload_Digest__c": "e"}, ()),
        ({"Quotey_Version__c": Decimal(2)}, ("QUOTEY_STALE_VERSION",)),
        ({"Quotey_Version__c": None}, ("QUOTEY_STALE_VERSION",)),
        ({"Quotey_Payload_Digest__c": "e"}, ("QUOTEY_VERSION_REUSED",)),
        ({"Quotey_Version__c": Decimal(1), "Quotey_Quote_Id__c": "r"}, ()),
        ({"Quotey_Version__c": Decimal(1), "Quotey_Instance_Id__c": "other"}, ()),
        (dict.fromkeys(SLOT), ()),
    ],
)
def test_what_the_rules_refuse(change: dict[str, Value], refused: tuple[str, ...]) -> None:
    save = Save({**SLOT, **change}, SLOT)
    assert tuple(r.message for r in rules_of("Opportunity") if r.forbids(save)) == refused


def test_the_rules_let_new_records_and_empty_slots_through() -> None:
    new, empty = Save(SLOT, None), Save(SLOT, {"Name": "x"})
    assert not [r for r in rules_of("Opportunity") if r.forbids(new) or r.forbids(empty)]


def test_the_formula_reader_reads_what_it_should() -> None:
    save = Save({"A": Decimal(1)}, {"A": Decimal(2)})
    assert formula("AND(ISCHANGED(A), A < PRIORVALUE(A), NOT(A = 2), B <> 1)")(save)
    assert not formula("BLANKVALUE(B, 3) < A")(save)
