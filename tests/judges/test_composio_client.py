"""`composio-client` (pinned) talks to the simulated gateway, every answer held to its model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from composio_client import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    Composio,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    ProjectAuth,
    RateLimitError,
    UnprocessableEntityError,
)
from composio_client import __version__ as judged

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import ComposioCore
from quotey.testing.simulators.faults import Fault
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.salesforce import SalesforceCore

PORTAL = "https://api.hubapi.com"
SITE = "https://acme.my.salesforce.com/services/data/v67.0"
VERSION = "20260915_00"
DEAL = {"dealname": "Judged", "dealstage": "qualifiedtobuy", "amount": "12"}


def client_of(base: str, key: str = "ak_sim", *, retries: int = 0) -> Composio:
    return Composio(
        auth=ProjectAuth(key),
        base_url=base,
        max_retries=retries,
        _strict_response_validation=True,
    )


@pytest.fixture
def client(base: str) -> Iterator[Composio]:
    with client_of(base) as made:
        yield made


@pytest.fixture
def portal_account(gateway: ComposioCore) -> str:
    return gateway.accounts.connect("hubspot")


@pytest.fixture
def org_account(gateway: ComposioCore) -> str:
    return gateway.accounts.connect("salesforce")


def test_the_judge_is_the_one_that_the_reference_describes() -> None:
    assert judged == "2.0.0-rc.19"


# --- the proxy ------------------------------------------------------------------------------------


def test_the_proxy_carries_writes_and_reads(client: Composio, portal_account: str) -> None:
    made = client.tools.proxy(
        endpoint=f"{PORTAL}/crm/v3/objects/deals",
        method="POST",
        connected_account_id=portal_account,
        user_id="user-1",
        body={"properties": DEAL},
    )
    assert made.status == 201
    data: Any = made.data
    read = client.tools.proxy(
        endpoint=f"{PORTAL}/crm/v3/objects/deals/{data['id']}?properties=dealname",
        method="GET",
        connected_account_id=portal_account,
    )
    found: Any = read.data
    assert found["properties"]["dealname"] == "Judged"
    assert read.headers is not None
    assert read.headers["x-hubspot-ratelimit-max"] == "190"


def test_what_the_provider_refuses_comes_inside_a_200(
    client: Composio, portal_account: str
) -> None:
    refused = client.tools.proxy(
        endpoint=f"{PORTAL}/crm/v3/objects/deals/1",
        method="GET",
        connected_account_id=portal_account,
    )
    data: Any = refused.data
    assert (refused.status, data["status"]) == (404, "error")


def test_header_parameters_reach_the_provider(
    client: Composio, org_account: str, org: SalesforceCore, clock: VirtualClock
) -> None:
    row = org.create("Account", {"Name": "Acme"})
    looked = clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    clock.advance(60)
    org.edit(row.row_id, {"Name": "Moved on"})
    refused = client.tools.proxy(
        endpoint=f"{SITE}/sobjects/Account/{row.row_id}",
        method="PATCH",
        connected_account_id=org_account,
        body={"Name": "Late"},
        parameters=[{"name": "If-Unmodified-Since", "value": looked, "type": "header"}],
    )
    assert refused.status == 412


def test_an_address_of_another_site_is_refused(client: Composio, portal_account: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.tools.proxy(
            endpoint="https://elsewhere.example/x",
            method="GET",
            connected_account_id=portal_account,
        )
    assert "OriginMismatch" in str(refused.value.body)


# --- tools ----------------------------------------------------------------------------------------


def test_a_tool_is_executed_and_its_answer_is_the_providers(
    client: Composio, portal_account: str, portal: HubSpotCore
) -> None:
    portal.create("deals", DEAL, visible=True)
    answer = client.tools.execute(
        "HUBSPOT_LIST_DEALS",
        connected_account_id=portal_account,
        user_id="user-1",
        version=VERSION,
        arguments={"limit": 5},
    )
    assert answer.successful is True
    assert answer.error is None
    assert answer.log_id
    data: Any = answer.data
    assert data["results"][0]["properties"]["dealname"] == "Judged"


def test_what_a_tool_cannot_do_is_told_with_successful_false(
    client: Composio, portal_account: str
) -> None:
    answer = client.tools.execute(
        "HUBSPOT_GET_DEAL",
        connected_account_id=portal_account,
        version=VERSION,
        arguments={"dealId": "999"},
    )
    assert answer.successful is False
    data: Any = answer.data
    assert data["status_code"] == 404


def test_a_tool_tells_what_it_takes(client: Composio) -> None:
    tool = client.tools.retrieve("HUBSPOT_GET_DEAL", version=VERSION)
    assert (tool.slug, tool.version, tool.toolkit.slug) == ("HUBSPOT_GET_DEAL", VERSION, "hubspot")
    parameters: Any = tool.input_parameters
    assert "dealId" in parameters["properties"]


def test_tools_are_listed_page_by_page(client: Composio) -> None:
    first = client.tools.list(toolkit_slug="salesforce", limit=5)
    assert len(first.items) == 5
    assert first.next_cursor is not None
    second = client.tools.list(toolkit_slug="salesforce", limit=5, cursor=first.next_cursor)
    assert not {one.slug for one in first.items} & {one.slug for one in second.items}
    assert {one.toolkit.slug for one in (*first.items, *second.items)} == {"salesforce"}


def test_a_toolkit_tells_its_versions(client: Composio) -> None:
    found = client.toolkits.retrieve("hubspot")
    assert found.slug == "hubspot"
    assert VERSION in found.meta.available_versions


@pytest.mark.parametrize(
    ("slug", "version"), [("HUBSPOT_NO_SUCH", VERSION), ("HUBSPOT_GET_DEAL", "20200101_00")]
)
def test_a_tool_that_is_not_in_the_version_is_not_found(
    client: Composio, portal_account: str, slug: str, version: str
) -> None:
    with pytest.raises(NotFoundError) as refused:
        client.tools.execute(
            slug, connected_account_id=portal_account, version=version, arguments={}
        )
    assert "Tool_ToolNotFound" in str(refused.value.body)


# --- accounts -------------------------------------------------------------------------------------


def test_an_account_is_connected_by_following_a_link(
    client: Composio, gateway: ComposioCore
) -> None:
    made = client.auth_configs.create(
        toolkit={"slug": "hubspot"}, auth_config={"type": "use_composio_managed_auth"}
    )
    config = made.auth_config.id
    link = client.link.create(auth_config_id=config, user_id="user-9")
    waiting = client.connected_accounts.retrieve(link.connected_account_id)
    assert (waiting.status, waiting.toolkit.slug) == ("INITIATED", "hubspot")
    gateway.accounts.approve(link.link_token)
    ready = client.connected_accounts.retrieve(link.connected_account_id)
    assert ready.status == "ACTIVE"
    assert ready.auth_config.id == config
    listed = client.connected_accounts.list(
        statuses=["ACTIVE"], toolkit_slugs=["hubspot"], user_ids=["user-9"]
    )
    assert [one.id for one in listed.items] == [link.connected_account_id]
    assert client.auth_configs.retrieve(config).id == config
    assert config in [one.id for one in client.auth_configs.list(toolkit_slug="hubspot").items]


def test_an_account_is_switched_off_revoked_and_removed(
    client: Composio, portal_account: str
) -> None:
    assert client.connected_accounts.update_status(portal_account, enabled=False).success is True
    assert client.connected_accounts.retrieve(portal_account).status == "INACTIVE"
    client.connected_accounts.revoke(portal_account)
    assert client.connected_accounts.retrieve(portal_account).status == "REVOKED"
    assert client.connected_accounts.delete(portal_account).success is True
    with pytest.raises(NotFoundError):
        client.connected_accounts.retrieve(portal_account)


def test_no_token_ever_leaves_the_gateway(client: Composio, portal_account: str) -> None:
    client.tools.proxy(
        endpoint=f"{PORTAL}/crm/v3/objects/deals",
        method="GET",
        connected_account_id=portal_account,
    )
    shown = client.connected_accounts.retrieve(portal_account).model_dump_json()
    assert "REDACTED" in shown
    assert "sim-hs-access" not in shown


def test_an_unknown_account_is_not_found_and_an_expired_one_cannot_be_used(
    client: Composio, portal_account: str, gateway: ComposioCore
) -> None:
    with pytest.raises(NotFoundError) as refused:
        client.tools.execute(
            "HUBSPOT_LIST_DEALS", connected_account_id="ca_none", version=VERSION, arguments={}
        )
    assert "ActionExecute_ConnectedAccountNotFound" in str(refused.value.body)
    gateway.accounts.expire(portal_account, "refresh token revoked")
    with pytest.raises(UnprocessableEntityError):
        client.tools.execute(
            "HUBSPOT_LIST_DEALS",
            connected_account_id=portal_account,
            version=VERSION,
            arguments={},
        )


# --- keys, logs, webhooks -------------------------------------------------------------------------


def test_a_wrong_key_and_a_small_key_are_refused(
    base: str, gateway: ComposioCore, portal_account: str
) -> None:
    with client_of(base, "ak_wrong") as client, pytest.raises(AuthenticationError):
        client.connected_accounts.list()
    gateway.add_key("ak_small", frozenset({"tools:execute"}))
    with client_of(base, "ak_small") as client, pytest.raises(PermissionDeniedError):
        client.tools.proxy(
            endpoint=f"{PORTAL}/crm/v3/objects/deals",
            method="GET",
            connected_account_id=portal_account,
        )


def test_every_execution_is_in_the_log(client: Composio, portal_account: str) -> None:
    answer = client.tools.execute(
        "HUBSPOT_LIST_DEALS", connected_account_id=portal_account, version=VERSION, arguments={}
    )
    listed = client.logs.create_tool_execution(limit=10)
    assert answer.log_id in [one.id for one in listed.logs]
    assert answer.log_id is not None
    found = client.logs.retrieve_tool_execution(answer.log_id)
    assert found.id == answer.log_id


def test_a_webhook_subscription_gives_a_secret(client: Composio) -> None:
    made = client.webhook_subscriptions.create(
        webhook_url="https://quotey.example/hook", enabled_events=["composio.trigger.message"]
    )
    assert made.id
    assert made.secret


# --- failures and retries -------------------------------------------------------------------------


def test_a_limit_is_the_clients_rate_limit_error(client: Composio, gateway: ComposioCore) -> None:
    gateway.faults.add(Fault("rate_limited", retry_after="17"))
    with pytest.raises(RateLimitError) as refused:
        client.connected_accounts.list()
    assert refused.value.response.headers["retry-after"] == "17"


def test_a_broken_line_and_a_page_of_html_are_errors(
    client: Composio, gateway: ComposioCore
) -> None:
    gateway.faults.add(Fault("timeout"))
    with pytest.raises(APIConnectionError):
        client.connected_accounts.list()
    gateway.faults.add(Fault("html", status=502))
    with pytest.raises(InternalServerError):
        client.connected_accounts.list()


def test_the_client_sends_a_write_again_by_itself_which_is_why_it_is_not_ours(
    base: str, gateway: ComposioCore, portal_account: str, portal: HubSpotCore
) -> None:
    gateway.faults.add(Fault("server_error", status=500, effect=True))
    with client_of(base, retries=1) as client:
        client.tools.proxy(
            endpoint=f"{PORTAL}/crm/v3/objects/deals",
            method="POST",
            connected_account_id=portal_account,
            body={"properties": DEAL},
        )
    assert len(portal.portal.records["deals"]) == 2
