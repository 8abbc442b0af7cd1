"""`crm doctor` on a live connection: key, account, CRM, clock, and how the CRM is set up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from quotey.testing.names import Simulated
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.hubspot import Pipeline, Property, Stage
from quotey.testing.simulators.salesforce import Field, SalesforceCore
from tests.cli.terminal import Ran
from tests.composio.shopfront import Shopfront, shopfront


@pytest.fixture(params=["hubspot", "salesforce"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shopfront]:
    provider: Simulated = request.param
    with shopfront(tmp_path, provider) as made:
        made.configure(**FITTING[provider])
        made.connect()
        yield made


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Shopfront]:
    with shopfront(tmp_path) as made:
        made.configure(**FITTING["hubspot"])
        made.connect()
        yield made


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Shopfront]:
    with shopfront(tmp_path, "salesforce") as made:
        made.configure(**FITTING["salesforce"])
        made.connect()
        yield made


FITTING = {
    "hubspot": {"default_currency": '"USD"', "time_zone": '"America/New_York"'},
    "salesforce": {"default_currency": '"USD"'},
}


def checks(shop: Shopfront) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in shop.json("crm", "doctor")["checks"]}


def codes(ran: Ran) -> list[tuple[str, str]]:
    return [(one["code"], one.get("field", "")) for one in ran.document["diagnostics"]]


def own_mapping(shop: Shopfront, text: str) -> None:
    folder = shop.cwd / "mappings"
    folder.mkdir(exist_ok=True)
    head = f'provider = "{shop.provider}"\n'
    (folder / "main.toml").write_text(head + text, encoding="utf-8")


def test_a_connection_that_is_set_up_has_nothing_to_mend(shop: Shopfront) -> None:
    ran = shop("crm", "doctor")
    assert ran.code == 0, ran
    found = checks(shop)
    assert list(found) == [
        *("settings", "mapping", "database", "connection", "account", "crm", "setup")
    ]
    assert "ACTIVE since" in found["account"]["sentence"]
    assert shop("crm", "doctor", "--json").document["diagnostics"] == []


def test_an_account_that_has_expired_says_why_and_what_to_do(shop: Shopfront) -> None:
    accounts = shop.rig.gateway.accounts
    for account_id in accounts.accounts:
        accounts.expire(account_id, "Max auth failures reached")
    ran = shop("crm", "doctor")
    assert ran.code == 4
    assert "EXPIRED (Max auth failures reached)" in ran.out
    assert f"Next: quotey crm connect {shop.provider}" in ran.out


def test_a_wrong_key_is_a_finding_of_the_account(shop: Shopfront) -> None:
    shop.environ["QUOTEY_CONNECTIONS__MAIN__API_KEY"] = "ak_wrong"
    found = checks(shop)
    assert not found["account"]["ok"]
    assert "does not know the key" in found["account"]["sentence"]


def test_a_key_that_may_not_use_the_proxy_is_a_finding(shop: Shopfront) -> None:
    shop.rig.gateway.keys[shop.rig.api_key] = frozenset({"accounts:read"})
    found = checks(shop)
    assert found["account"]["ok"]
    assert "lacks the permission" in found["crm"]["sentence"]
    assert found["crm"]["exit_code"] == 4


def test_clocks_that_differ_are_a_finding(portal: Shopfront) -> None:
    ours = portal.clock
    theirs = portal.rig.vendor.clock
    portal.rig.vendor.clock = type(theirs)(lambda: ours.now() + timedelta(minutes=5))  # type: ignore[call-arg]
    crm = checks(portal)["crm"]
    assert (crm["ok"], crm["exit_code"]) == (False, 3)
    assert "time server" in crm["sentence"]


# --- a portal -------------------------------------------------------------------------------------


def test_a_property_that_is_missing_is_named_with_its_field_and_a_way_out(
    portal: Shopfront,
) -> None:
    del portal.portal.portal.properties["deals"]["quotey_total"]
    ran = portal("crm", "doctor")
    assert ran.code == 3
    assert "setup deal.quote.total: The property quotey_total of deals is not there." in ran.out


def test_a_property_of_another_type_is_told(portal: Shopfront) -> None:
    portal.portal.define("deals", Property("quotey_total", "string", hubspot_defined=False))
    portal.portal.define("deals", Property("amount", "bool"))
    ran = portal("crm", "doctor", "--json")
    assert ran.code == 3
    assert codes(ran) == [("property_type", "amount"), ("property_type", "quote.total")]


def test_half_of_a_joined_name_that_is_missing_is_told(portal: Shopfront) -> None:
    del portal.portal.portal.properties["contacts"]["lastname"]
    assert codes(portal("crm", "doctor", "--json")) == [("property_missing", "name")]


def test_a_stage_that_the_value_map_does_not_hold_is_told_before_deals_are_rejected(
    portal: Shopfront,
) -> None:
    pipeline = portal.portal.portal.pipelines["deals"][0]
    words = [stage.stage_id for stage in pipeline.stages]
    values = ", ".join(f'{word} = "open"' for word in [*words, "long_gone"])
    own_mapping(
        portal,
        f'[deal.fields.stage]\ntransform = {{ kind = "value_map", values = {{ {values} }} }}\n',
    )
    more = (*pipeline.stages, Stage("brand_new", "Brand new", "0.5"))
    portal.portal.portal.pipelines["deals"][0] = Pipeline("default", "Sales", more)
    ran = portal("crm", "doctor", "--json")
    assert codes(ran) == [("option_not_mapped", "stage"), ("option_missing", "stage")]
    told = [one["message"] for one in ran.document["diagnostics"]]
    assert "brand_new" in told[0]
    assert "long_gone" in told[1]


def test_a_status_list_without_our_words_is_told(portal: Shopfront) -> None:
    options = (("draft", "Draft"), ("sent", "Sent"))
    listed = Property("quotey_status", "enumeration", options=options, hubspot_defined=False)
    portal.portal.define("deals", listed)
    ran = portal("crm", "doctor", "--json")
    assert codes(ran) == [("option_missing", "quote.status")]


def test_another_currency_and_time_zone_are_worth_knowing_and_stop_nothing(
    portal: Shopfront,
) -> None:
    portal.configure(default_currency='"EUR"', time_zone='"Europe/Oslo"')
    ran = portal("crm", "doctor", "--json")
    assert ran.code == 0
    assert [code for code, _field in codes(ran)] == ["currency", "time_zone"]
    shown = portal("crm", "doctor").out
    assert 'Set default_currency = "USD" of the connection.' in shown


def test_without_a_currency_property_the_default_must_be_the_portals(portal: Shopfront) -> None:
    del portal.portal.portal.properties["deals"]["deal_currency_code"]
    assert portal("crm", "doctor").code == 0
    portal.configure(default_currency='"EUR"', time_zone='"America/New_York"')
    ran = portal("crm", "doctor", "--json")
    assert (ran.code, codes(ran)) == (3, [("currency", "currency")])


# --- an org ---------------------------------------------------------------------------------------


def core_of(org: Shopfront) -> SalesforceCore:
    assert isinstance(org.rig.vendor, SalesforceCore)
    return org.rig.vendor


def test_a_field_that_is_hidden_from_the_user_is_as_good_as_none(org: Shopfront) -> None:
    core = core_of(org)
    field = core.org.objects["Opportunity"]["Quotey_Version__c"]
    core.define("Opportunity", replace(field, hidden=True))
    ran = org("crm", "doctor", "--json")
    assert (ran.code, codes(ran)) == (3, [("property_missing", "quote.version")])


def test_a_key_field_that_is_not_unique_is_told(org: Shopfront) -> None:
    core = core_of(org)
    core.define("Opportunity", Field("Quotey_Deal_Key__c", external_id=True))
    assert codes(org("crm", "doctor", "--json")) == [("property_not_unique", "")]


def test_a_field_of_another_type_or_read_only_is_told(org: Shopfront) -> None:
    core = core_of(org)
    core.define("Opportunity", Field("Quotey_Total__c", "string"))
    core.define("Opportunity", Field("Quotey_Currency__c", "string", writable=False))
    told = codes(org("crm", "doctor", "--json"))
    assert told == [("property_type", "quote.total"), ("property_read_only", "quote.currency")]


def test_a_total_that_the_org_would_show_in_another_currency_is_worth_knowing(
    org: Shopfront,
) -> None:
    core_of(org).define("Opportunity", Field("Quotey_Total__c", "currency"))
    ran = org("crm", "doctor", "--json")
    assert (ran.code, codes(ran)) == (0, [("total_in_another_currency", "quote.total")])


def test_an_org_with_one_currency_needs_a_default(org: Shopfront) -> None:
    org.configure()
    ran = org("crm", "doctor")
    assert ran.code == 3
    assert "set default_currency of the connection" in ran.out


def test_an_api_version_that_is_not_offered_is_told(org: Shopfront) -> None:
    core = core_of(org)
    core.settings = replace(core.settings, version="60.0")
    found = checks(org)
    assert not found["setup"]["ok"] or not found["crm"]["ok"]


def test_guard_rules_that_are_promised_and_not_in_force_are_told(org: Shopfront) -> None:
    core = core_of(org)
    core.validations[0].active = False
    ran = org("crm", "doctor", "--json")
    assert (ran.code, codes(ran)) == (5, [("rule_missing", "quote.version")])
    org.configure(**FITTING["salesforce"], guard_rules="false")
    assert org("crm", "doctor").code == 0


def test_rules_that_the_user_may_not_see_stop_nothing(org: Shopfront) -> None:
    where = "salesforce GET */tooling/query*"
    refusal = Switch("status", operation=where, status=403, code="INSUFFICIENT_ACCESS")
    core_of(org).faults.add(refusal)
    ran = org("crm", "doctor", "--json")
    assert ran.code == 0
    assert codes(ran) == [("rule_not_shown", "")]


# --- making what is ours --------------------------------------------------------------------------


def test_connect_makes_the_properties_that_are_ours_and_then_all_fits(portal: Shopfront) -> None:
    deals = portal.portal.portal.properties["deals"]
    ours = [name for name in deals if name.startswith("quotey_")]
    for name in ours:
        del deals[name]
    del portal.portal.portal.properties["companies"]["quotey_operation"]
    assert portal("crm", "doctor").code == 5
    ran = portal("crm", "connect", "hubspot", "--create-properties", "--json")
    assert ran.code == 0, ran
    assert set(ran.data["made"]) == {
        "companies.quotey_operation",
        *(f"deals.{name}" for name in ours),
    }
    assert portal("crm", "doctor").code == 0
    assert deals["quotey_quote_id"].unique
    assert deals["quotey_deal_key"].unique
    again = portal.json("crm", "connect", "hubspot", "--create-properties")
    assert again["made"] == []


def test_a_property_that_only_a_mapping_names_is_not_made(portal: Shopfront) -> None:
    own_mapping(portal, '[deal.fields.x_region]\npath = "properties.region_typo"\ntype = "text"\n')
    ran = portal("crm", "connect", "hubspot", "--create-properties")
    assert ran.code == 0, ran
    assert "region_typo" not in portal.portal.portal.properties["deals"]


def test_what_cannot_make_properties_says_so(org: Shopfront) -> None:
    ran = org("crm", "connect", "salesforce", "--create-properties")
    assert ran.code == 2
    assert "cannot make properties" in ran.err


def test_with_tools_only_it_is_looked_at_and_made_all_the_same(portal: Shopfront) -> None:
    portal.configure(**FITTING["hubspot"], transport='"tools"')
    del portal.portal.portal.properties["deals"]["quotey_deal_key"]
    assert portal("crm", "doctor").code == 5
    made = portal.json("crm", "connect", "hubspot", "--create-properties")["made"]
    assert made == ["deals.quotey_deal_key"]
    assert portal.portal.portal.properties["deals"]["quotey_deal_key"].unique
    assert portal("crm", "doctor").code == 0


def test_nothing_tells_the_key_not_even_every_step_of_a_failure(shop: Shopfront) -> None:
    accounts = shop.rig.gateway.accounts
    connect = ("crm", "connect", shop.provider, "--wait", "5s")
    said: list[str] = []
    for words in (("crm", "doctor"), ("crm", "doctor", "--json"), ("crm", "sync"), connect):
        for account_id in accounts.accounts:
            accounts.expire(account_id, "Permanent auth error during token refresh")
        ran = shop(*words, "--debug")
        said += [ran.out, ran.err]
    assert any(said)
    kept = [path.read_text(errors="replace") for path in shop.cwd.rglob("*") if path.is_file()]
    assert not any(shop.rig.api_key in text for text in (*said, *kept))
