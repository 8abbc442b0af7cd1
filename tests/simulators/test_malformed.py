"""Whatever JSON a client sends, a simulator answers as its vendor would; it never falls over."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.composio import ComposioCore, Upstream
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Request, Response
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.salesforce import SalesforceCore

_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 10**18, 0.5, "", "x", "1", [], [None], ["x"], {}]
)
_NESTED = st.builds(lambda leaf: {"id": leaf, "x": [leaf]}, _ODD)
_OBJECTS = "/crm/v3/objects/deals"
_LINKS = "/crm/v4/associations/deals/companies/batch"
_DATA = "/services/data/v67.0"
_DEAL = {"dealname": "X", "dealstage": "closedwon", "amount": "1", "closedate": "2026-04-01"}
_TYPES = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]
_INLINE = [{"to": {"id": "{company}"}, "types": _TYPES}]
_ITEM = {"id": "{known}", "properties": _DEAL, "objectWriteTraceId": "t", "associations": _INLINE}
_LINK = {"from": {"id": "{known}"}, "to": {"id": "{company}"}, "types": _TYPES}
_PROPERTY = {
    "name": "q",
    "label": "Q",
    "type": "string",
    "fieldType": "text",
    "groupName": "g",
    "hasUniqueValue": True,
    "options": [{"value": "a", "label": "A"}],
}
_SEARCH = {
    "filterGroups": [
        {
            "filters": [
                {"propertyName": "amount", "operator": "BETWEEN", "value": "1", "highValue": "2"},
                {"propertyName": "dealname", "operator": "IN", "values": ["x"]},
                {"propertyName": "associations.company", "operator": "EQ", "value": "1"},
                {"propertyName": "hs_object_id", "operator": "GT", "value": "0"},
            ]
        }
    ],
    "sorts": [{"propertyName": "amount", "direction": "DESCENDING"}],
    "query": "x",
    "limit": 5,
    "after": "0",
    "properties": ["amount"],
}
HUBSPOT: list[tuple[str, str, object]] = [
    ("POST", _OBJECTS, {"properties": _DEAL, "associations": _INLINE}),
    ("POST", f"{_OBJECTS}/search", _SEARCH),
    ("POST", f"{_OBJECTS}/merge", {"primaryObjectId": "{known}", "objectIdToMerge": "{other}"}),
    ("PATCH", f"{_OBJECTS}/{{known}}", {"properties": _DEAL}),
    (
        "POST",
        f"{_OBJECTS}/batch/read",
        {
            "inputs": [{"id": "{known}"}],
            "idProperty": "hs_object_id",
            "properties": ["amount"],
            "propertiesWithHistory": ["amount"],
        },
    ),
    *(
        ("POST", f"{_OBJECTS}/batch/{word}", {"inputs": [_ITEM]})
        for word in ("create", "update", "upsert", "archive")
    ),
    ("GET", f"{_OBJECTS}?limit=x&after=y", {}),
    ("GET", f"{_OBJECTS}?after=y&associations=x", {}),
    ("POST", "/crm/v3/properties/deals", _PROPERTY),
    ("POST", "/crm/v3/properties/deals/batch/create", {"inputs": [_PROPERTY]}),
    ("POST", "/crm/v3/properties/deals/batch/read", {"inputs": [{"name": "amount"}]}),
    ("PUT", "/crm/v4/objects/deals/{known}/associations/companies/{company}", _TYPES),
    ("GET", "/crm/v4/objects/deals/x/associations/companies?after=x", {}),
    *(
        ("POST", f"{_LINKS}/{word}", {"inputs": [_LINK]})
        for word in ("create", "archive", "labels/archive", "associate/default")
    ),
    ("POST", f"{_LINKS}/read", {"inputs": [{"id": "{known}"}]}),
    ("POST", f"{_LINKS}/nothing", {"inputs": [_LINK]}),
    ("POST", "/oauth/v1/token", {}),
    ("PUT", _OBJECTS, {}),
]
_RECORD = {"attributes": {"type": "Account"}, "Id": "{known}", "Name": "X", "AnnualRevenue": 5}
_PART = {
    "referenceId": "a",
    "method": "POST",
    "url": f"{_DATA}/sobjects/Account",
    "body": {"Name": "@{b.id[0]}"},
    "httpHeaders": {"X-A": "b"},
}
SALESFORCE: list[tuple[str, str, object]] = [
    ("POST", f"{_DATA}/sobjects/Account", {"Name": "X", "Website": "x", "AnnualRevenue": 5}),
    ("PATCH", f"{_DATA}/sobjects/Account/{{known}}", {"Name": "X", "ParentId": "{known}"}),
    *(
        (method, f"{_DATA}/composite/sobjects", {"records": [_RECORD], "allOrNone": True})
        for method in ("POST", "PATCH", "DELETE", "PUT")
    ),
    ("PATCH", f"{_DATA}/composite/sobjects/Account/Id", {"records": [_RECORD]}),
    ("POST", f"{_DATA}/composite/sobjects/Account", {"ids": ["{known}"], "fields": ["Name"]}),
    ("POST", f"{_DATA}/composite", {"compositeRequest": [_PART], "allOrNone": True}),
    (
        "POST",
        f"{_DATA}/composite/batch",
        {"batchRequests": [{"method": "GET", "url": "v67.0/limits", "richInput": {}}]},
    ),
    (
        "POST",
        f"{_DATA}/tooling/sobjects/CustomField",
        {
            "FullName": "Account.Q__c",
            "Metadata": {"type": "Text", "length": 5, "scale": 0, "unique": True},
        },
    ),
    ("GET", f"{_DATA}/query", {}),
    ("GET", f"{_DATA}/query/01gxx-x", {}),
    ("GET", f"{_DATA}/tooling/query?q=SELECT", {}),
    ("GET", f"{_DATA}/sobjects/Account/updated", {}),
    ("PATCH", f"{_DATA}/sobjects/Account/Id/x", {}),
    ("PUT", f"{_DATA}/sobjects/Account/{{known}}", {}),
    ("GET", f"{_DATA}/sobjects/Account/{{known}}?fields=Nothing", {}),
    ("POST", "/services/oauth2/token", {}),
    ("GET", "/services/data", {}),
    ("GET", "/services", {}),
]
_CALL = {
    "endpoint": f"https://api.hubapi.com{_OBJECTS}",
    "method": "POST",
    "connected_account_id": "ca_sim1",
    "user_id": "user-1",
    "body": {"properties": _DEAL},
    "parameters": [{"name": "a", "value": "b", "type": "query"}],
}
_TOOL = "/api/v3.1/tools/execute"
COMPOSIO: list[tuple[str, str, object]] = [
    ("POST", f"{_TOOL}/proxy", _CALL),
    *(
        (
            "POST",
            f"{_TOOL}/{slug}",
            {"connected_account_id": account, "version": "latest", "arguments": arguments},
        )
        for slug, account, arguments in (
            ("HUBSPOT_CREATE_DEAL", "ca_sim1", {**_DEAL, "custom_properties": {"a": "b"}}),
            ("HUBSPOT_GET_DEALS", "ca_sim1", {"inputs": [{"id": "1"}], "archived": True}),
            ("SALESFORCE_RUN_SOQL_QUERY", "ca_sim2", {"query": "SELECT Id FROM Account"}),
            ("SALESFORCE_SEARCH_ACCOUNTS", "ca_sim2", {"name": "x", "limit": 5}),
            ("SALESFORCE_CREATE_ACCOUNT", "ca_sim2", {"name": "x", "custom_fields": {"a": 1}}),
            ("SALESFORCE_QUERY_MORE", "ca_sim2", {"next_records_url": "/services/data/x"}),
        )
    ),
    ("POST", "/api/v3.1/connected_accounts/link", {"auth_config_id": "ac_sim1", "user_id": "u"}),
    ("PATCH", "/api/v3.1/connected_accounts/ca_sim1/status", {"enabled": True}),
    ("POST", "/api/v3.1/auth_configs", {"toolkit": {"slug": "hubspot"}}),
    (
        "POST",
        "/api/v3.1/logs/tool_execution",
        {
            "filters": [{"field": "log_id", "operator": "contains", "value": "x"}],
            "limit": 5,
            "cursor": "0",
        },
    ),
    ("POST", "/api/v3.1/webhook_subscriptions", {"webhook_url": "x", "enabled_events": ["x"]}),
    ("POST", "/api/v3.1/trigger_instances/x", {}),
    ("GET", "/api/v3.1/connected_accounts?limit=x&cursor=y", {}),
    ("GET", "/api/v3.1/auth_configs/none", {}),
    ("GET", "/api/v3.1/tools?limit=x&cursor=y", {}),
    ("GET", "/api/v3", {}),
    ("GET", "/link/none", {}),
]


def places(doc: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document, the whole of it first."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(doc, dict):
        inner = list(doc.items())
    elif isinstance(doc, list):
        inner = list(enumerate(doc))
    return [at, *(p for key, value in inner for p in places(value, (*at, key)))]


def spoiled(doc: Any, at: tuple[str | int, ...], odd: object) -> Any:  # noqa: ANN401 - any JSON
    """The document with something odd at one place."""
    if not at:
        return odd
    copy = doc.copy()
    copy[at[0]] = spoiled(copy[at[0]], at[1:], odd)
    return copy


Made = tuple[Core, dict[str, str], dict[str, str]]


def hubspot() -> tuple[HubSpotCore, dict[str, str], dict[str, str]]:
    core = HubSpotCore(VirtualClock())
    core.gate.enforced = False
    deal = {"dealname": "X", "dealstage": "closedwon"}
    names = {
        "known": str(core.create("deals", deal, visible=True).record_id),
        "other": str(core.create("deals", deal, visible=True).record_id),
        "company": str(core.create("companies", {"name": "A"}, visible=True).record_id),
    }
    return core, {"authorization": f"Bearer {core.private_token()}"}, names


def salesforce() -> tuple[SalesforceCore, dict[str, str], dict[str, str]]:
    core = SalesforceCore(VirtualClock())
    token = core.issue_token(seconds=None)
    known = core.create("Account", {"Name": "A"}).row_id
    return core, {"authorization": f"Bearer {token}"}, {"known": known}


def composio() -> Made:
    behind = hubspot()[0]
    org = salesforce()[0]
    core = ComposioCore(
        behind.clock,
        {
            "hubspot": Upstream(behind, "https://api.hubapi.com", behind.issue_token),
            "salesforce": Upstream(org, "https://x.my.salesforce.com", org.issue_token),
        },
    )
    for toolkit in ("hubspot", "salesforce"):
        core.accounts.connect(toolkit)
    return core, {"x-api-key": core.add_key()}, {}


MAKERS: dict[str, Callable[[], Made]] = {
    "hubspot": hubspot,
    "salesforce": salesforce,
    "composio": composio,
}
ROUTES = [
    *(("hubspot", *route) for route in HUBSPOT),
    *(("salesforce", *route) for route in SALESFORCE),
    *(("composio", *route) for route in COMPOSIO),
]


@pytest.mark.parametrize(("vendor", "method", "target", "valid"), ROUTES)
@given(data=st.data())
@settings(max_examples=40)
def test_whatever_is_odd_in_a_request_gets_an_answer(
    vendor: str, method: str, target: str, valid: object, data: st.DataObject
) -> None:
    core, headers, names = MAKERS[vendor]()
    at = data.draw(st.sampled_from(places(valid)))
    body = json.dumps(spoiled(valid, at, data.draw(_ODD | _NESTED)))
    for name, record_id in names.items():
        body, target = (
            body.replace(f"{{{name}}}", record_id),
            target.replace(f"{{{name}}}", record_id),
        )
    for raw in (body.encode(), body.encode()[:-1], b"\xff"):
        outcome = core.exchange(Request(method, target, headers, raw))
        assert isinstance(outcome, Response)
        assert 200 <= outcome.status < 600
