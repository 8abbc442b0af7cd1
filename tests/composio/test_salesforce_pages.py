"""Inbound reading of an org: a fixed window, by ascending id, with what is gone (2S)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial

import msgspec
import pytest

from quotey.adapters.composio.ops import Op, Outcome, Reply
from quotey.contract.dto import CrmSyncResultDto, RemoteRecord
from quotey.contract.errors import ErrorClass
from quotey.contract.fields import Entity
from quotey.testing.conformance.pages import end_of, pages, records
from quotey.testing.simulators.salesforce import Field
from quotey.testing.simulators.salesforce import SalesforceSettings as OrgSettings
from quotey.testing.world import CALL, a_deal, an_account, refusal
from tests.composio.salesforce_world import ORG, SalesforceWorld, between

DAY = 86_400.0


@pytest.fixture
def world() -> Iterator[SalesforceWorld]:
    with closing(SalesforceWorld()) as made:
        yield made


def at_once(world: SalesforceWorld, count: int) -> list[str]:
    """Make accounts in one and the same second."""
    fields = [{"Name": f"Company {number}"} for number in range(count)]
    return [world.core.create("Account", one).row_id for one in fields]


def refs(found: list[RemoteRecord]) -> list[str]:
    return [one.crm_ref for one in found]


def all_of(world: SalesforceWorld, cursor: str = "", limit: int = 50) -> list[CrmSyncResultDto]:
    return list(pages(world.adapter, Entity.ACCOUNT, cursor, limit))


def test_many_records_of_one_second_come_once_each(world: SalesforceWorld) -> None:
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    world.clock.advance(3600)
    made = at_once(world, 470)
    world.clock.advance(3600)
    found = refs(records(world.adapter, Entity.ACCOUNT, cursor, limit=100))
    assert sorted(found) == sorted(made)
    # The database's order of ids is not Python's, and the reading does not mind.
    assert found != sorted(found)


def test_a_server_that_ends_its_pages_early_hides_nothing() -> None:
    with closing(SalesforceWorld(org=msgspec.structs.replace(ORG, page=7))) as world:
        made = at_once(world, 60)
        assert sorted(refs(records(world.adapter, Entity.ACCOUNT, limit=20))) == sorted(made)
        read = world.adapter.read_records(Entity.ACCOUNT, tuple(made), call=CALL).records
        assert {one.crm_ref for one in read} == set(made)


def test_a_batch_of_more_ids_than_one_query_takes_is_read_whole(world: SalesforceWorld) -> None:
    made = at_once(world, 450)
    read = world.adapter.read_records(Entity.ACCOUNT, tuple(made), call=CALL).records
    assert refs(list(read)) == made or {one.crm_ref for one in read} == set(made)


def test_what_was_committed_late_below_the_cursor_is_still_found(world: SalesforceWorld) -> None:
    ref = an_account(world)
    world.core.write_late(ref, {"Name": "Late"}, 600)
    world.clock.advance(300)
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    world.clock.advance(900)
    found = records(world.adapter, Entity.ACCOUNT, cursor)
    assert [b"Late" in one.payload for one in found if one.crm_ref == ref] == [True]


def test_a_change_during_the_reading_comes_with_the_next_run(world: SalesforceWorld) -> None:
    made = at_once(world, 6)
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    world.clock.advance(3600)
    for ref in made:
        world.core.edit(ref, {"Name": "Second"})
    world.clock.advance(3600)
    first = next(pages(world.adapter, Entity.ACCOUNT, cursor, 2))
    world.edit(Entity.ACCOUNT, made[-1], {"name": "Third"})
    rest = records(world.adapter, Entity.ACCOUNT, first.next_cursor, 2)
    seen = {one.crm_ref: one for one in (*first.records, *rest)}
    assert set(seen) == set(made) - {made[-1]}
    last = all_of(world, end_of_run(world, first.next_cursor))
    assert [b"Third" in one.payload for page in last for one in page.records] == [True]


def end_of_run(world: SalesforceWorld, cursor: str) -> str:
    return list(pages(world.adapter, Entity.ACCOUNT, cursor, 2))[-1].next_cursor


def test_only_automation_s_change_comes_too(world: SalesforceWorld) -> None:
    ref = an_account(world)
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    world.clock.advance(3600)
    world.core.automate(ref, {"Name": "By a flow"})
    world.clock.advance(3600)
    assert refs(records(world.adapter, Entity.ACCOUNT, cursor)) == [ref]


def test_a_deletion_an_undeletion_and_a_merge_come_in_the_same_stream(
    world: SalesforceWorld,
) -> None:
    gone, back, loser, winner = (an_account(world, f"Company {n}") for n in range(4))
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    world.delete(Entity.ACCOUNT, gone)
    world.delete(Entity.ACCOUNT, back)
    world.core.undelete(back)
    world.merge(Entity.ACCOUNT, loser, winner)
    found = {one.crm_ref: one for one in records(world.adapter, Entity.ACCOUNT, cursor)}
    ends = {ref: (one.deleted, one.merged_into) for ref, one in found.items()}
    assert ends == {
        gone: (True, None),
        back: (False, None),
        loser: (False, winner),
        winner: (False, None),
    }


def test_a_merge_moves_the_deals_and_they_come_too(world: SalesforceWorld) -> None:
    loser, winner = an_account(world), an_account(world)
    deal = a_deal(world, loser)
    cursor = end_of(world.adapter, Entity.DEAL)
    world.merge(Entity.ACCOUNT, loser, winner)
    (found,) = records(world.adapter, Entity.DEAL, cursor)
    assert found.crm_ref == deal
    assert msgspec.json.decode(found.payload)["AccountId"] == winner


def test_what_has_left_the_recycle_bin_is_told_by_its_own_lane() -> None:
    with closing(SalesforceWorld(gone_every_hours=24)) as world:
        made = [an_account(world, f"Company {number}") for number in range(5)]
        cursor = end_of(world.adapter, Entity.ACCOUNT)
        world.clock.advance(2 * DAY)
        for ref in made[:4]:
            world.core.delete(ref)
            world.core.purge(ref)
        world.clock.advance(3600)
        found = records(world.adapter, Entity.ACCOUNT, cursor, limit=3)
        assert sorted(refs([one for one in found if one.deleted])) == sorted(made[:4])


def test_what_was_taken_out_of_the_bin_again_is_not_told_as_gone() -> None:
    with closing(SalesforceWorld(gone_every_hours=24)) as world:
        ref, loser, winner = (an_account(world, f"Company {number}") for number in range(3))
        cursor = end_of(world.adapter, Entity.ACCOUNT)
        world.clock.advance(2 * DAY)
        world.core.delete(ref)
        world.core.merge(winner, loser)
        world.clock.advance(60)
        world.core.undelete(ref)
        world.clock.advance(3600)
        found = records(world.adapter, Entity.ACCOUNT, cursor, limit=3)
        assert not [one for one in found if one.deleted]
        assert {one.merged_into for one in found if one.crm_ref == loser} == {winner}


def test_deletions_that_cannot_be_told_any_more_are_said_to_be_lost() -> None:
    with closing(SalesforceWorld(gone_every_hours=24)) as world:
        cursor = end_of(world.adapter, Entity.ACCOUNT)
        world.clock.advance(20 * DAY)
        codes = [one.code for page in all_of(world, cursor) for one in page.diagnostics]
        assert codes == ["deletions_lost"]
        cursor = end_of_run(world, cursor)
        world.clock.advance(2 * DAY)
        assert not [one for page in all_of(world, cursor) for one in page.diagnostics]


def test_everything_is_read_again_to_find_what_moved_no_stamp() -> None:
    with closing(SalesforceWorld(full_every_hours=168)) as world:
        ref, gone = an_account(world), an_account(world)
        cursor = end_of(world.adapter, Entity.ACCOUNT)
        row = world.core.org.find("Account", ref)
        assert row is not None
        world.core.org.put(msgspec.structs.replace(row, values={**row.values, "Name": "Formula"}))
        world.clock.advance(DAY)
        assert records(world.adapter, Entity.ACCOUNT, cursor) == []
        world.delete(Entity.ACCOUNT, gone)
        world.clock.advance(7 * DAY)
        found = {one.crm_ref: one for one in records(world.adapter, Entity.ACCOUNT, cursor)}
        assert b"Formula" in found[ref].payload
        assert found[gone].deleted


def test_the_first_reading_leaves_the_recycle_bin_alone(world: SalesforceWorld) -> None:
    gone, there = an_account(world), an_account(world)
    world.delete(Entity.ACCOUNT, gone)
    assert refs(records(world.adapter, Entity.ACCOUNT)) == [there]


def test_the_window_is_bounded_by_the_server_s_clock(world: SalesforceWorld) -> None:
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    ref = an_account(world)
    world.core.log.clear()
    assert refs(records(world.adapter, Entity.ACCOUNT, cursor)) == [ref]
    (query,) = [one.target for one in world.core.log if "queryAll" in one.target]
    high = world.clock.now() - timedelta(seconds=60)
    assert f"SystemModstamp%20%3C%20{high:%Y-%m-%dT%H%%3A%M%%3A%SZ}" in query


def test_an_overlap_is_no_reason_to_read_on_for_ever(world: SalesforceWorld) -> None:
    an_account(world)
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    for _ in range(3):
        (page,) = all_of(world, cursor)
        cursor = page.next_cursor
        assert not page.has_more


@pytest.mark.parametrize("transport", ["proxy", "tools"])
def test_reading_stops_while_the_rest_of_the_quota_is_kept_for_writes(transport: str) -> None:
    org = OrgSettings(currencies=("USD", "EUR"), restricted_stages=False, api_limit=20)
    with closing(SalesforceWorld(org=org, transport=transport, read_share=0.5)) as world:  # type: ignore[arg-type]
        deal = a_deal(world)
        for _ in range(9):
            world.adapter.get_deal(deal, call=CALL)
        failure = refusal(
            partial(world.adapter.sync_incremental, Entity.DEAL, "", limit=5, call=CALL)
        )
        assert failure.error_class is ErrorClass.RATE_LIMIT
        assert failure.retry_after == timedelta(minutes=15)
        assert world.adapter.get_deal(deal, call=CALL) is not None
        for _ in range(8):
            world.adapter.get_deal(deal, call=CALL)
        spent = refusal(partial(world.adapter.get_deal, deal, call=CALL))
        assert spent.error_class is ErrorClass.RATE_LIMIT
        assert spent.retry_after == timedelta(minutes=15)


def test_a_mapped_field_that_is_hidden_is_absent_and_told_once_a_run(
    world: SalesforceWorld,
) -> None:
    ref = an_account(world)
    website = world.core.org.objects["Account"]["Website"]
    world.core.define("Account", msgspec.structs.replace(website, hidden=True))
    (page,) = all_of(world)
    assert [one.code for one in page.diagnostics] == ["field_not_shown"]
    assert "Website" in page.diagnostics[0].message
    (record,) = page.records
    assert record.crm_ref == ref
    assert "Website" not in msgspec.json.decode(record.payload)


def test_a_field_of_a_parent_is_read_through_its_relation() -> None:
    own = """
provider = "salesforce"
[deal.fields.x_industry]
path = "Account.Industry"
type = "text"
direction = "inbound"
policy = "crm_wins"
"""
    with closing(SalesforceWorld(own=own)) as world:
        account = world.add(Entity.ACCOUNT, {"name": "Acme"})
        world.core.edit(account, {"Industry": "Shoes"})
        deal = a_deal(world, account)
        found = world.adapter.get_deal(deal, call=CALL)
        assert found is not None
        assert found.custom == {"x_industry": "Shoes"}


def answering(doc: object) -> Outcome:
    return Reply(status=200, doc=doc)


@pytest.mark.parametrize(
    "doc",
    [
        *(None, {}, [], {"done": True}, {"records": []}),
        {"records": {}, "done": True},
        {"records": [], "done": False},
    ],
)
def test_an_answer_without_a_list_is_no_empty_page(world: SalesforceWorld, doc: object) -> None:
    def act(op: Op) -> Outcome | None:
        return answering(doc) if op.name.startswith("Reading") else None

    adapter = between(world.adapter, act)
    read = partial(adapter.sync_incremental, Entity.ACCOUNT, "", limit=5, call=CALL)
    assert refusal(read).error_class in (ErrorClass.TRANSIENT, ErrorClass.PERMANENT)
    one = partial(adapter.read_records, Entity.ACCOUNT, ("001D000000IqhSL",), call=CALL)
    assert refusal(one).error_class is ErrorClass.TRANSIENT


def test_the_same_page_again_is_an_error_and_no_loop(world: SalesforceWorld) -> None:
    at_once(world, 4)
    first = next(pages(world.adapter, Entity.ACCOUNT, "", 2))
    op_names: list[str] = []

    def act(op: Op) -> Outcome | None:
        op_names.append(op.name)
        query = dict(op.query).get("q", "")
        if "Id >" not in query:
            return None
        docs = [{"Id": ref, "SystemModstamp": "2026-03-10T12:00:00Z"} for ref in last]
        return answering({"records": docs, "done": False})

    last = refs(list(first.records))
    adapter = between(world.adapter, act)
    failure = refusal(
        partial(adapter.sync_incremental, Entity.ACCOUNT, first.next_cursor, limit=2, call=CALL)
    )
    assert failure.error_class is ErrorClass.PERMANENT
    assert "same page" in failure.message


def test_a_field_that_comes_is_read_from_the_next_adapter_on(world: SalesforceWorld) -> None:
    assert [one.code for page in all_of(world) for one in page.diagnostics] == []
    world.core.define("Account", Field("Quotey_Segment__c", hidden=True))
    hidden = [
        one.code for page in pages(world.reopen(), Entity.ACCOUNT) for one in page.diagnostics
    ]
    assert hidden == ["field_not_shown"]


def test_nothing_is_searched_for_by_a_blank_or_by_wildcards(world: SalesforceWorld) -> None:
    an_account(world, "Plain")
    percent = an_account(world, "100% Cotton_Ltd")
    assert world.adapter.lookup_account("  ", call=CALL) == ()
    assert world.adapter.search_contacts("", call=CALL) == ()
    for text, found in (("%", [percent]), ("_", [percent]), ("100% cotton_", [percent]), ("'", [])):
        assert [one.crm_ref for one in world.adapter.lookup_account(text, call=CALL)] == found


def test_a_look_up_gives_the_best_twenty_of_many(world: SalesforceWorld) -> None:
    at_once(world, 60)
    exact = an_account(world, "Company")
    found = world.adapter.lookup_account("company", call=CALL)
    assert len(found) == 20
    assert found[0].crm_ref == exact


def test_a_contact_is_found_by_a_part_of_name_mail_and_phone(world: SalesforceWorld) -> None:
    contact = world.core.create(
        "Contact",
        {
            "FirstName": "Ann",
            "LastName": "O'Hara",
            "Email": "ann@x.example",
            "MobilePhone": "+43 660 12",
        },
    )
    for text in ("ann o'h", "O'HARA", "@x.exa", "660 12"):
        found = world.adapter.search_contacts(text, call=CALL)
        assert [one.crm_ref for one in found] == [contact.row_id]
