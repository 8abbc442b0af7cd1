"""Every fault switch over real HTTP (composio.md section 5, crm-semantics.md section 8)."""

import http.client
import json
import threading

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Request, Response
from quotey.testing.simulators.faults import Fault, FaultQueue
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.salesforce import SalesforceCore
from tests.simulators.test_hubspot_objects import DEALS
from tests.simulators.test_salesforce_rows import BASE, OPPORTUNITIES
from tests.simulators.wire_client import Client

DEAL = {"properties": {"dealname": "X", "dealstage": "closedwon"}}
Side = tuple[Core, Client, str, dict[str, object]]


@pytest.fixture(params=["hubspot", "salesforce"])
def side(
    request: pytest.FixtureRequest,
    hubspot: HubSpotCore,
    salesforce: SalesforceCore,
    hs: Client,
    sf: Client,
) -> Side:
    if request.param == "hubspot":
        return hubspot, hs, DEALS, dict(DEAL)
    return salesforce, sf, OPPORTUNITIES, dict(BASE)


@pytest.mark.parametrize(("effect", "made"), [(False, 0), (True, 1)])
def test_a_dropped_line_before_or_after_the_effect(side: Side, effect: bool, made: int) -> None:
    core, client, path, doc = side
    core.faults.add(Fault("timeout", effect=effect))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.post(path, doc)
    assert len(core.effects) == made
    assert core.log[-1].status == 0
    assert core.log[-1].effects == made
    assert client.post(path, doc).status == 201


def test_a_held_line_outlasts_the_clients_patience(side: Side) -> None:
    core, client, path, doc = side
    core.faults.add(Fault("timeout", effect=True, hold=30))
    client.timeout = 0.1
    with pytest.raises(TimeoutError):
        client.post(path, doc)
    assert len(core.effects) == 1


def test_a_late_effect_lands_after_the_caller_has_given_up(side: Side, clock: VirtualClock) -> None:
    core, client, path, doc = side
    core.faults.add(Fault("late", delay=90))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.post(path, doc)
    client.get(path)
    assert core.effects == []
    clock.advance(90)
    client.get(path)
    assert len(core.effects) == 1


def test_a_doubled_delivery_has_two_effects_and_one_answer(side: Side) -> None:
    core, client, path, doc = side
    core.faults.add(Fault("duplicate"))
    assert client.post(path, doc).status == 201
    assert len(core.effects) == 2
    assert core.log[-1].effects == 2


def test_a_truncated_body_comes_after_the_effect(side: Side) -> None:
    core, client, path, doc = side
    core.faults.add(Fault("truncated"))
    with pytest.raises(http.client.IncompleteRead) as broken:
        client.post(path, doc)
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.value.partial)
    assert len(core.effects) == 1


@pytest.mark.parametrize(("effect", "made"), [(False, 0), (True, 1)])
def test_a_server_error_before_or_after_the_effect(side: Side, effect: bool, made: int) -> None:
    core, client, path, doc = side
    core.faults.add(Fault("server_error", status=502, effect=effect))
    assert client.post(path, doc).status == 502
    assert len(core.effects) == made


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_comes_where_json_was_due(side: Side, status: int) -> None:
    core, client, path, doc = side
    core.faults.add(Fault("html", status=status))
    answer = client.post(path, doc)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert core.effects == []


def test_hubspot_shows_limits_expiry_and_odd_statuses_its_own_way(
    hs: Client, hubspot: HubSpotCore
) -> None:
    hubspot.faults.add(Fault("rate_limited", policy="DAILY"))
    hubspot.faults.add(Fault("rate_limited", policy="SECONDLY", retry_after="7"))
    hubspot.faults.add(Fault("token_expired"))
    hubspot.faults.add(Fault("status", status=477, retry_after="3600"))
    hubspot.faults.add(Fault("status", status=423))
    bare, timed, expired, moving, locked = (hs.get(DEALS) for _ in range(5))
    assert (bare.doc["policyName"], "retry-after" in bare.headers) == ("DAILY", False)
    assert (timed.status, timed.headers["retry-after"]) == (429, "7")
    assert (expired.status, expired.doc["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert (moving.status, moving.headers["retry-after"]) == (477, "3600")
    assert locked.status == 423


def test_salesforce_shows_limits_expiry_and_errors_its_own_way(
    sf: Client, salesforce: SalesforceCore
) -> None:
    salesforce.faults.add(Fault("rate_limited", policy="ConcurrentPerOrgLongTxn"))
    salesforce.faults.add(Fault("token_expired"))
    salesforce.faults.add(Fault("server_error"))
    salesforce.faults.add(Fault("status", code="UNABLE_TO_LOCK_ROW"))
    salesforce.faults.add(Fault("status", status=500, code="UNKNOWN_EXCEPTION"))
    answers = [sf.get(OPPORTUNITIES) for _ in range(5)]
    seen = [(a.status, a.doc[0]["errorCode"]) for a in answers]
    assert seen == [
        (403, "REQUEST_LIMIT_EXCEEDED"),
        (401, "INVALID_SESSION_ID"),
        (503, "SERVER_UNAVAILABLE"),
        (400, "UNABLE_TO_LOCK_ROW"),
        (500, "UNKNOWN_EXCEPTION"),
    ]
    assert answers[0].doc[0]["message"] == "ConcurrentPerOrgLongTxn Limit exceeded."


def test_a_fault_waits_for_its_operation_and_its_turn() -> None:
    queue = FaultQueue()
    queue.add(Fault("timeout", "hubspot POST */search", times=2, after=1))
    queue.add(Fault("html", "salesforce *"))
    wanted = "hubspot POST /crm/v3/objects/deals/search"
    assert queue.take("hubspot GET /crm/v3/objects/deals") is None
    struck = [queue.take(wanted) is not None for _ in range(4)]
    assert struck == [False, True, True, False]
    assert [fault.kind for fault in queue.waiting] == ["html"]
    queue.clear()
    assert queue.waiting == ()


def test_the_log_keeps_no_credential(hs: Client, hubspot: HubSpotCore) -> None:
    hs.get(DEALS)
    assert hubspot.log[-1].headers["authorization"] == "***"
    assert "sim-hs-private" not in repr(hubspot.log)


def test_many_writers_at_once_lose_nothing(hs: Client, hubspot: HubSpotCore) -> None:
    hubspot.gate.enforced = False
    statuses: list[int] = []

    def write() -> None:
        statuses.extend(hs.post(DEALS, DEAL).status for _ in range(10))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 40
    assert len({effect.record_id for effect in hubspot.effects}) == 40


def test_the_same_seed_gives_the_same_bytes() -> None:
    def story() -> list[bytes]:
        clock = VirtualClock()
        core = HubSpotCore(clock, seed=3)
        token = core.private_token()
        return [answer.body for answer in _play(core, token, clock)]

    assert story() == story()


def _play(core: HubSpotCore, token: str, clock: VirtualClock) -> list[Response]:
    headers = {"authorization": f"Bearer {token}"}
    answers = []
    for body in (DEAL, {"properties": {"nothing": "x"}}, DEAL):
        raw = json.dumps(body).encode()
        answers.append(core.exchange(Request("POST", DEALS, headers, raw)))
        clock.advance(3)
    answers.append(core.exchange(Request("POST", f"{DEALS}/search", headers, b"{}")))
    return [answer for answer in answers if isinstance(answer, Response)]
