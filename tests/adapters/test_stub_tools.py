"""Driving the stub: edits, deletions, merges, faults, scripts, back to the start; wrong words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quotey.adapters.stub import StubSettings, StubTools
from quotey.adapters.stub.adapter import StubCrmAdapter
from quotey.contract.dto import MarkerState
from quotey.contract.errors import ErrorClass, NotFoundError, RemoteFailure, UsageError
from quotey.contract.fields import Entity
from quotey.testing.world import CALL
from tests.adapters.stub_world import empty_data_set, open_stub, open_stub_tools

AS_OF = datetime(2026, 1, 15, 9, tzinfo=UTC)


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[StubTools]:
    opened = open_stub_tools(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[StubCrmAdapter]:
    opened = open_stub(tmp_path)
    yield opened
    opened.close()


def test_setting_a_field_is_an_edit_that_a_sync_meets(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    cursor = f"{tools._drawer.revision:012d}"
    shown = tools.set("deal", "D-1003", {"stage": "lost"})
    assert shown.payload["stage"] == "lost"
    page = adapter.sync_incremental(Entity.DEAL, cursor, limit=10, call=CALL)
    assert [record.crm_ref for record in page.records] == ["D-1003"]


def test_timestamps_are_as_of_plus_revision_milliseconds(tools: StubTools) -> None:
    shown = tools.set("deal", "D-1003", {"stage": "lost"})
    assert shown.at == AS_OF + timedelta(milliseconds=shown.revision)


def test_an_edit_may_carry_a_moment_of_its_own(tools: StubTools, adapter: StubCrmAdapter) -> None:
    at = datetime(2027, 5, 1, 12)  # noqa: DTZ001 - a moment without a zone is taken as UTC
    tools.set("deal", "D-1003", {"stage": "lost"}, at=at)
    page = adapter.read_records(Entity.DEAL, ("D-1003",), call=CALL)
    assert page.records[0].source_ts == at.replace(tzinfo=UTC)


def test_a_property_that_no_field_is_mapped_to_may_be_set(tools: StubTools) -> None:
    assert tools.set("deal", "D-1003", {"owner": "Noor Aziz"}).payload["owner"] == "Noor Aziz"


def test_null_blank_and_absent_are_three_edits(tools: StubTools) -> None:
    assert tools.set("deal", "D-1003", {"amount": None}).payload["amount"] is None
    assert tools.set("deal", "D-1003", {"amount": ""}).payload["amount"] == ""
    assert "amount" not in tools.set("deal", "D-1003", {}, unset=["amount"]).payload


def test_a_joined_name_is_set_as_a_whole(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.set("contact", "C-1001", {"name": "Ottoline Quux"})
    found = adapter.search_contacts("Ottoline Quux", call=CALL)
    assert [contact.name for contact in found] == ["Ottoline Quux"]


def test_a_value_that_breaks_the_contract_may_be_set_as_people_do(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.set("deal", "D-1003", {"amount": "a lot"})
    with pytest.raises(RemoteFailure) as caught:
        adapter.get_deal("D-1003", call=CALL)
    assert caught.value.error_class is ErrorClass.MAPPING


def test_setting_a_deleted_record_brings_it_back(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.delete("deal", "D-1003")
    assert adapter.get_deal("D-1003", call=CALL) is None
    assert not tools.set("deal", "D-1003", {"stage": "won"}).deleted
    assert adapter.get_deal("D-1003", call=CALL) is not None


def test_a_new_record_takes_the_next_free_id(tools: StubTools) -> None:
    values = {"name": "New", "account_id": "A-1001", "stage": "won"}
    assert tools.add("deal", "D-000001", values).ref == "D-000001"
    assert tools.add("deal", "", values).ref == "D-000002"
    assert tools.show("deal", "D-000002").payload["id"] == "D-000002"


def test_merging_accounts_moves_what_hangs_on_them(tools: StubTools) -> None:
    before = [one for one in tools.list("deal") if one.payload.get("account_id") == "A-1029"]
    assert before
    assert tools.merge("account", "A-1029", "A-1002").merged_into == "A-1002"
    for one in before:
        assert tools.show("deal", one.ref).payload["account_id"] == "A-1002"


def test_a_merge_of_deals_that_go_in_circles_ends(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.merge("deal", "D-1001", "D-1002")
    tools.set("deal", "D-1001", {"stage": "won"})
    tools.merge("deal", "D-1002", "D-1001")
    deal = adapter.get_deal("D-1002", call=CALL)
    assert deal is not None
    assert deal.crm_ref == "D-1001"


def test_every_effect_is_logged_with_its_cause(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.set("deal", "D-1003", {"stage": "lost"})
    adapter.update_deal("D-1003", {"amount": None}, key="op_1", call=CALL)
    first, second = tools.log()
    assert (first.operation, first.ref, first.key) == ("tool.set", "D-1003", "")
    assert (second.operation, second.key) == ("update_deal", "op_1")
    assert tools.log(limit=1) == (second,)


def test_the_script_plays_once_step_by_step(tools: StubTools, adapter: StubCrmAdapter) -> None:
    first = tools.play(steps=1)
    rest = tools.play()
    assert [one.step for one in (*first, *rest)] == list(range(1, first[0].of + 1))
    assert tools.play() == ()
    reading = adapter.get_quote_marker("D-1006", "q_ours", call=CALL)
    assert reading.state is MarkerState.OURS
    assert reading.marker is not None
    assert (reading.marker.instance_id, reading.marker.version) == ("another-desk", 7)


def test_the_script_deletes_merges_adds_and_mends(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.play()
    assert tools.show("deal", "D-1059").deleted
    assert tools.show("account", "A-1029").merged_into == "A-1002"
    assert adapter.get_deal("D-2001", call=CALL) is not None
    assert adapter.get_deal("D-1022", call=CALL) is not None
    assert adapter.lookup_account("Stellar Freight", call=CALL)[0].segment == "enterprise"


def test_a_reset_restores_only_what_differs(tools: StubTools) -> None:
    tools.set("deal", "D-1003", {"stage": "lost"})
    tools.delete("deal", "D-1004")
    tools.add("deal", "", {"name": "New"})
    tools.fail("server_error")
    untouched = tools.show("deal", "D-1005").revision
    before = tools._drawer.revision
    done = tools.reset()
    assert (done.restored, done.removed) == (2, 1)
    assert tools.show("deal", "D-1005").revision == untouched
    assert tools.show("deal", "D-1003").payload["stage"] != "lost"
    assert tools.show("deal", "D-1003").revision > before
    assert tools.faults() == ()
    assert tools.reset().restored == 0


def test_after_a_reset_the_script_plays_again(tools: StubTools) -> None:
    played = tools.play()
    tools.reset()
    assert tools.play() == played


def test_a_data_set_without_a_script_says_so(tmp_path: Path) -> None:
    settings = StubSettings(dataset=empty_data_set(tmp_path / "data"))
    opened = open_stub_tools(tmp_path / "home", settings)
    with pytest.raises(UsageError, match=r"edits\.toml cannot be read"):
        opened.play()
    opened.close()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[edit]]\naction = 'burn'\nentity = 'deal'\nref = 'D-1'", "Invalid enum value 'burn'"),
        ("[[edit]]\naction = 'set'", "missing required field"),
        ("[[edit]]\ncolour = 'red'", "unknown field|missing required"),
        ("not toml at all", "is no script"),
    ],
)
def test_a_script_that_is_wrong_plays_nothing(
    tools: StubTools, tmp_path: Path, text: str, told: str
) -> None:
    script = tmp_path / "edits.toml"
    script.write_text(text)
    with pytest.raises(UsageError, match=told):
        tools.play(script=script)
    assert tools.log() == ()


def test_a_step_that_fails_stops_the_script_and_may_be_played_again(
    tools: StubTools, tmp_path: Path
) -> None:
    script = tmp_path / "edits.toml"
    one = "[[edit]]\naction = 'delete'\nentity = 'deal'\nref = '{}'\n"
    script.write_text(one.format("D-1003") + one.format("D-9999"))
    with pytest.raises(NotFoundError):
        tools.play(script=script)
    assert tools.show("deal", "D-1003").deleted
    script.write_text(one.format("D-1003") + one.format("D-1004"))
    assert [played.ref for played in tools.play(script=script)] == ["D-1004"]


WRONG: dict[str, Callable[[StubTools], object]] = {
    "an unknown entity": lambda tools: tools.show("deals", "D-1003"),
    "quotes are no records of their own": lambda tools: tools.show("quote", "Q"),
    "an unknown record": lambda tools: tools.set("deal", "D-9999", {"stage": "won"}),
    "an unknown field": lambda tools: tools.set("deal", "D-1003", {"stgae": "won"}),
    "nothing to set": lambda tools: tools.set("deal", "D-1003", {}),
    "an id that is taken": lambda tools: tools.add("deal", "D-1003", {"name": "Twin"}),
    "an id with blanks": lambda tools: tools.add("deal", "D 1", {"name": "Spaced"}),
    "an id that is too long": lambda tools: tools.add("deal", "D" * 201, {"name": "Long"}),
    "deleting the unknown": lambda tools: tools.delete("deal", "D-9999"),
    "merging with itself": lambda tools: tools.merge("deal", "D-1003", "D-1003"),
    "merging into the unknown": lambda tools: tools.merge("deal", "D-1003", "D-9999"),
    "an unknown fault": lambda tools: tools.fail("explode"),
    "an unknown operation": lambda tools: tools.fail("auth", operation="get_deals"),
    "no times": lambda tools: tools.fail("auth", times=0),
    "a negative after": lambda tools: tools.fail("auth", after=-1),
    "a negative delay": lambda tools: tools.fail("rate_limited", retry_after=-1),
    "an endless delay": lambda tools: tools.fail("rate_limited", retry_after=float("inf")),
    "no number of seconds": lambda tools: tools.fail("rate_limited", retry_after=float("nan")),
    "a delay of something else": lambda tools: tools.fail("auth", retry_after=1),
    "no steps": lambda tools: tools.play(steps=0),
}


@pytest.mark.parametrize("act", WRONG.values(), ids=WRONG.keys())
def test_wrong_words_are_refused_and_change_nothing(
    tools: StubTools, act: Callable[[StubTools], object]
) -> None:
    revision = tools._drawer.revision
    with pytest.raises(UsageError):
        act(tools)
    assert tools._drawer.revision == revision
    assert tools.log() == ()
    assert tools.faults() == ()


def test_what_is_gone_is_not_deleted_again(tools: StubTools) -> None:
    tools.delete("deal", "D-1003")
    with pytest.raises(UsageError, match="gone already"):
        tools.delete("deal", "D-1003")
    with pytest.raises(UsageError, match="gone already"):
        tools.merge("deal", "D-1003", "D-1004")


def test_a_misspelt_field_is_told_the_near_one(tools: StubTools) -> None:
    with pytest.raises(UsageError, match="Did you mean 'stage'"):
        tools.set("deal", "D-1003", {"stgae": "won"})
