"""Deals and accounts are written once, exactly, and never past what the org made of it (3S)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from functools import partial

import msgspec
import pytest

from quotey.contract.errors import ConfigError, ErrorClass, Outcome
from quotey.contract.fields import Entity
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.salesforce import DuplicateRule, Field
from quotey.testing.simulators.salesforce import SalesforceSettings as OrgSettings
from quotey.testing.world import CALL, a_deal, an_account, deal_data, refusal
from tests.composio.meddling import once
from tests.composio.salesforce_world import SalesforceWorld, between, shipped

UPSERT = "salesforce PATCH */sobjects/Opportunity/Quotey_Deal_Key__c/*"
PATCH = "salesforce PATCH */sobjects/Opportunity/*"
READ = "salesforce GET */queryAll*"


@pytest.fixture(params=["proxy", "tools"])
def world(request: pytest.FixtureRequest) -> Iterator[SalesforceWorld]:
    with closing(SalesforceWorld(transport=request.param)) as made:
        yield made


@pytest.fixture
def proxied() -> Iterator[SalesforceWorld]:
    with closing(SalesforceWorld()) as made:
        yield made


def held(world: SalesforceWorld, ref: str) -> dict[str, object]:
    row = world.core.org.find("Opportunity", ref)
    assert row is not None
    return dict(row.values)


def deals(world: SalesforceWorld) -> list[str]:
    return list(world.core.org.rows["Opportunity"])


# --- create ---------------------------------------------------------------------------------------


def test_two_processes_that_create_under_one_key_at_once_make_one_deal(
    world: SalesforceWorld,
) -> None:
    account = an_account(world)
    other = world.reopen()

    def overtake() -> None:
        other.create_deal(account, deal_data(), key="key_1", call=CALL)

    adapter = between(world.adapter, once("Creating", overtake))
    written = adapter.create_deal(account, deal_data(), key="key_1", call=CALL)
    assert deals(world) == [written.crm_ref]
    assert not written.created


def test_a_lost_race_for_the_key_is_won_by_reading_it(world: SalesforceWorld) -> None:
    account = an_account(world)
    made = world.adapter.create_deal(account, deal_data(), key="key_1", call=CALL)
    row = world.core.org.find("Opportunity", made.crm_ref)
    assert row is not None
    world.core.org.purge(row)
    again = Switch("status", UPSERT, status=400, code="DUPLICATE_VALUE", policy="duplicate value")
    world.core.faults.add(again)
    adapter = between(world.adapter, once("Creating", lambda: world.core.org.put(row)))
    found = adapter.create_deal(account, deal_data(), key="key_1", call=CALL)
    assert (found.crm_ref, found.created) == (made.crm_ref, False)


@pytest.mark.parametrize("key", ["k/1.2?x=1&y", "o'hara \\ co", "../..", "clé ü", "50%_"])
def test_a_key_may_hold_any_signs(world: SalesforceWorld, key: str) -> None:
    account = an_account(world)
    first = world.adapter.create_deal(account, deal_data(), key=key, call=CALL)
    again = world.reopen().create_deal(account, deal_data(), key=key, call=CALL)
    assert held(world, first.crm_ref)["Quotey_Deal_Key__c"] == key
    assert (again.crm_ref, again.created) == (first.crm_ref, False)


def test_a_key_whose_field_is_not_unique_is_a_conflict_that_names_both(
    proxied: SalesforceWorld,
) -> None:
    proxied.core.define("Opportunity", Field("Quotey_Deal_Key__c", external_id=True))
    refs = [a_deal(proxied), a_deal(proxied)]
    for ref in refs:
        proxied.core.edit(ref, {"Quotey_Deal_Key__c": "key_1"})
    account = an_account(proxied)
    create = partial(proxied.adapter.create_deal, account, deal_data(), key="key_1", call=CALL)
    failure = refusal(create)
    assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Outcome.NOT_APPLIED)
    assert all(ref in failure.message for ref in refs)


def test_300_of_an_upsert_is_a_conflict_that_names_the_records(proxied: SalesforceWorld) -> None:
    proxied.core.define("Opportunity", Field("Quotey_Deal_Key__c", external_id=True))
    account, refs = an_account(proxied), [a_deal(proxied), a_deal(proxied)]

    def double() -> None:
        for ref in refs:
            proxied.core.edit(ref, {"Quotey_Deal_Key__c": "key_1"})

    adapter = between(proxied.adapter, once("Creating", double))
    failure = refusal(partial(adapter.create_deal, account, deal_data(), key="key_1", call=CALL))
    assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Outcome.NOT_APPLIED)
    assert all(ref in failure.message for ref in refs)


def test_a_duplicate_rule_is_a_conflict_and_never_overridden(world: SalesforceWorld) -> None:
    there = a_deal(world, name="Created deal")
    world.core.duplicates.append(DuplicateRule("Same name", "Opportunity", ("Name",)))
    account = an_account(world)
    create = partial(world.adapter.create_deal, account, deal_data(), key="key_1", call=CALL)
    failure = refusal(create)
    assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Outcome.NOT_APPLIED)
    assert there in failure.message
    assert deals(world) == [there]


def test_a_deal_without_a_close_date_gets_the_one_that_is_set() -> None:
    with closing(SalesforceWorld(default_close_days=10)) as world:
        account = an_account(world)
        made = world.adapter.create_deal(account, deal_data(), key="key_1", call=CALL)
        assert held(world, made.crm_ref)["CloseDate"] == "2026-03-20"
        data = deal_data(close_date=date(2026, 12, 31))
        given = world.adapter.create_deal(account, data, key="key_2", call=CALL)
        assert held(world, given.crm_ref)["CloseDate"] == "2026-12-31"
        assert world.adapter.get_deal(given.crm_ref, call=CALL).close_date == date(2026, 12, 31)  # type: ignore[union-attr]


def test_without_a_set_one_a_missing_close_date_is_a_mapping_problem() -> None:
    with closing(SalesforceWorld(default_close_days=None)) as world:
        account = an_account(world)
        create = partial(world.adapter.create_deal, account, deal_data(), key="key_1", call=CALL)
        failure = refusal(create)
        assert failure.error_class is ErrorClass.MAPPING
        assert [problem.field for problem in failure.diagnostics] == ["close_date"]
        assert deals(world) == []


def test_an_account_that_is_gone_takes_no_deal(world: SalesforceWorld) -> None:
    account = an_account(world)
    world.delete(Entity.ACCOUNT, account)
    create = partial(world.adapter.create_deal, account, deal_data(), key="key_1", call=CALL)
    failure = refusal(create)
    assert (failure.error_class, failure.outcome) == (ErrorClass.MAPPING, Outcome.NOT_APPLIED)
    assert [problem.field for problem in failure.diagnostics] == ["account_id"]


def test_an_id_of_15_characters_is_taken_and_18_are_answered(world: SalesforceWorld) -> None:
    account = an_account(world)
    made = world.adapter.create_deal(account[:15], deal_data(), key="key_1", call=CALL)
    assert made.values["account_id"] == account
    deal = world.adapter.get_deal(made.crm_ref[:15], call=CALL)
    assert deal is not None
    assert (deal.crm_ref, deal.account_id) == (made.crm_ref, account)
    written = world.adapter.update_deal(
        made.crm_ref[:15], {"amount": Decimal(1)}, key="key_2", call=CALL
    )
    assert written.crm_ref == made.crm_ref


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "read"),
    [
        ("0.01", "0.01"),
        ("12345678.5", "12345678.5"),
        ("9999999999999.99", "9999999999999.99"),
        ("1E+7", "10000000"),
        ("-5.10", "-5.1"),
        ("0", "0"),
    ],
)
def test_money_is_exact_both_ways(world: SalesforceWorld, amount: str, read: str) -> None:
    ref = a_deal(world)
    written = world.adapter.update_deal(ref, {"amount": Decimal(amount)}, key="k", call=CALL)
    assert written.values == {"amount": read}
    assert held(world, ref)["Amount"] == Decimal(amount)


def test_what_the_org_rounds_is_told_as_it_rounded_it(world: SalesforceWorld) -> None:
    ref = a_deal(world)
    written = world.adapter.update_deal(ref, {"amount": Decimal("0.125")}, key="k", call=CALL)
    assert written.values == {"amount": "0.13"}


def test_an_amount_that_is_silently_ignored_is_seen_in_the_answer(world: SalesforceWorld) -> None:
    ref = a_deal(world, amount="1200.5")
    world.core.automate(ref, {"HasOpportunityLineItem": True})
    written = world.adapter.update_deal(ref, {"amount": Decimal(9)}, key="k", call=CALL)
    assert written.values == {"amount": "1200.5"}


def test_an_org_with_one_currency_has_no_currency_field() -> None:
    org = OrgSettings(restricted_stages=False)
    with closing(SalesforceWorld(org=org, own="")) as world:
        mapping = shipped("")
        world.mapping = msgspec.structs.replace(mapping, default_currency="EUR")
        ref = world.add(
            Entity.DEAL, {"name": "X", "stage": "won", "account_id": plain_account(world)}
        )
        deal = world.reopen().get_deal(ref, call=CALL)
        assert deal is not None
        assert deal.currency == "EUR"


def plain_account(world: SalesforceWorld) -> str:
    return world.add(Entity.ACCOUNT, {"name": "Plain"})


def test_a_field_that_vanishes_is_refused_by_its_name_and_then_left_out(
    world: SalesforceWorld,
) -> None:
    ref = a_deal(world)
    assert world.adapter.get_deal(ref, call=CALL) is not None
    amount = world.core.org.objects["Opportunity"]["Amount"]
    world.core.define("Opportunity", msgspec.structs.replace(amount, hidden=True))
    failure = refusal(lambda: world.adapter.get_deal(ref, call=CALL))
    assert failure.error_class is ErrorClass.MAPPING
    assert [problem.field for problem in failure.diagnostics] == ["amount"]
    deal = world.adapter.get_deal(ref, call=CALL)
    assert deal is not None
    assert deal.amount is msgspec.UNSET


# --- update ---------------------------------------------------------------------------------------


def test_a_repeat_is_known_after_other_updates_of_ours(world: SalesforceWorld) -> None:
    ref = a_deal(world)
    for number in range(5):
        update = {"amount": Decimal(number)}
        world.adapter.update_deal(ref, update, key=f"key_{number}", call=CALL)
        world.clock.advance(2)
    before = world.effects(Entity.DEAL, ref)
    world.reopen().update_deal(ref, {"amount": Decimal(0)}, key="key_0", call=CALL)
    assert world.effects(Entity.DEAL, ref) == before
    assert held(world, ref)["Amount"] == Decimal(4)


def test_the_marks_of_many_updates_fit_into_their_field(world: SalesforceWorld) -> None:
    ref = a_deal(world)
    for number in range(20):
        update = {"amount": Decimal(number)}
        world.adapter.update_deal(ref, update, key=f"key_{number}", call=CALL)
        world.clock.advance(2)
    assert len(str(held(world, ref)["Quotey_Operations__c"])) <= 255


def test_a_write_in_between_is_not_written_over(proxied: SalesforceWorld) -> None:
    ref = a_deal(proxied)
    adapter = between(
        proxied.adapter,
        once("Updating", lambda: proxied.edit(Entity.DEAL, ref, {"name": "Theirs"})),
    )
    update = partial(adapter.update_deal, ref, {"name": "Ours"}, key="k", call=CALL)
    failure = refusal(update)
    assert (failure.error_class, failure.outcome) == (ErrorClass.TRANSIENT, Outcome.NOT_APPLIED)
    assert held(proxied, ref)["Name"] == "Theirs"
    update()
    assert held(proxied, ref)["Name"] == "Ours"


def test_a_merged_account_is_not_updated_and_its_survivor_is_named(world: SalesforceWorld) -> None:
    loser, winner = an_account(world, "Loser"), an_account(world, "Winner")
    world.merge(Entity.ACCOUNT, loser, winner)
    failure = refusal(
        partial(world.adapter.update_account, loser, {"segment": "x"}, key="k", call=CALL)
    )
    assert (failure.error_class, failure.outcome) == (ErrorClass.CONFLICT, Outcome.NOT_APPLIED)
    assert winner in failure.message
    read = world.adapter.read_records(Entity.ACCOUNT, (loser,), call=CALL).records
    assert [(one.crm_ref, one.merged_into) for one in read] == [(loser, winner)]


def test_a_locked_row_is_transient_and_nothing_was_written(world: SalesforceWorld) -> None:
    ref = a_deal(world)
    world.core.lock(ref, 60)
    update = partial(world.adapter.update_deal, ref, {"amount": Decimal(7)}, key="k", call=CALL)
    failure = refusal(update)
    assert (failure.error_class, failure.outcome) == (ErrorClass.TRANSIENT, Outcome.NOT_APPLIED)
    world.clock.advance(120)
    assert update().values == {"amount": "7"}


def test_a_foreign_validation_rule_is_shown_word_by_word(world: SalesforceWorld) -> None:
    ref = a_deal(world)
    rule = world.core.validations[0]
    message = "Ask the deal desk first"
    world.core.validations.append(
        msgspec.structs.replace(rule, message=message, forbids=lambda _: True)
    )
    failure = refusal(
        partial(world.adapter.update_deal, ref, {"amount": Decimal(7)}, key="k", call=CALL)
    )
    assert (failure.error_class, failure.outcome) == (ErrorClass.PERMANENT, Outcome.NOT_APPLIED)
    assert message in failure.message


def test_a_mapping_that_writes_needs_a_field_for_its_marks() -> None:
    mapping = shipped()
    deal = mapping.entities[Entity.DEAL]
    words = {name: word for name, word in deal.settings.items() if name != "operations"}
    deal = msgspec.structs.replace(deal, settings=words)
    broken = msgspec.structs.replace(mapping, entities={**mapping.entities, Entity.DEAL: deal})
    with closing(SalesforceWorld()) as world:
        world.mapping = broken
        with pytest.raises(ConfigError, match=r"\[deal\] of the mapping needs operations"):
            world.reopen()


# --- lost answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [True, False])
@pytest.mark.parametrize("kind", ["timeout", "server_error"])
def test_a_create_whose_answer_was_lost_is_finished_by_the_same_key(
    world: SalesforceWorld, kind: str, effect: bool
) -> None:
    account = an_account(world)
    switch = msgspec.convert(
        {"kind": kind, "operation": UPSERT, "effect": effect, "status": 500}, Switch
    )
    world.core.faults.add(switch)
    create = partial(world.adapter.create_deal, account, deal_data(), key="key_1", call=CALL)
    failure = refusal(create)
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.UNKNOWN)
    made = create()
    assert deals(world) == [made.crm_ref]
    assert made.created is not effect


def test_a_write_that_cannot_be_read_back_is_of_unknown_outcome(world: SalesforceWorld) -> None:
    ref = a_deal(world)
    world.adapter.get_deal(ref, call=CALL)
    world.core.faults.add(Switch("server_error", READ, status=500, after=1))
    update = partial(world.adapter.update_deal, ref, {"amount": Decimal(7)}, key="k", call=CALL)
    failure = refusal(update)
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.UNKNOWN)
    before = world.effects(Entity.DEAL, ref)
    assert update().values == {"amount": "7"}
    assert world.effects(Entity.DEAL, ref) == before


def test_an_upsert_that_answers_nothing_is_of_unknown_outcome() -> None:
    # Before v46 an upsert that updates answers 204 without a body (3S).
    with closing(SalesforceWorld(api_version="v45.0")) as world:
        account = an_account(world)
        other = world.reopen()
        adapter = between(
            world.adapter,
            once(
                "Creating",
                lambda: other.create_deal(account, deal_data(), key="key_1", call=CALL),
            ),
        )
        create = partial(adapter.create_deal, account, deal_data(), key="key_1", call=CALL)
        failure = refusal(create)
        assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.UNKNOWN)
        assert [create().crm_ref] == deals(world)


def test_every_write_tells_how_it_is_found_in_the_logs_of_the_service(
    world: SalesforceWorld,
) -> None:
    written = world.adapter.create_deal(an_account(world), deal_data(), key="k", call=CALL)
    assert written.trace["request_id"]
    assert written.trace["log_id"]
