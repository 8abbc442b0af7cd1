"""Behaviours that no other file needs: bins, switches, rare routes, the server's own edges."""

import socket
from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote, urlsplit

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import ComposioCore
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.hubspot import HubSpotCore, HubSpotSettings
from quotey.testing.simulators.hubspot.errors import HubSpotError
from quotey.testing.simulators.salesforce import Field, SalesforceCore, SalesforceSettings
from quotey.testing.simulators.salesforce.errors import SalesforceError
from quotey.testing.simulators.salesforce.soql import parse
from quotey.testing.simulators.server import MAX_BODY, serve
from tests.simulators.gateway_calls import DEALS as DEALS_URL
from tests.simulators.gateway_calls import V31, proxy, refusal, run
from tests.simulators.test_hubspot_objects import CONTACTS, DEALS, QUOTE_ID, codes, make
from tests.simulators.test_salesforce_queries import query
from tests.simulators.test_salesforce_rows import API, BASE, KEY, OPPORTUNITIES, code, shown
from tests.simulators.wire_client import Client


def test_a_restored_record_is_back_unless_its_key_was_taken(
    hs: Client, hubspot: HubSpotCore
) -> None:
    hubspot.define("deals", QUOTE_ID)
    record = hubspot.create("deals", {"dealname": "X", "quotey_quote_id": "Q"})
    hubspot.portal.archive(record)
    hubspot.portal.restore(record)
    assert hs.get(f"{DEALS}/{record.record_id}").status == 200
    hubspot.portal.archive(record)
    make(hs, quotey_quote_id="Q")
    with pytest.raises(HubSpotError, match="already has that value"):
        hubspot.portal.restore(record)


def test_a_purged_record_is_nowhere(hs: Client, hubspot: HubSpotCore) -> None:
    record = hubspot.create("deals", {"dealname": "X"})
    hubspot.portal.purge(record)
    for archived in ("true", "false"):
        assert hs.get(f"{DEALS}/{record.record_id}?archived={archived}").status == 404


def test_a_merge_may_keep_the_primary_id(clock: VirtualClock) -> None:
    core = HubSpotCore(clock, settings=HubSpotSettings(merge_makes_new_id=False))
    one, two = (core.create("deals", {"dealname": name}) for name in ("A", "B"))
    assert core.merge("deals", one.record_id, two.record_id).record_id == one.record_id
    assert core.portal.find("deals", two.record_id) is one
    with pytest.raises(KeyError):
        core.edit("deals", 99, {})


def test_rare_values_are_refused(hs: Client) -> None:
    assert codes(hs.post(CONTACTS, {"properties": {"email": "nobody"}})) == ["INVALID_EMAIL"]
    long = {"properties": {"lastname": "x" * 65_537}}
    assert codes(hs.post(CONTACTS, long)) == ["PROPERTY_VALUE_TOO_LONG"]
    deal = make(hs)
    moved = hs.patch(f"{DEALS}/{deal}", {"properties": {"pipeline": "nowhere"}})
    assert codes(moved) == ["INVALID_OPTION"]
    itself = {"primaryObjectId": deal, "objectIdToMerge": deal}
    assert hs.post(f"{DEALS}/merge", itself).status == 400


def test_a_domain_is_normalised_and_becomes_the_website(hs: Client) -> None:
    body = {"properties": {"name": "Acme", "domain": "https://WWW.Acme.com/about"}}
    made = hs.post("/crm/v3/objects/companies", body).doc["id"]
    read = hs.get(f"/crm/v3/objects/companies/{made}?properties=domain,website").doc["properties"]
    assert (read["domain"], read["website"]) == ("acme.com", "acme.com")


def test_a_batch_update_by_a_property_that_is_not_unique_is_refused(hs: Client) -> None:
    item = {"id": "X", "idProperty": "dealname", "properties": {}}
    refused = hs.post(f"{DEALS}/batch/update", {"inputs": [item]})
    assert "non-unique" in refused.doc["message"]


def test_an_external_id_reads_and_deletes(sf: Client, salesforce: SalesforceCore) -> None:
    salesforce.define("Opportunity", KEY)
    path = f"{OPPORTUNITIES}/Quotey_Id__c/D-1"
    assert code(sf.get(path), 404) == "NOT_FOUND"
    made = sf.patch(path, BASE).doc["id"]
    assert sf.get(path).doc["Id"] == made
    assert sf.get(f"{OPPORTUNITIES}/Id/{made}").doc["Id"] == made
    assert sf.send("DELETE", path).status == 204
    assert sf.send("PUT", f"{OPPORTUNITIES}/{make_row(salesforce)}").status == 405


def make_row(salesforce: SalesforceCore) -> str:
    return salesforce.create("Opportunity", BASE).row_id


def test_an_upsert_of_many_by_id_only_updates(sf: Client, salesforce: SalesforceCore) -> None:
    known = make_row(salesforce)
    record = {"attributes": {"type": "Opportunity"}, "Id": known, "NextStep": "x"}
    path = f"{API}/composite/sobjects/Opportunity/Id"
    assert sf.patch(path, {"records": [record]}).doc[0]["created"] is False
    found = sf.get(f"{API}/composite/sobjects/Opportunity?ids={known}&fields=NextStep").doc
    assert found[0]["NextStep"] == "x"


def test_an_upsert_of_many_by_a_key_that_many_have(sf: Client, salesforce: SalesforceCore) -> None:
    salesforce.define("Opportunity", Field("Legacy__c", external_id=True))
    for _ in range(2):
        salesforce.create("Opportunity", {**BASE, "Legacy__c": "L"})
    record = {"attributes": {"type": "Opportunity"}, "Legacy__c": "L"}
    answer = sf.patch(f"{API}/composite/sobjects/Opportunity/Legacy__c", {"records": [record]})
    assert answer.doc[0]["errors"][0]["statusCode"] == "DUPLICATE_EXTERNAL_ID"


def test_other_types_are_read_strictly_and_written_back(
    sf: Client, salesforce: SalesforceCore
) -> None:
    salesforce.define("Opportunity", Field("Flag__c", "boolean", default=False))
    salesforce.define("Opportunity", Field("Sent__c", "datetime"))
    salesforce.define("Opportunity", Field("Seats__c", "int", scale=0))
    good = {"Flag__c": True, "Sent__c": "2026-03-10T21:10:08+02:00", "Seats__c": 5}
    made = sf.post(OPPORTUNITIES, {**BASE, **good}).doc["id"]
    doc = shown(sf, made)
    assert (doc["Flag__c"], doc["Seats__c"]) == (True, 5)
    assert doc["Sent__c"] == "2026-03-10T19:10:08.000+0000"
    for bad in ({"Flag__c": "yes"}, {"Sent__c": "soon"}, {"Seats__c": True}):
        assert code(sf.post(OPPORTUNITIES, {**BASE, **bad})) == "JSON_PARSER_ERROR"


def test_an_unrestricted_picklist_takes_anything(clock: VirtualClock) -> None:
    org = SalesforceCore(clock, settings=SalesforceSettings(restricted_stages=False))
    row = org.create("Opportunity", {**BASE, "StageName": "Engaging"})
    assert row.values["StageName"] == "Engaging"
    assert "Probability" not in row.values


def test_numbers_may_be_written_without_exponents(clock: VirtualClock) -> None:
    org = SalesforceCore(clock, settings=SalesforceSettings(exponents=False))
    with serve(org) as base:
        sf = Client(base, {"authorization": f"Bearer {org.issue_token()}"})
        row_id = org.create("Opportunity", {**BASE, "Amount": Decimal("12345678.50")}).row_id
        assert b'"Amount":12345678.5' in sf.get(f"{OPPORTUNITIES}/{row_id}").body


def test_a_contacts_name_and_a_quotes_account_are_derived(
    sf: Client, salesforce: SalesforceCore
) -> None:
    contact = salesforce.create("Contact", {"FirstName": "Ada", "LastName": "Love"})
    assert contact.values["Name"] == "Ada Love"
    account = salesforce.create("Account", {"Name": "Acme"}).row_id
    deal = salesforce.create("Opportunity", {**BASE, "AccountId": account}).row_id
    body = {"Name": "Q", "OpportunityId": deal}
    quote_id = sf.post(f"{API}/sobjects/Quote", body).doc["id"]
    doc = sf.get(f"{API}/sobjects/Quote/{quote_id}").doc
    assert (doc["AccountId"], doc["Status"]) == (account, "Draft")
    total = sf.patch(f"{API}/sobjects/Quote/{quote_id}", {"GrandTotal": 5})
    assert code(total) == "INVALID_FIELD_FOR_INSERT_UPDATE"
    salesforce.delete(deal)
    assert code(sf.get(f"{API}/sobjects/Quote/{quote_id}"), 404) == "ENTITY_IS_DELETED"


def test_what_the_org_is_made_of_can_be_asked(sf: Client) -> None:
    assert sf.get("/services/data").doc[0]["version"] == "67.0"
    names = [o["name"] for o in sf.get(f"{API}/sobjects").doc["sobjects"]]
    assert {"Account", "Opportunity", "Quote"} <= set(names)
    made = sf.post(
        f"{API}/tooling/sobjects/CustomField",
        {
            "FullName": "Opportunity.Quotey_Id__c",
            "Metadata": {"type": "Text", "length": 40, "externalId": True, "unique": True},
        },
    )
    assert made.status == 201
    fields = {f["name"]: f for f in sf.get(f"{OPPORTUNITIES}/describe").doc["fields"]}
    assert fields["Quotey_Id__c"]["externalId"] is True
    wrong = sf.post(f"{API}/tooling/sobjects/CustomField", {"FullName": "Nothing.X__c"})
    assert code(wrong) == "FIELD_INTEGRITY_EXCEPTION"
    both = "ValidationName = 'X' AND Active = true"
    text = f"SELECT ValidationName FROM ValidationRule WHERE {both}"  # noqa: S608 - for a simulator
    assert sf.get(f"{API}/tooling/query?q={quote(text)}").doc["records"] == []


def test_queries_refuse_what_is_too_long_or_unfinished(sf: Client) -> None:
    # A URI of this length never gets through HTTP, so the rule is asked directly.
    with pytest.raises(SalesforceError, match="longer than 100000"):
        parse("SELECT Id FROM Account WHERE Name = '" + "x" * 100_000 + "'")
    for text in ("SELECT Id FROM", "SELECT Id FROM Account ORDER Name", "SELECT Id FROM Account ("):
        assert code(sf.get(f"{API}/query?q={quote(text)}")) == "MALFORMED_QUERY"
    assert query(sf, "SELECT Id FROM Account WHERE Name = NULL") == []


def test_a_hint_makes_pages_smaller_but_not_below_200(
    sf: Client, salesforce: SalesforceCore
) -> None:
    for number in range(450):
        salesforce.create("Account", {"Name": f"A{number}"})
    hint = {"sforce-query-options": "batchSize=50"}
    page = sf.get(f"{API}/query?q=SELECT+Id+FROM+Account", headers=hint).doc
    assert (len(page["records"]), page["done"]) == (200, False)


def test_records_of_two_objects_cannot_be_merged(salesforce: SalesforceCore) -> None:
    account = salesforce.create("Account", {"Name": "A"}).row_id
    contact = salesforce.create("Contact", {"LastName": "C"}).row_id
    with pytest.raises(ValueError, match="cannot be merged"):
        salesforce.merge(account, contact)
    with pytest.raises(KeyError):
        salesforce.edit("001000000000000AAA", {})


def test_the_gateway_shows_its_faults_its_own_way(gateway: Client, composio: ComposioCore) -> None:
    account = composio.accounts.connect("hubspot")
    composio.faults.add(Fault("no_connection"))
    composio.faults.add(Fault("token_expired"))
    composio.faults.add(Fault("server_error", status=503))
    seen = [refusal(proxy(gateway, account, "GET", DEALS_URL)) for _ in range(3)]
    assert seen == [(404, 1810), (401, 0), (503, 503)]
    assert proxy(gateway, account, "GET", "https://[x").status == 400
    unknown = gateway.post(f"{V31}/auth_configs", {"toolkit": {"slug": "pipedrive"}})
    assert unknown.status == 404
    empty = gateway.post(f"{V31}/connected_accounts/link", {})
    assert refusal(empty) == (400, 600)
    config = composio.accounts.accounts[account].auth_config_id
    assert gateway.get(f"{V31}/auth_configs/{config}").doc["toolkit"]["slug"] == "hubspot"
    assert Client(f"http://{gateway.base.netloc}", {}).get("/link/none").status == 404


def test_an_untyped_search_tool_lists_everything(gateway: Client, composio: ComposioCore) -> None:
    account = composio.accounts.connect("salesforce")
    found = run(gateway, account, "SALESFORCE_SEARCH_OPPORTUNITIES", limit=5)
    assert found.doc["data"]["records"] == []


def test_the_server_refuses_a_huge_body_and_survives_a_vanished_client(
    base: str, hs: Client
) -> None:
    huge = hs.send("POST", DEALS, raw=b"", headers={"content-length": str(MAX_BODY + 1)})
    assert huge.status == 413
    place = urlsplit(base)
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(b"POST /crm/v3/objects/deals HTTP/1.1\r\ncontent-length: 50\r\n\r\n{")
    assert hs.get(DEALS).status == 200
    assert hs.send("HEAD", DEALS).body == b""


def test_each_request_may_take_virtual_time(hs: Client, clock: VirtualClock) -> None:
    clock.per_request = timedelta(seconds=30)
    assert hs.get(DEALS).headers["date"] == "Tue, 10 Mar 2026 12:00:30 GMT"
    assert hs.get(DEALS).headers["date"] == "Tue, 10 Mar 2026 12:01:00 GMT"
