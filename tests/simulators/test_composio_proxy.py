"""Provider HTTP through the gateway, over real HTTP (composio.md 1.3)."""

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import ComposioCore, Upstream
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.salesforce import SalesforceCore
from quotey.testing.simulators.server import serve
from tests.simulators.gateway_calls import DEAL, DEALS, ORG, V31, proxy, refusal
from tests.simulators.test_hubspot_objects import QUOTE_ID
from tests.simulators.test_salesforce_rows import BASE
from tests.simulators.wire_client import Client


def test_the_providers_status_and_headers_come_inside_a_200(gateway: Client, ca: str) -> None:
    missing = proxy(gateway, ca, "GET", f"{DEALS}/99")
    assert missing.status == 200
    assert missing.doc["status"] == 404
    assert missing.doc["data"]["message"] == "resource not found"
    assert missing.doc["headers"]["x-hubspot-correlation-id"]
    assert missing.doc["headers"]["date"] == "Tue, 10 Mar 2026 12:00:00 GMT"
    assert missing.doc["log_id"] == "log_sim1"


def test_a_batch_upsert_and_a_207_go_through_the_proxy(
    gateway: Client, ca: str, hubspot: HubSpotCore
) -> None:
    hubspot.define("deals", QUOTE_ID)
    item = {"id": "Q-1", "idProperty": "quotey_quote_id", "properties": DEAL}
    made = proxy(gateway, ca, "POST", f"{DEALS}/batch/upsert", body={"inputs": [item]})
    assert made.doc["data"]["results"][0]["new"] is True
    bad = {"properties": {"nothing": "x"}, "objectWriteTraceId": "b"}
    good = {"properties": DEAL, "objectWriteTraceId": "a"}
    mixed = proxy(gateway, ca, "POST", f"{DEALS}/batch/create", body={"inputs": [good, bad]})
    assert (mixed.status, mixed.doc["status"]) == (200, 207)
    assert len(mixed.doc["data"]["errors"]) == 1


def test_the_body_passes_as_it_was_written(
    gateway: Client, sf_ca: str, salesforce: SalesforceCore
) -> None:
    raw = b'{"connected_account_id":"%s","method":"POST","endpoint":"%s/sobjects/Opportunity",' % (
        sf_ca.encode(),
        ORG.encode(),
    )
    raw += b'"body":{"Name":"X","StageName":"Prospecting","CloseDate":"2026-04-01",'
    raw += b'"Amount":1234567890123.10}}'
    made = gateway.send("POST", f"{V31}/tools/execute/proxy", raw=raw)
    assert made.doc["status"] == 201
    assert b'"Amount":1234567890123.10' in salesforce.log[-1].body


def test_header_and_query_parameters_reach_the_provider(
    gateway: Client, sf_ca: str, salesforce: SalesforceCore, clock: VirtualClock
) -> None:
    row_id = salesforce.create("Opportunity", BASE).row_id
    clock.advance(60)
    salesforce.edit(row_id, {"NextStep": "meanwhile"})
    old = {"name": "If-Unmodified-Since", "value": "Tue, 10 Mar 2026 12:00:00 GMT"}
    url = f"{ORG}/sobjects/Opportunity/{row_id}"
    late = proxy(
        gateway, sf_ca, "PATCH", url, body={"Name": "Y"}, parameters=[{**old, "type": "header"}]
    )
    assert late.doc["status"] == 412
    only = [{"name": "fields", "value": "Name", "type": "query"}]
    read = proxy(gateway, sf_ca, "GET", url, parameters=only)
    assert set(read.doc["data"]) == {"attributes", "Name"}


def test_an_endpoint_of_another_site_is_refused(gateway: Client, ca: str) -> None:
    for url in ("https://evil.example/crm/v3/objects/deals", DEALS.replace("https", "http")):
        assert refusal(proxy(gateway, ca, "GET", url)) == (400, "OriginMismatch")
    assert proxy(gateway, ca, "GET", DEALS.replace("//api.", "//eu1.")).doc["status"] == 200


def test_a_relative_endpoint_is_appended_to_a_base_that_may_have_a_path(
    clock: VirtualClock, hubspot: HubSpotCore
) -> None:
    for base_url, status in (("https://api.hubapi.com", 200), ("https://api.hubapi.com/crm", 404)):
        core = ComposioCore(clock, {"hubspot": Upstream(hubspot, base_url, hubspot.issue_token)})
        core.add_key()
        with serve(core) as base:
            gateway = Client(base, {"x-api-key": "ak_sim"})
            account = core.accounts.connect("hubspot")
            read = proxy(gateway, account, "GET", "/crm/v3/objects/deals")
            assert read.doc["status"] == status


def test_what_the_proxy_itself_refuses(gateway: Client, ca: str) -> None:
    assert refusal(proxy(gateway, "", "GET", DEALS)) == (400, "MissingAuthContext")
    assert refusal(proxy(gateway, "ca_none", "GET", DEALS)) == (404, 1810)
    assert refusal(proxy(gateway, ca, "TRACE", DEALS)) == (400, 400)
    assert gateway.send("POST", f"{V31}/tools/execute/proxy", raw=b"{").status == 400


def test_a_silent_provider_is_504_and_its_effect_may_have_happened(
    gateway: Client, ca: str, hubspot: HubSpotCore
) -> None:
    hubspot.faults.add(Fault("timeout", effect=True))
    lost = proxy(gateway, ca, "POST", DEALS, body={"properties": DEAL})
    assert refusal(lost) == (504, 504)
    assert len(hubspot.effects) == 1
    hubspot.faults.add(Fault("truncated"))
    assert proxy(gateway, ca, "GET", DEALS).status == 502


def test_a_page_from_the_provider_is_text_with_status_200(
    gateway: Client, ca: str, hubspot: HubSpotCore
) -> None:
    hubspot.faults.add(Fault("html"))
    odd = proxy(gateway, ca, "GET", DEALS)
    assert (odd.status, odd.doc["status"]) == (200, 200)
    assert odd.doc["data"].startswith("<!DOCTYPE html>")


def test_the_gateway_refreshes_the_providers_token(
    gateway: Client, ca: str, clock: VirtualClock
) -> None:
    assert proxy(gateway, ca, "GET", DEALS).doc["status"] == 200
    clock.advance(3600)
    assert proxy(gateway, ca, "GET", DEALS).doc["status"] == 200
