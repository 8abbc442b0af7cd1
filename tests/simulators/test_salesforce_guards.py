"""What keeps two writers apart: keys, conditions, rules, locks (crm-semantics.md 3S)."""

from msgspec.structs import replace

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.salesforce import (
    DuplicateRule,
    SalesforceCore,
    stale_version,
    version_reused,
)
from tests.simulators.test_salesforce_rows import (
    ACCOUNTS,
    API,
    BASE,
    DIGEST,
    KEY,
    OPPORTUNITIES,
    VERSION,
    code,
    make,
    shown,
)
from tests.simulators.wire_client import Client


def test_an_upsert_creates_then_updates(sf: Client, salesforce: SalesforceCore) -> None:
    salesforce.define("Opportunity", KEY)
    path = f"{OPPORTUNITIES}/Quotey_Id__c/D-1%2F2"
    first, second = sf.patch(path, BASE), sf.patch(path, BASE)
    assert (first.status, first.doc["created"]) == (201, True)
    assert (second.status, second.doc["created"]) == (200, False)
    assert first.doc["id"] == second.doc["id"]
    assert shown(sf, first.doc["id"])["Quotey_Id__c"] == "D-1/2"
    old = sf.patch(path.replace("v67.0", "v45.0"), BASE)
    assert (old.status, old.body) == (204, b"")


def test_what_an_upsert_refuses(sf: Client, salesforce: SalesforceCore) -> None:
    salesforce.define("Opportunity", KEY)
    path = f"{OPPORTUNITIES}/Quotey_Id__c/D-1"
    doubled = sf.patch(path, {**BASE, "Quotey_Id__c": "D-1"})
    assert code(doubled) == "INVALID_FIELD"
    expected = "The Quotey_Id__c field should not be specified in the sobject data."
    assert doubled.doc[0]["message"] == expected
    assert code(sf.patch(f"{path}?updateOnly=true", BASE), 404) == "NOT_FOUND"
    assert code(sf.patch(f"{OPPORTUNITIES}/Name/X", BASE), 404) == "NOT_FOUND"


def test_an_external_id_that_is_not_unique_answers_300(
    sf: Client, salesforce: SalesforceCore
) -> None:
    salesforce.define("Opportunity", replace(KEY, unique=False))
    rows = [salesforce.create("Opportunity", {**BASE, "Quotey_Id__c": "D-1"}) for _ in range(2)]
    answer = sf.patch(f"{OPPORTUNITIES}/Quotey_Id__c/D-1", BASE)
    assert answer.status == 300
    assert answer.doc == [f"{OPPORTUNITIES}/{row.row_id}" for row in rows]


def test_a_unique_value_names_its_owner_and_is_free_after_deletion(
    sf: Client, salesforce: SalesforceCore
) -> None:
    salesforce.define("Opportunity", KEY)
    owner = make(sf, Quotey_Id__c="D-1")
    refused = sf.post(OPPORTUNITIES, {**BASE, "Quotey_Id__c": "D-1"})
    assert code(refused) == "DUPLICATE_VALUE"
    expected = "duplicate value found: Quotey_Id__c duplicates value on record with id: "
    assert refused.doc[0]["message"] == expected + owner
    make(sf, Quotey_Id__c="d-1")
    salesforce.delete(owner)
    assert make(sf, Quotey_Id__c="D-1") != owner


def test_a_deleted_record_is_gone_twice_over(sf: Client, salesforce: SalesforceCore) -> None:
    account = salesforce.create("Account", {"Name": "Acme"}).row_id
    child = make(sf, AccountId=account)
    assert sf.send("DELETE", f"{ACCOUNTS}/{account}").status == 204
    assert code(sf.send("DELETE", f"{ACCOUNTS}/{account}"), 404) == "ENTITY_IS_DELETED"
    assert code(sf.get(f"{OPPORTUNITIES}/{child}"), 404) == "ENTITY_IS_DELETED"
    salesforce.undelete(child)
    assert sf.get(f"{OPPORTUNITIES}/{child}").status == 200


def test_a_condition_on_the_date_fails_with_412_and_two_writes_in_a_second_slip_by(
    sf: Client, clock: VirtualClock
) -> None:
    row_id = make(sf)
    path = f"{OPPORTUNITIES}/{row_id}"
    seen = sf.get(path).headers["last-modified"]
    clock.advance(0.4)
    sf.patch(path, {"NextStep": "same second"})
    condition = {"if-unmodified-since": seen}
    assert sf.patch(path, {"NextStep": "hole"}, headers=condition).status == 204
    clock.advance(1)
    sf.patch(path, {"NextStep": "later"})
    refused = sf.patch(path, {"NextStep": "late"}, headers=condition)
    assert code(refused, 412) == "MATCH_PRECONDITION_FAILED"
    assert shown(sf, row_id)["NextStep"] == "later"
    broken = {"if-unmodified-since": "yesterday"}
    assert sf.patch(path, {"NextStep": "x"}, headers=broken).status == 400
    assert sf.send("DELETE", path, headers=condition).status == 204


def test_etags_are_on_accounts_only(sf: Client, salesforce: SalesforceCore) -> None:
    account = salesforce.create("Account", {"Name": "Acme"}).row_id
    path = f"{ACCOUNTS}/{account}"
    tag = sf.get(path).headers["etag"]
    assert sf.get(path, headers={"if-none-match": tag}).status == 304
    assert sf.patch(path, {"Name": "B"}, headers={"if-match": tag}).status == 204
    assert sf.patch(path, {"Name": "C"}, headers={"if-match": tag}).status == 412
    row_id = make(sf)
    assert "etag" not in sf.get(f"{OPPORTUNITIES}/{row_id}").headers
    ignored = sf.patch(f"{OPPORTUNITIES}/{row_id}", {"Name": "B"}, headers={"if-match": '"x"'})
    assert ignored.status == 204


def test_the_validation_rules_make_the_version_a_guard(
    sf: Client, salesforce: SalesforceCore
) -> None:
    for field in (VERSION, DIGEST):
        salesforce.define("Opportunity", field)
    salesforce.validations += [stale_version("Opportunity"), version_reused("Opportunity")]
    row_id = make(sf, Quotey_Version__c=7, Quotey_Hash__c="a")
    path = f"{OPPORTUNITIES}/{row_id}"
    for stale in (6, None):
        refused = sf.patch(path, {"Quotey_Version__c": stale, "Quotey_Hash__c": "b"})
        assert code(refused) == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        assert refused.doc[0]["message"] == "QUOTEY_STALE_VERSION"
        assert refused.doc[0]["fields"] == ["Quotey_Version__c"]
    reused = sf.patch(path, {"Quotey_Version__c": 7, "Quotey_Hash__c": "b"})
    assert reused.doc[0]["message"] == "QUOTEY_VERSION_REUSED"
    assert sf.patch(path, {"Quotey_Version__c": 7, "Quotey_Hash__c": "a"}).status == 204
    assert sf.patch(path, {"Quotey_Version__c": 8, "Quotey_Hash__c": "b"}).status == 204


def test_the_rules_can_be_looked_up_with_tooling(sf: Client, salesforce: SalesforceCore) -> None:
    salesforce.validations.append(stale_version("Opportunity"))
    text = "SELECT+ValidationName,+Active+FROM+ValidationRule+WHERE+"
    path = f"{API}/tooling/query?q={text}EntityDefinition.QualifiedApiName='Opportunity'"
    found = sf.get(path).doc["records"]
    assert [(r["ValidationName"], r["Active"]) for r in found] == [("Quotey_Stale_Version", True)]
    assert sf.get(path.replace("Opportunity", "Quote")).doc["records"] == []


def test_a_duplicate_rule_names_candidates_and_only_an_alert_can_be_overridden(
    sf: Client, salesforce: SalesforceCore
) -> None:
    salesforce.duplicates.append(DuplicateRule("Same_Name", "Account", ("Name",)))
    known = salesforce.create("Account", {"Name": "Acme"}).row_id
    refused = sf.post(ACCOUNTS, {"Name": "ACME"})
    assert code(refused) == "DUPLICATES_DETECTED"
    result = refused.doc[0]["duplicateResult"]
    assert result["allowSave"] is True
    assert result["matchResults"][0]["matchRecords"] == [{"record": {"Id": known}}]
    override = {"sforce-duplicate-rule-header": "allowSave=true; includeRecordDetails=true"}
    assert sf.post(ACCOUNTS, {"Name": "Acme"}, headers=override).status == 201
    salesforce.duplicates[0] = replace(salesforce.duplicates[0], alert=False)
    assert code(sf.post(ACCOUNTS, {"Name": "Acme"}, headers=override)) == "DUPLICATES_DETECTED"


def test_a_locked_parent_locks_its_children(
    sf: Client, salesforce: SalesforceCore, clock: VirtualClock
) -> None:
    account = salesforce.create("Account", {"Name": "Acme"}).row_id
    row_id = make(sf, AccountId=account)
    salesforce.lock(account, 10)
    refused = sf.patch(f"{OPPORTUNITIES}/{row_id}", {"Amount": 1})
    assert code(refused) == "UNABLE_TO_LOCK_ROW"
    assert refused.doc[0]["message"].endswith(f"1 records: {account}")
    clock.advance(10)
    assert sf.patch(f"{OPPORTUNITIES}/{row_id}", {"Amount": 1}).status == 204
