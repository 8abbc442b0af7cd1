"""Every answer that the service and a provider can give, over real HTTP, and what is made of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from quotey.adapters.composio.budget import CONNECTION, ORGANISATION, Alone, Budget, Rate
from quotey.adapters.composio.call import ComposioCaller
from quotey.adapters.composio.failure import failure_of
from quotey.adapters.composio.hubspot import HubSpotJudge
from quotey.adapters.composio.ops import Failed, Kind, Op, Outcome, Reply, Tool
from quotey.adapters.composio.settings import HubSpotSettings
from quotey.adapters.composio.turns import Turns
from quotey.contract.errors import ErrorClass
from quotey.contract.errors import Outcome as Effect
from quotey.contract.secret import Secret
from quotey.wire import Door
from tests.wire.server import Server, answering, impostor, plain

READ = Op(
    name="Reading a deal",
    method="GET",
    path="/crm/v3/objects/deals/1",
    query=(("properties", "a,b c"),),
    headers=(("If-Unmodified-Since", "x"),),
    tool=Tool("HUBSPOT_GET_DEAL", {"dealId": "1"}),
)
WRITE = msgspec.structs.replace(READ, name="Updating a deal", method="PATCH", writes=True)


@contextlib.contextmanager
def caller_of(server: Server, **more: object) -> Iterator[ComposioCaller]:
    settings = HubSpotSettings(
        api_key=Secret("ak_canary"),
        connected_account_id="ca_1",
        user_id="u_1",
        base_url=server.url.removesuffix("/x"),
        loopback=True,
        **more,  # type: ignore[arg-type]
    )
    ample = Rate(1e6, 1.0)
    rates = {ORGANISATION: ample, CONNECTION: ample}
    turns = Turns(
        settings,
        lambda shared: Budget({scope: scope for scope in rates}, rates, share=0.0, shared=shared),
        Alone(float, lambda _s: None),
    )
    door = Door(frozenset(), loopback=True)
    try:
        yield ComposioCaller(
            settings,
            "https://api.hubapi.com",
            HubSpotJudge("America/New_York"),
            door=door,
            turns=turns,
            ids=lambda: "r-1",
        )
    finally:
        door.close()


def outcome_of(
    doc: object, op: Op = READ, *headers: str, status: str = "200 OK", tools: bool = False
) -> Outcome:
    body = doc if isinstance(doc, bytes) else msgspec.json.encode(doc)
    transport = {"transport": "tools" if tools else "proxy"}
    with (
        answering(plain(body, *headers, status=status)) as server,
        caller_of(server, **transport) as caller,
    ):
        return caller.call(op, 5.0)


def refused(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def proxied(status: int, data: object, headers: Mapping[str, str] | None = None) -> object:
    return {"status": status, "data": data, "headers": headers or {}, "log_id": "log_1"}


def by_tool(status: object, message: object) -> object:
    data = {"message": message, "status_code": status}
    return {"successful": False, "error": "Invalid request", "data": data, "log_id": "log_1"}


# --- what is sent ---------------------------------------------------------------------------------


def heard_body(op: Op, **settings: object) -> tuple[str, dict[str, object]]:
    with (
        answering(plain(b"{}", "connection: close")) as server,
        caller_of(server, **settings) as caller,
    ):
        caller.call(op, 5.0)
        head, _, body = server.heard[0].partition(b"\r\n\r\n")
        return head.decode(), msgspec.json.decode(body)


def test_the_proxy_is_given_an_absolute_address_and_the_account() -> None:
    head, body = heard_body(READ)
    assert head.startswith("POST /api/v3.1/tools/execute/proxy HTTP/1.1")
    assert body == {
        "connected_account_id": "ca_1",
        "user_id": "u_1",
        "endpoint": "https://api.hubapi.com/crm/v3/objects/deals/1?properties=a%2Cb%20c",
        "method": "GET",
        "parameters": [{"name": "If-Unmodified-Since", "value": "x", "type": "header"}],
    }


def test_a_tool_is_given_the_pinned_version_and_the_account() -> None:
    head, body = heard_body(READ, transport="tools")
    assert head.startswith("POST /api/v3.1/tools/execute/HUBSPOT_GET_DEAL HTTP/1.1")
    assert body == {
        "connected_account_id": "ca_1",
        "user_id": "u_1",
        "version": "20260915_00",
        "arguments": {"dealId": "1"},
    }


def test_every_request_has_one_credential_and_an_id_of_its_own() -> None:
    head, _body = heard_body(READ)
    lines = [line.lower() for line in head.split("\r\n")]
    assert "x-request-id: r-1" in lines
    assert [line for line in lines if "key" in line or "auth" in line] == ["x-api-key: ak_canary"]


def test_what_no_tool_does_is_not_sent() -> None:
    op = msgspec.structs.replace(READ, tool=None)
    assert refused(outcome_of({}, op, tools=True)).code == "no_tool"


# --- the service's own answers (composio.md 1.4) --------------------------------------------------

OWN = [
    (404, {"error": {"code": 1810, "slug": "ActionExecute_ConnectedAccountNotFound"}}, Kind.AUTH),
    (400, {"error": {"code": 1803, "message": "No connected account found"}}, Kind.AUTH),
    (404, {"error": {"code": 2401, "slug": "Tool_ToolNotFound"}}, Kind.PERMANENT),
    (401, {"error": {"code": 0, "slug": "HTTP_Unauthorized"}}, Kind.AUTH),
    (403, {"error": {"code": 403, "message": "lacks permission"}}, Kind.AUTH),
    (422, {"error": {"code": 1820, "message": "EXPIRED"}}, Kind.AUTH),
    (400, {"error": {"code": "OriginMismatch", "message": "no"}}, Kind.PERMANENT),
    (400, {"error": {"code": "MissingAuthContext", "message": "no"}}, Kind.AUTH),
    (410, {"error": {"message": "gone"}}, Kind.PERMANENT),
    *[(status, {}, Kind.PERMANENT) for status in (301, 302, 307, 308, 405, 413, 414, 431)],
    *[(status, {}, Kind.PERMANENT) for status in (501, 505)],
    *[(status, {}, Kind.AMBIGUOUS) for status in (520, 530, 599)],
    (425, {}, Kind.TRANSIENT),
    (500, {"error": "text"}, Kind.AMBIGUOUS),
    (502, b"<html>Bad gateway</html>", Kind.AMBIGUOUS),
    (503, b"", Kind.AMBIGUOUS),
    (504, {"error": {"message": "timeout", "code": []}}, Kind.AMBIGUOUS),
    (408, {}, Kind.AMBIGUOUS),
    (429, {"message": "Rate limit exceeded. Limit: 10000 requests per 1 minutes"}, Kind.RATE_LIMIT),
]


@pytest.mark.parametrize(("status", "doc", "kind"), OWN)
@pytest.mark.parametrize("tools", [False, True])
def test_an_error_of_the_service_is_known_by_code_then_status(
    status: int, doc: object, kind: Kind, tools: bool
) -> None:
    failed = refused(outcome_of(doc, READ, status=f"{status} X", tools=tools))
    assert failed.kind is kind
    assert failed.trace.request_id == "r-1"


def test_a_429_says_how_long_to_wait_or_gets_the_edges_time() -> None:
    told = refused(outcome_of({"message": "limit"}, READ, "retry-after: 17", status="429 X"))
    silent = {"error": {"code": 10429, "slug": "HTTP_TooManyRequests"}}
    assert told.wait_seconds == 17
    assert refused(outcome_of(silent, READ, status="429 X")).wait_seconds == 20


# --- answers that say nothing ---------------------------------------------------------------------

NOTHING = [
    b"<!DOCTYPE html><html></html>",
    b"",
    b"[]",
    b'{"data":{}}',
    b'{"status":"200","data":{}}',
    b'{"status":true,"data":{}}',
    b'{"status":200,"data":"<html>Service page</html>"}',
    b'{"status":200,"data":NaN}',
    b'{"status":200,"data":{',
    b"null",
    b'\xef\xbb\xbf{"status":200,"data":{}}',
    '{"status":200,"data":{}}'.encode("utf-16"),
    b'{"status":200,"data":{"id":"1"},"data":{"id":"2"}}',
    b'{"status":200,"data":{"results":[{"id":"1","id":"2"}]}}',
    b'{"status":200,"data":{"id":"1" , "id" : "2"}}',
]


@pytest.mark.parametrize("body", NOTHING)
def test_a_200_that_is_no_answer_leaves_a_write_unknown(body: bytes) -> None:
    failed = refused(outcome_of(body, WRITE))
    assert failed.kind is Kind.MALFORMED
    raised = failure_of(failed, WRITE, lambda _p: ("", ""))
    assert (raised.error_class, raised.outcome) == (ErrorClass.UNKNOWN, Effect.UNKNOWN)
    read = failure_of(failed, READ, lambda _p: ("", ""))
    assert (read.error_class, read.outcome) == (ErrorClass.TRANSIENT, Effect.NOT_APPLIED)


def test_what_was_only_accepted_was_not_done() -> None:
    failed = refused(outcome_of(proxied(202, {"id": "1"}), WRITE))
    raised = failure_of(failed, WRITE, lambda _p: ("", ""))
    assert (raised.error_class, raised.outcome) == (ErrorClass.UNKNOWN, Effect.UNKNOWN)
    assert isinstance(outcome_of(proxied(202, {"id": "1"})), Reply)


def test_a_server_that_cannot_prove_who_it_is_stops_the_connection(tmp_path: Path) -> None:
    with impostor(tmp_path) as server, caller_of(server) as caller:
        failed = refused(caller.call(WRITE, 5.0))
    raised = failure_of(failed, WRITE, lambda _p: ("", ""))
    assert (raised.error_class, raised.outcome) == (ErrorClass.AUTH, Effect.NOT_APPLIED)
    assert "certificate" in raised.message


SAID_NOTHING: list[object] = [
    {"successful": False, "error": None, "data": {}, "log_id": "log_1"},
    {"successful": False, "data": {"message": "no"}},
    {"successful": True, "error": None, "data": "<html></html>"},
    {"successful": "yes", "data": {"id": "1"}},
    {"data": {"id": "1"}},
]


@pytest.mark.parametrize("doc", SAID_NOTHING)
def test_a_tool_without_a_clear_word_did_not_succeed(doc: object) -> None:
    assert refused(outcome_of(doc, WRITE, tools=True)).kind is Kind.MALFORMED


def test_a_whole_answer_is_a_reply_with_the_providers_headers_and_clock() -> None:
    date = {"Date": "Tue, 10 Mar 2026 12:00:00 GMT", "X-HubSpot-RateLimit-Remaining": "9"}
    reply = outcome_of(proxied(207, {"id": "1"}, date))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.doc) == (207, {"id": "1"})
    assert reply.headers["x-hubspot-ratelimit-remaining"] == "9"
    assert reply.server_ts is not None
    assert reply.server_ts.isoformat() == "2026-03-10T12:00:00+00:00"
    assert (reply.trace.request_id, reply.trace.log_id) == ("r-1", "log_1")


@pytest.mark.parametrize("flag", ["successful", "successfull"])
def test_a_tools_answer_is_the_same_in_old_and_new_envelopes(flag: str) -> None:
    old = {flag: True, "data": {"response_data": {"response_data": {"id": "1"}}}, "error": None}
    for doc in (old, {flag: True, "data": {"id": "1"}}):
        reply = outcome_of(doc, READ, tools=True)
        assert isinstance(reply, Reply)
        assert reply.doc == {"id": "1"}


# --- the provider's refusals, by either way -------------------------------------------------------


def embedded(code: str) -> dict[str, object]:
    inner = '[{"isValid":false,"message":"m","error":"%s","name":"amount"}]'
    message = "Property values were not valid: " + inner % code
    return {"status": "error", "category": "VALIDATION_ERROR", "message": message}


TAKEN = {
    "category": "VALIDATION_ERROR",
    "message": "Cannot set PropertyValueCoordinates{portalId=1, value=Q-1} on 552148386511. "
    "552239500007 already has that value.",
}
HUBSPOT: list[tuple[int, object, Kind]] = [
    *[(400, embedded(code), Kind.MAPPING) for code in ("PROPERTY_DOESNT_EXIST", "INVALID_OPTION")],
    *[(400, embedded(code), Kind.MAPPING) for code in ("READ_ONLY_VALUE", "INVALID_DATE")],
    (400, embedded("INVALID_EMAIL"), Kind.PERMANENT),
    (400, TAKEN, Kind.CONFLICT),
    (400, {"category": "VALIDATION_ERROR", "message": "associations are invalid"}, Kind.MAPPING),
    (400, {"status": "BAD_REFRESH_TOKEN", "message": "invalid"}, Kind.AUTH),
    (401, {"category": "EXPIRED_AUTHENTICATION", "message": "expired"}, Kind.AUTH),
    (403, {"category": "MISSING_SCOPES", "message": "no"}, Kind.PERMISSION),
    (404, {"status": "error", "message": "resource not found"}, Kind.NOT_FOUND),
    (404, {"category": "OBJECT_NOT_FOUND", "message": "Object not found."}, Kind.NOT_FOUND),
    (409, {"category": "CONFLICT", "message": "Contact already exists."}, Kind.CONFLICT),
    *[(status, None, Kind.PERMANENT) for status in (301, 302, 307, 308, 405, 413, 414, 431)],
    *[(status, None, Kind.PERMANENT) for status in (501, 505)],
    (408, None, Kind.AMBIGUOUS),
    (423, {}, Kind.TRANSIENT),
    (425, {}, Kind.TRANSIENT),
    (429, {"policyName": "SECONDLY", "message": "limit"}, Kind.RATE_LIMIT),
    (477, {}, Kind.TRANSIENT),
    *[(status, None, Kind.AMBIGUOUS) for status in (500, 502, 503, 504, 521, 523, 524)],
    *[(status, "<html></html>", Kind.PERMANENT) for status in (522, 525, 526)],
]


@pytest.mark.parametrize(("status", "doc", "kind"), HUBSPOT)
def test_a_refusal_of_hubspot_is_known_by_code_then_status(
    status: int, doc: object, kind: Kind
) -> None:
    assert refused(outcome_of(proxied(status, doc))).kind is kind
    text = msgspec.json.encode(doc).decode()
    through_tool = refused(outcome_of(by_tool(status, text), READ, tools=True))
    assert through_tool.kind is kind


AT_ONE = "Tue, 10 Mar 2026 13:00:00 GMT"
WAITS: list[tuple[dict[str, str], dict[str, str], float | None]] = [
    ({"policyName": "SECONDLY"}, {}, 1.0),
    ({"policyName": "TEN_SECONDLY_ROLLING"}, {}, 10.0),
    ({"policyName": "TEN_SECONDLY_ROLLING"}, {"Retry-After": "3"}, 3.0),
    ({"policyName": "UNHEARD_OF"}, {}, None),
    # A date is measured by the clock that sent it; where that is not told, it says nothing.
    ({}, {"Retry-After": AT_ONE, "Date": "Tue, 10 Mar 2026 12:59:30 GMT"}, 30.0),
    ({}, {"Retry-After": AT_ONE, "Date": "Tue, 10 Mar 2026 13:30:00 GMT"}, 0.0),
    ({"policyName": "SECONDLY"}, {"Retry-After": AT_ONE}, 1.0),
    # 08:00 in New York (daylight saving time); its midnight is sixteen hours away.
    ({"policyName": "DAILY"}, {"Date": "Tue, 10 Mar 2026 12:00:00 GMT"}, 57_600.0),
]


@pytest.mark.parametrize(("doc", "headers", "wait"), WAITS)
def test_a_limit_of_hubspot_is_waited_for_by_its_policy(
    doc: dict[str, str], headers: dict[str, str], wait: float | None
) -> None:
    assert refused(outcome_of(proxied(429, doc, headers))).wait_seconds == wait


def test_a_refused_property_is_named() -> None:
    newer = {
        "category": "VALIDATION_ERROR",
        "message": "Property values were not valid",
        "errors": [{"code": "INVALID_OPTION", "context": {"propertyName": ["dealstage"]}}],
    }
    for doc, name in ((embedded("INVALID_OPTION"), "amount"), (newer, "dealstage")):
        failed = refused(outcome_of(proxied(400, doc)))
        assert [(one.property, one.code) for one in failed.problems] == [(name, "INVALID_OPTION")]


def test_missing_scopes_are_told_as_they_came() -> None:
    context = {"requiredScopes": ["crm.objects.deals.write"]}
    doc = {"category": "MISSING_SCOPES", "message": "x", "errors": [{"context": context}]}
    assert "crm.objects.deals.write" in refused(outcome_of(proxied(403, doc))).message


def test_no_value_of_a_record_and_no_key_is_in_a_message() -> None:
    leaky = {
        "category": "CONFLICT",
        "message": "Contact ann.canary@example.com, phone +1 (555) 010-9999, value=CANARY} key",
    }
    failed = refused(outcome_of(proxied(409, leaky), WRITE))
    raised = failure_of(failed, WRITE, lambda _p: ("", ""))
    for canary in ("ann", "example.com", "9999", "CANARY", "ak_canary"):
        assert canary not in raised.message
    assert "log_1" in raised.message
    assert "r-1" in raised.message
