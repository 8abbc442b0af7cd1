"""Both vendors over HTTP: what such engines are tested for (docs/reference/peers-behaviours.md)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Barrier, Thread

import msgspec
import pytest

from quotey.adapters.composio.cursor import milliseconds, read_cursor, write_cursor
from quotey.app.connecting import Wish
from quotey.app.facade import Quotey, open_quotey
from quotey.contract.adapter import INVALID_CURSOR
from quotey.contract.dto import CrmSyncResultDto
from quotey.contract.errors import ErrorClass, ExitCode, Outcome, RefusedError, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.journal import OpState, RecordState
from quotey.testing.conformance.quotes import reading
from quotey.testing.simulators.faults import Fault as Switch
from quotey.testing.simulators.hubspot import HubSpotSettings as PortalSettings
from quotey.testing.world import CALL, a_deal, a_summary, an_account, marker_of, refusal
from tests.composio import hubspot_world, salesforce_world
from tests.composio.hubspot_world import HubSpotWorld
from tests.composio.salesforce_world import SITE, SalesforceWorld
from tests.composio.worlds import KEY, USER

AnyWorld = HubSpotWorld | SalesforceWorld
VENDORS = ("hubspot", "salesforce")
PRIMARY = hubspot_world.PRIMARY[Entity.DEAL]


def world_of(vendor: str) -> AnyWorld:
    return HubSpotWorld() if vendor == "hubspot" else SalesforceWorld()


@pytest.fixture(params=VENDORS)
def world(request: pytest.FixtureRequest) -> Iterator[AnyWorld]:
    with closing(world_of(request.param)) as made:
        yield made


def opened(world: AnyWorld, folder: Path) -> Quotey:
    """Open a whole Quotey on the simulated CRM."""
    org = f'instance_url = "{SITE}"\nguard_rules = true\n'
    portal = isinstance(world, HubSpotWorld)
    (folder / "quotey.toml").write_text(
        f"""
[connections.main]
provider = "{"hubspot" if portal else "salesforce"}"
connected_account_id = "{world.account}"
user_id = "{USER}"
base_url = "{world.base}"
loopback = true
default_currency = "EUR"
requests_per_minute = 1000000
requests_per_ten_seconds = 1000000
{"" if portal else org}
"""
    )
    (folder / "mappings").mkdir(exist_ok=True)
    own = hubspot_world.OWN if portal else salesforce_world.OWN
    (folder / "mappings" / "main.toml").write_text(own)
    return opened_in(folder)


def opened_in(folder: Path) -> Quotey:
    return open_quotey(cwd=folder, environ={"QUOTEY_CONNECTIONS__MAIN__API_KEY": KEY})


@pytest.fixture
def quotey(world: AnyWorld, tmp_path: Path) -> Iterator[Quotey]:
    with opened(world, tmp_path) as whole:
        yield whole


@dataclass(frozen=True)
class Deals:
    """How a vendor writes deals: where, under which name, with which marks of ours."""

    patch: str
    name: str
    marks: frozenset[str]


def written_as(world: AnyWorld) -> Deals:
    if isinstance(world, HubSpotWorld):
        return Deals("hubspot PATCH */objects/deals/", "dealname", frozenset({"quotey_operation"}))
    mark = frozenset({"Quotey_Operations__c"})
    return Deals("salesforce PATCH */sobjects/Opportunity/", "Name", mark)


def writes(world: AnyWorld) -> int:
    """Count what we changed over there."""
    return len(patches(world))


def patches(world: AnyWorld) -> list[dict[str, object]]:
    """Give what was sent to change records, oldest first, without a portal's envelope."""
    sent = [json.loads(one.body) for one in world.core.log if one.method == "PATCH"]
    return [dict(one.get("properties", one)) for one in sent]


def deals_of(world: AnyWorld, count: int) -> list[str]:
    account = an_account(world)
    return [a_deal(world, account, name=f"Deal number {number}") for number in range(count)]


# --- 9: one side suddenly empty -------------------------------------------------------------------


def empty(world: AnyWorld) -> None:
    """Let every record vanish without a trace, as when another CRM stands behind the address."""
    if isinstance(world, HubSpotWorld):
        for records in world.core.portal.records.values():
            records.clear()
        return
    for sobject in ("Opportunity", "Account"):
        for row_id in list(world.core.org.rows[sobject]):
            world.core.delete(row_id)
            world.core.purge(row_id)


def test_a_crm_that_is_suddenly_empty_stops_the_sweep_and_deletes_nothing(
    world: AnyWorld, quotey: Quotey
) -> None:
    deals = [a_deal(world, an_account(world, f"Company {number}")) for number in range(25)]
    assert quotey.sync().exit_code == ExitCode.DONE
    empty(world)
    world.clock.advance(7200)
    assert quotey.sync(sweep=True).exit_code == ExitCode.NEEDS_PERSON
    assert {quotey.deal_show(ref).record.state for ref in deals} == {RecordState.LIVE}
    assert [one.kind for one in quotey.audit_list().items if one.kind == "record.gone"] == []
    assert {(one.live, one.gone) for one in quotey.status().entities[::2]} == {(25, 0)}
    asked = {one.conflict_type for one in quotey.reconcile_list(each=True).items}
    assert asked == {"mass_change"}


# --- 11: merges -----------------------------------------------------------------------------------


@pytest.mark.parametrize("anew", [False, True], ids=["under the winner's id", "under a new id"])
def test_what_was_merged_there_is_followed_by_what_hangs_on_it_and_nothing_is_written(
    tmp_path: Path, anew: bool
) -> None:
    with closing(HubSpotWorld(portal=PortalSettings(merge_makes_new_id=anew))) as world:
        one, two = an_account(world, "Alder"), an_account(world, "Birch")
        deal = a_deal(world, one)
        with opened(world, tmp_path) as quotey:
            quotey.sync()
            mine = quotey.deal_show(deal).record
            survivor = world.core.merge("companies", int(two), int(one))
            world.clock.advance(7200)
            assert quotey.sync().exit_code == ExitCode.DONE
            moved = quotey.deal_show(deal).record
            kept = quotey.account_show(str(survivor.record_id)).record
            assert moved.id == mine.id
            assert moved.local["account_id"] == kept.id
            assert quotey.account_show(one).record.state is RecordState.GONE
            assert writes(world) == 0


# --- 19: a checkpoint that disagrees --------------------------------------------------------------


def test_a_checkpoint_ahead_of_the_servers_clock_is_read_anew_instead_of_waited_for(
    world: AnyWorld,
) -> None:
    ref = an_account(world)
    first = pages_from(world, "")
    ahead = read_cursor(first[-1].next_cursor)
    late = milliseconds(world.clock.now() + timedelta(days=365))
    cursor = write_cursor(msgspec.structs.replace(ahead, read_to=late))
    world.edit(Entity.ACCOUNT, ref, {"name": "Edited"})
    failure = refusal(
        partial(world.adapter.sync_incremental, Entity.ACCOUNT, cursor, limit=9, call=CALL)
    )
    assert [one.code for one in failure.diagnostics] == [INVALID_CURSOR]


def test_a_checkpoint_a_little_ahead_is_that_of_another_clock_and_no_reason_to_start_over(
    world: AnyWorld,
) -> None:
    an_account(world)
    here = read_cursor(pages_from(world, "")[-1].next_cursor)
    soon = milliseconds(world.clock.now() + timedelta(minutes=5))
    cursor = write_cursor(msgspec.structs.replace(here, read_to=soon))
    page = world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=9, call=CALL)
    assert read_cursor(page.next_cursor).full_at == here.full_at


def pages_from(world: AnyWorld, cursor: str, limit: int = 9) -> list[CrmSyncResultDto]:
    """Read accounts to the end."""
    found: list[CrmSyncResultDto] = []
    more = True
    while more:
        page = world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=limit, call=CALL)
        found.append(page)
        cursor, more = page.next_cursor, page.has_more
    return found


# --- 20, 29, 63: what one record's refusal means for the rest -------------------------------------


def one_record(status: int, code: str, policy: str = "") -> Switch:
    return Switch("status", status=status, code=code, policy=policy)


REFUSALS: dict[str, list[tuple[Switch, OpState]]] = {
    "hubspot": [
        (one_record(403, "not for you", "MISSING_SCOPES"), OpState.HELD),
        (one_record(409, "exists", "CONFLICT"), OpState.CONFLICT),
        (one_record(413, "too large"), OpState.HELD),
        (one_record(415, "no such type"), OpState.HELD),
        (one_record(400, "bad", "VALIDATION_ERROR"), OpState.HELD),
        (Switch("html", status=403), OpState.HELD),
        (Switch("html", status=413), OpState.HELD),
        (Switch("html", status=502), OpState.UNKNOWN),
    ],
    "salesforce": [
        (one_record(403, "INSUFFICIENT_ACCESS_OR_READONLY"), OpState.HELD),
        (one_record(400, "DUPLICATE_VALUE"), OpState.CONFLICT),
        (one_record(413, "TOO_LARGE"), OpState.HELD),
        (one_record(415, "UNSUPPORTED_MEDIA_TYPE"), OpState.HELD),
        (one_record(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"), OpState.HELD),
        (Switch("html", status=403), OpState.HELD),
        (Switch("html", status=413), OpState.HELD),
        (Switch("html", status=502), OpState.UNKNOWN),
    ],
}


@pytest.mark.parametrize(
    ("vendor", "place"), [(one, place) for one in VENDORS for place in range(len(REFUSALS[one]))]
)
def test_one_refused_record_is_told_with_its_reason_and_the_others_are_written(
    vendor: str, place: int, tmp_path: Path
) -> None:
    switch, state = REFUSALS[vendor][place]
    with closing(world_of(vendor)) as world:
        deals = deals_of(world, 3)
        with opened(world, tmp_path) as quotey:
            quotey.sync()
            ops = [quotey.deal_update(ref, {"name": f"New {ref}"}).operation_id for ref in deals]
            where = f"{written_as(world).patch}{deals[1]}*"
            world.core.faults.add(msgspec.structs.replace(switch, operation=where))
            report = quotey.sync()
            ended = [quotey.outbox_show(op or "").operation.state for op in ops]
            assert ended == [OpState.DELIVERED, state, OpState.DELIVERED]
            assert report.exit_code != ExitCode.DONE
            [told] = report.failures
            assert deals[1] in told.records[0]
            assert told.warning
            assert quotey.sync().exit_code != ExitCode.REAUTH, "the connection stands"


def test_a_401_stops_the_connection_and_burns_no_attempt(world: AnyWorld, quotey: Quotey) -> None:
    deals = deals_of(world, 3)
    quotey.sync()
    ops = [quotey.deal_update(ref, {"name": f"New {ref}"}).operation_id for ref in deals]
    where = f"{written_as(world).patch}*"
    world.core.faults.add(Switch("token_expired", operation=where, times=9))
    assert quotey.sync().exit_code == ExitCode.REAUTH
    kept = [quotey.outbox_show(op or "").operation for op in ops]
    assert {one.state for one in kept} == {OpState.HELD}
    assert quotey.status().exit_code == ExitCode.REAUTH
    assert patches(world)[1:] == [] or all(one.attempts == 0 for one in kept[1:])


# --- 28: one revision, many writers ---------------------------------------------------------------


def test_of_eight_writers_with_one_revision_one_wins_and_seven_are_in_conflict() -> None:
    with closing(SalesforceWorld()) as world:
        deal = a_deal(world)
        token = reading(world, deal).token
        adapters = [world.reopen() for _ in range(8)]
        start, ends = Barrier(8), dict[int, str]()

        def race(number: int) -> None:
            summary = a_summary(version=number, quote_id=f"q_{number}", total=str(number))
            start.wait()
            try:
                adapters[number - 1].write_quote(
                    deal, summary, None, marker=marker_of(summary), token=token, call=CALL
                )
                ends[number] = "won"
            except RemoteFailure as failure:
                ends[number] = f"{failure.error_class} {failure.outcome}"

        threads = [Thread(target=race, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        refused = f"{ErrorClass.CONFLICT} {Outcome.NOT_APPLIED}"
        assert sorted(ends.values()) == sorted(["won"] + [refused] * 7)
        [winner] = [number for number, end in ends.items() if end == "won"]
        found = reading(world, deal).marker
        assert found is not None
        assert (found.quote_id, found.version) == (f"q_{winner}", winner)


# --- 42: the least that is sent -------------------------------------------------------------------


def test_an_edit_of_one_field_sends_that_field_and_our_mark_and_nothing_else(
    world: AnyWorld, quotey: Quotey
) -> None:
    [deal] = deals_of(world, 1)
    quotey.sync()
    same = quotey.deal_show(deal).record.local["amount"]
    quotey.deal_update(deal, {"name": "Another name", "amount": Decimal(same or "0")})
    assert quotey.sync().exit_code == ExitCode.DONE
    how = written_as(world)
    [sent] = patches(world)
    assert sent.pop(how.name) == "Another name"
    assert sent.keys() <= how.marks
    quotey.sync()
    assert writes(world) == 1


# --- 52: no gap -----------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_page_that_fails_is_the_next_one_that_is_read_and_no_record_is_jumped(
    world: AnyWorld, after: int
) -> None:
    made = {an_account(world, f"Company {number}") for number in range(7)}
    cursor, met = "", set[str]()
    for _ in range(after):
        page = world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=2, call=CALL)
        met |= {one.crm_ref for one in page.records}
        cursor = page.next_cursor
    world.core.faults.add(Switch("server_error", status=500, operation="*"))
    refusal(partial(world.adapter.sync_incremental, Entity.ACCOUNT, cursor, limit=2, call=CALL))
    rest = [one.crm_ref for page in pages_from(world, cursor, 2) for one in page.records]
    assert met | set(rest) == made
    assert not met & set(rest)
    assert len(rest) == len(set(rest))


def test_a_window_without_records_moves_on_and_the_next_change_is_met(world: AnyWorld) -> None:
    ref = an_account(world)
    cursor = pages_from(world, "")[-1].next_cursor
    for _ in range(3):
        world.clock.advance(7200)
        page = pages_from(world, cursor)[-1]
        assert page.records == ()
        assert read_cursor(page.next_cursor).read_to > read_cursor(cursor).read_to
        cursor = page.next_cursor
    world.edit(Entity.ACCOUNT, ref, {"name": "Edited"})
    assert [one.crm_ref for page in pages_from(world, cursor) for one in page.records] == [ref]


# --- 64, 65: batches, blanks, other parents -------------------------------------------------------


def test_records_that_are_asked_for_by_id_come_once_each_in_batches_and_none_for_none(
    world: AnyWorld,
) -> None:
    made = [an_account(world, f"Company {number}") for number in range(230)]
    world.delete(Entity.ACCOUNT, made[7])
    world.core.log.clear()
    asked = (*made, *made[:5], "", "999999999")
    page = world.adapter.read_records(Entity.ACCOUNT, asked, call=CALL)
    living = [one.crm_ref for one in page.records if not one.deleted]
    assert sorted(living) == sorted(set(made) - {made[7]})
    assert 2 <= len(world.core.log) <= 8
    world.core.log.clear()
    assert world.adapter.read_records(Entity.ACCOUNT, (), call=CALL).records == ()
    assert world.core.log == []


def test_what_is_cleared_on_either_side_is_cleared_on_the_other(
    world: AnyWorld, quotey: Quotey
) -> None:
    here, there = deals_of(world, 2)
    quotey.sync()
    assert quotey.deal_show(here).record.local["amount"] == "1200.5"
    quotey.deal_update(here, {"amount": None})
    world.edit(Entity.DEAL, there, {"amount": None})
    assert quotey.sync().exit_code == ExitCode.DONE
    world.clock.advance(7200)
    quotey.sync()
    for ref in (here, there):
        deal = world.adapter.get_deal(ref, call=CALL)
        assert deal is not None
        assert deal.amount is None
        assert quotey.deal_show(ref).record.local.get("amount") is None


def test_a_record_that_is_deleted_and_made_again_is_another_one(
    world: AnyWorld, quotey: Quotey
) -> None:
    [old] = deals_of(world, 1)
    quotey.sync()
    world.delete(Entity.DEAL, old)
    new = a_deal(world, name="Deal number 0")
    world.clock.advance(2 * 86400)
    quotey.sync(sweep=True)
    one, two = quotey.deal_show(old).record, quotey.deal_show(new).record
    assert (one.state, two.state) == (RecordState.GONE, RecordState.LIVE)
    assert one.id != two.id
    assert writes(world) == 0


def test_a_deal_that_is_moved_to_another_account_moves_here_too(
    world: AnyWorld, quotey: Quotey
) -> None:
    [deal] = deals_of(world, 1)
    other = an_account(world, "Birch")
    quotey.sync()
    before = quotey.deal_show(deal).record
    if isinstance(world, HubSpotWorld):
        world.core.link(
            world.record(Entity.DEAL, deal), world.record(Entity.ACCOUNT, other), PRIMARY
        )
        world.edit(Entity.DEAL, deal, {"name": "Moved"})  # a link alone moves no stamp
    else:
        world.core.edit(deal, {"AccountId": other})
    world.clock.advance(7200)
    assert quotey.sync().exit_code == ExitCode.DONE
    after = quotey.deal_show(deal).record
    assert after.id == before.id
    assert after.local["account_id"] == quotey.account_show(other).record.id
    assert after.local["account_id"] != before.local["account_id"]
    assert writes(world) == 0


# --- 73: changes while it is read -----------------------------------------------------------------


def test_what_changes_while_it_is_read_is_met_by_this_run_or_the_next(
    world: AnyWorld,
) -> None:
    refs = [an_account(world, f"Company {number}") for number in range(6)]
    met: dict[str, bytes] = {}
    cursor, more, turn = "", True, 0
    while more:
        page = world.adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=2, call=CALL)
        met |= {one.crm_ref: one.payload for one in page.records}
        world.edit(Entity.ACCOUNT, refs[turn % 6], {"name": f"Edited {turn}"})
        cursor, more, turn = page.next_cursor, page.has_more, turn + 1
    for page in pages_from(world, cursor):
        met |= {one.crm_ref: one.payload for one in page.records}
    held = world.adapter.read_records(Entity.ACCOUNT, tuple(refs), call=CALL).records
    assert met == {one.crm_ref: one.payload for one in held}


# --- whose records they are -----------------------------------------------------------------------


def test_an_account_that_opens_another_portal_is_neither_read_nor_written(tmp_path: Path) -> None:
    with closing(HubSpotWorld()) as world, opened(world, tmp_path) as quotey:
        [deal] = deals_of(world, 1)
        quotey.sync()
        quotey.deal_update(deal, {"name": "Mine"})
        own = world.core.portal.settings
        world.core.portal.settings = msgspec.structs.replace(own, portal_id=999)
        world.edit(Entity.DEAL, deal, {"name": "Of somebody else"})
        report = quotey.sync()
        assert report.exit_code == ExitCode.REAUTH
        assert "portal 999" in report.failures[0].warning
        assert quotey.deal_show(deal).record.local["name"] == "Mine"
        assert writes(world) == 0
        world.core.portal.settings = own
        quotey.connect()
        assert quotey.sync().exit_code == ExitCode.DONE
        assert writes(world) == 1


SANDBOX = "https://acme--test.sandbox.my.salesforce.com"


def test_settings_that_name_another_org_are_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    """A sandbox holds the ids of its production org: only the address tells them apart."""
    with closing(SalesforceWorld()) as world:
        with opened(world, tmp_path) as quotey:
            quotey.sync()
        world.core.log.clear()
        toml = tmp_path / "quotey.toml"
        toml.write_text(toml.read_text().replace(SITE, SANDBOX))
        with opened_in(tmp_path) as quotey:
            report = quotey.sync()
        assert report.exit_code == ExitCode.NEEDS_PERSON
        assert "acme--test" in report.failures[0].warning
        assert world.core.log == []


def test_an_org_that_has_another_address_now_is_gone_on_with_once_a_person_said_so(
    tmp_path: Path,
) -> None:
    with closing(SalesforceWorld()) as world:
        with opened(world, tmp_path) as quotey:
            quotey.sync()
        before = "Salesforce org acme-old.my.salesforce.com"
        with closing(sqlite3.connect(tmp_path / ".quotey" / "quotey.db")) as raw, raw:
            raw.execute("UPDATE connection SET identity = ?", (before,))
        with opened_in(tmp_path) as quotey:
            assert quotey.sync().exit_code == ExitCode.NEEDS_PERSON
            with pytest.raises(RefusedError, match="--moved"):
                quotey.connect()
            quotey.connect(None, Wish(moved=True))
            assert quotey.sync().exit_code == ExitCode.DONE
