"""Keys, limits, logs, accounts and webhooks (composio.md 1.1, 1.4, 1.5, 1.8, 1.10)."""

import base64
import hashlib
import hmac

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import ComposioCore, ComposioSettings, Upstream, signed
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.server import serve
from tests.simulators.gateway_calls import DEAL, DEALS, V31, proxy, refusal, run
from tests.simulators.wire_client import Client


def test_exactly_one_known_credential_is_needed(base: str) -> None:
    both = {"x-api-key": "ak_sim", "x-org-api-key": "oak"}
    for headers in ({}, {"x-api-key": "ak_wrong"}, both):
        refused = Client(base, headers).get(f"{V31}/connected_accounts")
        assert refused.status == 401
        assert refused.doc["error"]["slug"] == "HTTP_Unauthorized"


def test_a_key_without_the_area_is_403(base: str, composio: ComposioCore, ca: str) -> None:
    composio.add_key("ak_small", frozenset({"tools:execute"}))
    small = Client(base, {"x-api-key": "ak_small"})
    assert run(small, ca, "HUBSPOT_LIST_DEALS").status == 200
    assert proxy(small, ca, "GET", DEALS).status == 403
    assert small.get(f"{V31}/connected_accounts").status == 403


def test_the_organisation_has_a_fixed_minute(clock: VirtualClock, hubspot: HubSpotCore) -> None:
    settings = ComposioSettings(requests_per_minute=2)
    upstream = Upstream(hubspot, "https://api.hubapi.com", hubspot.issue_token)
    core = ComposioCore(clock, {"hubspot": upstream}, settings=settings)
    core.add_key()
    with serve(core) as base:
        gateway = Client(base, {"x-api-key": "ak_sim"})
        clock.advance(43)
        answers = [gateway.get(f"{V31}/connected_accounts") for _ in range(3)]
        left = [a.headers["x-ratelimit-remaining"] for a in answers]
        assert ([a.status for a in answers], left) == ([200, 200, 429], ["1", "0", "0"])
        expected = {"message": "Rate limit exceeded. Limit: 2 requests per 1 minutes"}
        assert answers[2].doc == expected
        assert answers[2].headers["retry-after"] == "17"
        assert answers[2].headers["x-ratelimit-window-size"] == "60s"
        clock.advance(17)
        assert gateway.get(f"{V31}/connected_accounts").status == 200


def test_the_edge_limiter_has_no_header_at_all(gateway: Client, composio: ComposioCore) -> None:
    composio.faults.add(Fault("rate_limited"))
    refused = gateway.get(f"{V31}/connected_accounts")
    assert refusal(refused) == (429, 10429)
    assert not {"retry-after", "x-ratelimit", "x-ratelimit-remaining"} & refused.headers.keys()
    composio.faults.add(Fault("rate_limited", retry_after="17"))
    assert gateway.get(f"{V31}/connected_accounts").headers["retry-after"] == "17"


def test_a_lost_execution_is_found_by_its_request_id(
    gateway: Client, composio: ComposioCore, ca: str, hubspot: HubSpotCore
) -> None:
    composio.faults.add(Fault("timeout", effect=True))
    body = {"connected_account_id": ca, "method": "POST", "endpoint": DEALS}
    with pytest.raises(ConnectionError):
        gateway.post(
            f"{V31}/tools/execute/proxy",
            {**body, "body": {"properties": DEAL}},
            headers={"x-request-id": "req-77"},
        )
    asked = [{"field": "request_id", "operator": "==", "value": "req-77"}]
    found = gateway.post(f"{V31}/logs/tool_execution", {"filters": asked}).doc["logs"]
    assert [entry["metadata"]["tool_slug"] for entry in found] == ["proxy"]
    one = gateway.get(f"{V31}/logs/tool_execution/{found[0]['id']}").doc
    assert one["context"]["request_id"] == "req-77"
    assert gateway.get(f"{V31}/logs/tool_execution/log_none").status == 404
    assert len(hubspot.effects) == 1


def test_successful_may_be_false_without_any_error(
    gateway: Client, composio: ComposioCore, ca: str
) -> None:
    composio.faults.add(Fault("unsuccessful"))
    odd = run(gateway, ca, "HUBSPOT_LIST_DEALS")
    assert odd.status == 200
    assert (odd.doc["successful"], odd.doc["error"]) == (False, None)


def test_successful_data_may_be_a_page(gateway: Client, composio: ComposioCore, ca: str) -> None:
    composio.faults.add(Fault("html_data"))
    odd = run(gateway, ca, "HUBSPOT_LIST_DEALS")
    assert odd.doc["successful"] is True
    assert odd.doc["data"].startswith("<!DOCTYPE html>")


def test_a_wrong_address_is_a_page(base: str, gateway: Client) -> None:
    assert gateway.get(f"{V31}/no/such/place").body.startswith(b"<!DOCTYPE html>")
    assert Client(base, {}).get("/nobody/home").status == 404


def test_the_link_flow_ends_in_an_active_account(
    base: str, gateway: Client, composio: ComposioCore
) -> None:
    config = gateway.post(
        f"{V31}/auth_configs",
        {"toolkit": {"slug": "hubspot"}, "auth_config": {"type": "use_composio_managed_auth"}},
    ).doc["auth_config"]
    link = gateway.post(
        f"{V31}/connected_accounts/link", {"auth_config_id": config["id"], "user_id": "u1"}
    )
    assert link.status == 201
    account = link.doc["connected_account_id"]
    path = f"{V31}/connected_accounts/{account}"
    assert gateway.get(path).doc["status"] == "INITIATED"
    assert refusal(proxy(gateway, account, "GET", DEALS)) == (422, 1820)
    page = Client(base, {}).get(link.doc["redirect_url"].removeprefix(base))
    assert b"ACTIVE" in page.body
    read = gateway.get(path).doc
    assert read["status"] == "ACTIVE"
    assert read["state"]["val"]["access_token"] == "REDACTED"
    assert proxy(gateway, account, "GET", DEALS).doc["status"] == 200


def test_a_link_that_nobody_follows_expires(
    gateway: Client, composio: ComposioCore, clock: VirtualClock, ca: str
) -> None:
    config = composio.accounts.accounts[ca].auth_config_id
    asked = {"auth_config_id": config, "user_id": "u2"}
    link = gateway.post(f"{V31}/connected_accounts/link", asked).doc
    clock.advance(601)
    read = gateway.get(f"{V31}/connected_accounts/{link['connected_account_id']}").doc
    assert read["status"] == "EXPIRED"
    assert read["status_reason"] == "Connection initiation did not complete within 10 minutes"


def test_connecting_directly_is_retired(gateway: Client) -> None:
    assert refusal(gateway.post(f"{V31}/connected_accounts", {})) == (400, 600)


def test_an_account_that_is_not_active_is_422_or_404_by_switch(
    gateway: Client, composio: ComposioCore, ca: str, clock: VirtualClock, hubspot: HubSpotCore
) -> None:
    composio.faults.add(Fault("account_expired"))
    assert proxy(gateway, ca, "GET", DEALS).status == 422
    assert refusal(proxy(gateway, ca, "GET", DEALS)) == (422, 1820)
    assert gateway.get(f"{V31}/connected_accounts/{ca}").doc["status"] == "EXPIRED"
    upstream = Upstream(hubspot, "https://api.hubapi.com", hubspot.issue_token)
    settings = ComposioSettings(not_active_status=404)
    other = ComposioCore(clock, {"hubspot": upstream}, settings=settings)
    other.add_key()
    account = other.accounts.connect("hubspot")
    other.accounts.expire(account, "Max auth failures reached")
    with serve(other) as base:
        refused = proxy(Client(base, {"x-api-key": "ak_sim"}), account, "GET", DEALS)
        assert refusal(refused) == (404, 1810)


def test_an_inactive_account_still_executes(gateway: Client, ca: str) -> None:
    path = f"{V31}/connected_accounts/{ca}"
    assert gateway.patch(f"{path}/status", {"enabled": False}).doc == {"success": True}
    assert gateway.get(path).doc["status"] == "INACTIVE"
    assert proxy(gateway, ca, "GET", DEALS).doc["status"] == 200
    gateway.post(f"{path}/revoke", {})
    assert proxy(gateway, ca, "GET", DEALS).status == 422
    gateway.send("DELETE", path)
    assert gateway.get(path).status == 404


def test_a_fresh_connection_is_unknown_for_a_while(
    clock: VirtualClock, hubspot: HubSpotCore
) -> None:
    upstream = Upstream(hubspot, "https://api.hubapi.com", hubspot.issue_token)
    core = ComposioCore(clock, {"hubspot": upstream}, settings=ComposioSettings(propagation=300))
    core.add_key()
    account = core.accounts.connect("hubspot")
    with serve(core) as base:
        gateway = Client(base, {"x-api-key": "ak_sim"})
        assert refusal(proxy(gateway, account, "GET", DEALS)) == (404, 1810)
        clock.advance(300)
        assert proxy(gateway, account, "GET", DEALS).doc["status"] == 200


def test_accounts_and_auth_configs_are_listed_by_page(
    gateway: Client, composio: ComposioCore, ca: str, sf_ca: str
) -> None:
    found = gateway.get(f"{V31}/connected_accounts?toolkit_slugs=hubspot&statuses=ACTIVE,EXPIRED")
    assert [item["id"] for item in found.doc["items"]] == [ca]
    first = gateway.get(f"{V31}/connected_accounts?limit=1").doc
    assert (first["total_items"], first["next_cursor"]) == (2, "1")
    second = gateway.get(f"{V31}/connected_accounts?limit=1&cursor=1").doc
    assert [item["id"] for item in second["items"]] == [sf_ca]
    for _ in range(60):
        gateway.post(f"{V31}/auth_configs", {"toolkit": {"slug": "hubspot"}})
    page = gateway.get(f"{V31}/auth_configs?limit=500").doc
    assert (len(page["items"]), page["next_cursor"]) == (50, "50")


def test_an_account_is_found_by_user_and_toolkit(gateway: Client, ca: str) -> None:
    body = {"user_id": "user-1", "arguments": {}, "version": "latest"}
    path = f"{V31}/tools/execute/HUBSPOT_LIST_DEALS"
    assert gateway.post(path, body).doc["successful"] is True
    assert refusal(gateway.post(path, {**body, "user_id": "other"})) == (404, 1810)
    mixed = {**body, "user_id": "other", "connected_account_id": ca}
    assert refusal(gateway.post(path, mixed)) == (404, 1810)


def test_a_delivery_is_signed_over_id_time_and_raw_body(
    gateway: Client, composio: ComposioCore
) -> None:
    asked = {"webhook_url": "https://x.example/hook", "enabled_events": []}
    secret = gateway.post(f"{V31}/webhook_subscriptions", asked).doc["secret"]
    trigger = gateway.post(f"{V31}/trigger_instances/HUBSPOT_DEAL_STAGE_UPDATED_TRIGGER/upsert", {})
    assert trigger.doc["trigger_id"] == "ti_sim1"
    event = {"type": "composio.trigger.message", "metadata": {}, "data": {"objectId": 512}}
    delivery = composio.webhooks.deliver(event)
    head = f"{delivery.headers['webhook-id']}.{delivery.headers['webhook-timestamp']}.".encode()
    digest = hmac.new(secret.encode(), head + delivery.body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert delivery.headers["webhook-signature"] == expected
    forged = composio.webhooks.deliver(event, forged=True)
    assert forged.headers["webhook-signature"] == "v1,AAAA"
    storm = composio.webhooks.storm([event, event])
    ids = [d.headers["webhook-id"] for d in storm]
    assert ids == [ids[0], ids[1], ids[1], ids[0]]


def test_the_signature_of_the_published_sample_holds() -> None:
    body = (
        b'{"id":"msg_01J0","type":"composio.trigger.message","metadata":{"log_id":"log_abc",'
        b'"trigger_slug":"SALESFORCE_GENERIC_S_OBJECT_RECORD_UPDATED_TRIGGER",'
        b'"trigger_id":"ti_abc","connected_account_id":"ca_abc","auth_config_id":"ac_abc",'
        b'"user_id":"user-1"},"data":{"id":"0061x00000AbCdE","sobject":"Opportunity",'
        b'"monitored_values":{"StageName":"Closed Won","Amount":1200.0},'
        b'"last_modified_date":"2026-09-30T12:00:00.000+0000",'
        b'"system_modstamp":"2026-09-30T12:00:00.000+0000"},'
        b'"timestamp":"2026-09-30T12:01:00.000Z"}'
    )
    found = signed("whsec_example_secret", "msg_01J0", "1790769660", body)
    assert found == "v1,CHRMx087YzhxWCZQoQ5CwwuU7D1ANhkSjjWRQEwfWu0="
