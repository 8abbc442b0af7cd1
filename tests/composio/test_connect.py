"""`crm connect` over real HTTP: the link flow, what is kept of it, and every way that it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from quotey.adapters.composio.accounts import _may_be_shown, account_of
from quotey.testing.names import Simulated
from quotey.testing.simulators.composio import ComposioCore
from quotey.testing.simulators.composio.documents import Account
from quotey.testing.simulators.faults import Fault as Switch
from tests.cli.terminal import START
from tests.composio.shopfront import Shopfront, shopfront

KEPT = "composio-main.json"


@pytest.fixture(params=["hubspot", "salesforce"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shopfront]:
    provider: Simulated = request.param
    with shopfront(tmp_path, provider) as made:
        yield made


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Shopfront]:
    with shopfront(tmp_path) as made:
        yield made


def kept(shop: Shopfront) -> Path:
    return shop.cwd / ".quotey" / KEPT


def test_before_it_is_connected_every_request_names_connect(shop: Shopfront) -> None:
    ran = shop("crm", "sync")
    assert ran.code == 4
    assert f"Next: quotey crm connect {shop.provider}" in ran.err
    assert shop("crm", "status").code == 0, "status asks nobody"


def test_a_person_opens_the_link_and_the_account_is_kept(shop: Shopfront) -> None:
    ran = shop.connect()
    assert ran.code == 0, ran
    assert shop.told_link(ran).startswith(shop.url)
    assert "is active" in ran.out
    assert "Next: quotey crm doctor" in ran.out
    account = json.loads(kept(shop).read_text())["connected_account_id"]
    assert shop.rig.gateway.accounts.accounts[account].status == "ACTIVE"
    assert shop("crm", "sync").code == 0


def test_only_the_account_is_kept_and_nobody_else_may_read_it(shop: Shopfront) -> None:
    ran = shop.connect()
    assert kept(shop).stat().st_mode & 0o777 == 0o600
    everything = [ran.out, ran.err, *(_text(path) for path in shop.cwd.rglob("*"))]
    assert not any(shop.rig.api_key in text for text in everything)
    link = shop.told_link(ran).rsplit("/", 1)[1]
    assert not any(link in _text(path) for path in shop.cwd.rglob("*"))
    before = (shop.cwd / "quotey.toml").read_text()
    assert "connected_account_id" not in before


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def test_one_way_to_authorise_is_made_and_then_used_again(shop: Shopfront) -> None:
    shop.rig.gateway.accounts.auth_configs.clear()
    shop.connect()
    (made,) = shop.rig.gateway.accounts.auth_configs
    shop.connect("--anew")
    assert list(shop.rig.gateway.accounts.auth_configs) == [made]


def test_several_ways_to_authorise_are_for_a_person_to_choose(portal: Shopfront) -> None:
    accounts = portal.rig.gateway.accounts
    second = accounts._auth_config("hubspot", new=True)
    ran = portal.connect()
    assert ran.code == 2
    assert second in ran.err
    portal.configure(auth_config_id=f'"{second}"')
    assert portal.connect().code == 0
    assert list(accounts.accounts.values())[-1].auth_config_id == second


def test_an_account_that_is_active_needs_nobody(shop: Shopfront) -> None:
    shop.connect()
    before = kept(shop).read_text()
    shop.clock.steps = []
    ran = shop("crm", "connect", shop.provider)
    assert ran.code == 0
    assert "link" not in ran.err
    assert kept(shop).read_text() == before


def test_nobody_comes_and_the_wait_ends(shop: Shopfront) -> None:
    ran = shop("crm", "connect", shop.provider, "--wait", "90s")
    assert ran.code == 4
    assert "in time. Nothing was changed." in ran.err
    assert not kept(shop).exists()
    assert 90 <= (shop.clock.now() - START).total_seconds() < 100


def test_a_link_that_has_expired_is_told_with_the_services_reason(portal: Shopfront) -> None:
    ran = portal("crm", "connect", "hubspot", "--wait", "20m")
    assert ran.code == 4
    assert "EXPIRED" in ran.err
    assert "10 minutes" in ran.err


def test_a_fresh_account_is_waited_for_until_it_can_be_used(portal: Shopfront) -> None:
    _gateway(portal, propagation=120.0)
    ran = portal.connect()
    assert ran.code == 0
    assert "waiting until it can be used" in ran.err
    assert portal("crm", "sync").code == 0, "no request was refused, so nothing was stopped"


def _gateway(shop: Shopfront, **changes: float) -> None:
    gateway: ComposioCore = shop.rig.gateway
    gateway.settings = replace(gateway.settings, **changes)
    gateway.accounts._settings = gateway.settings


def test_a_wrong_key_is_told_at_once_and_without_the_key(shop: Shopfront) -> None:
    shop.environ["QUOTEY_CONNECTIONS__MAIN__API_KEY"] = "ak_wrong_canary"
    ran = shop("crm", "connect", shop.provider)
    assert ran.code == 4
    assert "does not know the key" in ran.err
    assert "ak_wrong_canary" not in ran.err + ran.out


def test_a_key_without_the_right_to_connect_is_told(shop: Shopfront) -> None:
    gateway = shop.rig.gateway
    gateway.keys[shop.rig.api_key] = frozenset({"proxy:execute", "accounts:read"})
    ran = shop("crm", "connect", shop.provider)
    assert ran.code == 4
    assert "the key lacks the permission" in ran.err


def test_a_passing_trouble_while_waiting_ends_nothing(portal: Shopfront) -> None:
    def trouble() -> None:
        fault = Switch("server_error", operation="composio GET */connected_accounts/*", status=503)
        portal.rig.gateway.faults.add(fault)

    portal.clock.steps = [trouble, portal.say_yes]
    assert portal("crm", "connect", "hubspot").code == 0


def test_connecting_again_resumes_what_was_stopped(shop: Shopfront) -> None:
    shop.connect()
    _expire(shop)
    assert shop("crm", "sync").code == 4
    assert shop("crm", "sync").code == 4
    ran = shop.connect()
    assert ran.code == 0
    assert "is EXPIRED" in ran.err
    assert shop("crm", "sync").code == 0


def _expire(shop: Shopfront) -> None:
    accounts = shop.rig.gateway.accounts
    for account_id in accounts.accounts:
        accounts.expire(account_id, "Permanent auth error during token refresh")


def test_an_account_of_another_portal_is_refused_and_the_old_one_stays(portal: Shopfront) -> None:
    portal.connect()
    before = kept(portal).read_text()
    core = portal.portal
    core.portal.settings = replace(core.portal.settings, portal_id=999)
    ran = portal.connect("--anew")
    assert ran.code == 3
    assert "HubSpot portal 999" in ran.err
    assert kept(portal).read_text() == before


def test_an_account_that_the_settings_name_is_not_replaced(portal: Shopfront) -> None:
    portal.configure(connected_account_id='"ca_elsewhere"')
    ran = portal.connect()
    assert ran.code == 3
    assert "ca_elsewhere" in ran.err
    assert portal.links() == []


def test_the_account_of_another_user_is_not_taken(portal: Shopfront) -> None:
    portal.connect()
    portal.configure(user_id='"somebody-else"')
    assert portal("crm", "sync").code == 4


def test_another_provider_than_the_settings_name_changes_nothing(portal: Shopfront) -> None:
    ran = portal("crm", "connect", "salesforce")
    assert ran.code == 2
    assert 'provider = "salesforce"' in ran.err


def test_as_json_the_link_is_still_told_beside_the_document(shop: Shopfront) -> None:
    ran = shop.connect("--json")
    assert shop.told_link(ran)
    assert ran.data["account"]["usable"] is True
    assert ran.data["state"] == "active"


def test_the_audit_tells_which_account_it_was(portal: Shopfront) -> None:
    portal.connect()
    told = portal.json("crm", "audit", "--kind", "connection.resumed")["items"][0]["body"]
    assert told["account"].startswith("ca_")
    assert told["identity"] == "HubSpot portal 1512050"


def test_a_damaged_file_of_the_account_says_what_to_do(portal: Shopfront) -> None:
    portal.connect()
    kept(portal).write_text("{")
    ran = portal("crm", "sync")
    assert ran.code == 2
    assert "Remove it and connect again" in ran.err


@pytest.mark.parametrize("page", ["html", "truncated"])
def test_an_answer_that_is_no_link_is_not_shown(portal: Shopfront, page: str) -> None:
    where = "composio POST */connected_accounts/link"
    portal.rig.gateway.faults.add(Switch(page, operation=where))  # type: ignore[arg-type]
    ran = portal("crm", "connect", "hubspot")
    assert ran.code == 6
    assert "Open this address" not in ran.err


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "http://example.com/link",
        "https://example.com/\x1b[2Jlink",
        "file:///etc/passwd",
        "",
    ],
)
def test_only_a_plain_address_over_tls_is_shown_to_a_person(address: str) -> None:
    assert not _may_be_shown(address, loopback=True)
    assert _may_be_shown("https://connect.example/link/lk_1", loopback=False)


def test_scopes_and_expiry_are_told_where_the_service_tells_them() -> None:
    value = {"scope": "deals.read deals.write", "expires_at": "2026-05-01T00:00:00Z"}
    doc = {"id": "ca_1", "status": "ACTIVE", "state": {"val": value}}
    account = account_of(doc)
    assert account is not None
    assert account.scopes == ("deals.read", "deals.write")
    assert account.expires_at == datetime(2026, 5, 1, tzinfo=UTC)
    bare = account_of({"id": "ca_1", "status": "INACTIVE"})
    assert bare is not None
    assert (bare.usable, bare.scopes, bare.expires_at) == (False, (), None)
    assert account_of({"id": "ca_1"}) is None


def mine(shop: Shopfront) -> Account:
    account_id = json.loads(kept(shop).read_text())["connected_account_id"]
    return shop.rig.gateway.accounts.accounts[account_id]


def test_status_tells_of_the_account_what_is_told_and_what_is_not(shop: Shopfront) -> None:
    shop.connect()
    ran = shop("crm", "status", "--crm")
    assert ran.code == 0
    assert f"{mine(shop).account_id}, ACTIVE" in ran.out
    assert ran.out.count("not told by the service") == 2, "scopes and end"
    account = shop("crm", "status", "--crm", "--json").data["account"]
    assert (account["state"], account["usable"], account["renews"]) == ("ACTIVE", True, True)
    assert (account["scopes"], account["expires_at"]) == (None, None)
    assert shop("crm", "status", "--json").data["account"] is None


def test_status_warns_of_an_authorisation_that_ends_soon(shop: Shopfront) -> None:
    shop.connect()
    ends = shop.clock.now() + timedelta(days=3)
    mine(shop).told = {"scope": "deals.read deals.write", "expires_at": ends.isoformat()}
    renewed = shop("crm", "status", "--crm")
    assert "ends soon" not in renewed.out
    assert "deals.read, deals.write" in renewed.out
    mine(shop).renewed = False
    ran = shop("crm", "status", "--crm", "--json")
    assert ran.code == 0
    assert ran.document["next"][0] == f"quotey crm connect {shop.provider} --anew"
    assert ran.data["stuck"][0]["what"] == "the authorisation ends soon"
    mine(shop).told = {"expires_at": (ends + timedelta(days=5)).isoformat()}
    assert "ends soon" not in shop("crm", "status", "--crm").out


def test_status_of_an_account_that_has_ended_names_the_way_back(shop: Shopfront) -> None:
    shop.connect()
    shop.rig.gateway.accounts.expire(mine(shop).account_id, "Permanent auth error")
    ran = shop("crm", "status", "--crm")
    assert ran.code == 4
    assert "is EXPIRED" in ran.out
    assert "Permanent auth error" in ran.out
    assert f"quotey crm connect {shop.provider}" in ran.out
    assert shop("crm", "status").code == 0, "nobody is asked without --crm"


def test_status_stands_when_the_service_does_not(shop: Shopfront) -> None:
    assert shop("crm", "status", "--crm").code == 4, "not connected yet"
    shop.connect()
    shop.rig.gateway.faults.add(Switch("server_error", operation="*", status=500))
    ran = shop("crm", "status", "--crm")
    assert "the account cannot be looked at" in ran.out
    assert "mirror" in ran.out
