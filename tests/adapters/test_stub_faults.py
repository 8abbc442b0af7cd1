"""Faults strike when, where and as often as they were told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from quotey.adapters.stub import StubSettings, StubTools, open_adapter
from quotey.adapters.stub.adapter import StubCrmAdapter
from quotey.adapters.stub.faults import FaultKind
from quotey.contract.adapter import Call
from quotey.contract.errors import ErrorClass, ExitCode, Outcome, RemoteFailure, UsageError
from quotey.contract.fields import Entity
from quotey.testing.clock import VirtualClock
from quotey.testing.world import CALL, a_summary, marker_of, refusal
from tests.adapters.stub_world import mapping_of, open_stub, open_stub_tools


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


def failing(adapter: StubCrmAdapter) -> ErrorClass | None:
    """Say how reading a deal fails now."""
    try:
        adapter.get_deal("D-1003", call=CALL)
    except RemoteFailure as failure:
        return failure.error_class
    return None


def test_a_fault_strikes_so_many_times_after_so_many_calls(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.fail("server_error", operation="get_deal", times=2, after=1)
    seen = [failing(adapter) for _ in range(5)]
    transient = ErrorClass.TRANSIENT
    assert seen == [None, transient, transient, None, None]
    assert tools.faults() == ()


def test_a_fault_is_aimed_by_a_glob(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.fail("server_error", operation="update_*")
    assert failing(adapter) is None
    failure = refusal(lambda: adapter.update_deal("D-1003", {"amount": None}, key="k", call=CALL))
    assert failure.error_class is ErrorClass.TRANSIENT
    assert failure.outcome is Outcome.NOT_APPLIED


def test_faults_strike_in_the_order_in_which_they_were_told(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.fail("server_error")
    tools.fail("rate_limited", retry_after=2)
    seen = [failing(adapter) for _ in range(3)]
    assert seen == [ErrorClass.TRANSIENT, ErrorClass.RATE_LIMIT, None]


def test_a_page_fault_lets_other_operations_pass(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.fail("partial_batch")
    assert failing(adapter) is None
    page = adapter.sync_incremental(Entity.ACCOUNT, "", limit=4, call=CALL)
    assert (len(page.records), len(page.failures)) == (2, 2)


def test_a_duplicated_page_comes_twice_and_then_the_reading_goes_on(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.fail("duplicate_page")
    first = adapter.sync_incremental(Entity.ACCOUNT, "", limit=5, call=CALL)
    again = adapter.sync_incremental(Entity.ACCOUNT, first.next_cursor, limit=5, call=CALL)
    after = adapter.sync_incremental(Entity.ACCOUNT, again.next_cursor, limit=5, call=CALL)
    assert first.records == again.records
    assert first.next_cursor != again.next_cursor
    assert not {one.crm_ref for one in after.records} & {one.crm_ref for one in first.records}


def test_a_page_out_of_order_shows_old_states_after_new_ones(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.set("account", "A-1001", {"name": "Newer"})
    cursor = f"{tools._drawer.revision - 1:012d}"
    tools.fail("out_of_order")
    page = adapter.sync_incremental(Entity.ACCOUNT, cursor, limit=5, call=CALL)
    assert [one.crm_ref for one in page.records] == ["A-1001", "A-1001"]
    assert page.records[0].source_version > page.records[1].source_version


def test_a_time_out_after_the_effect_has_its_effect(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.fail("timeout_after", operation="update_deal")
    updates = {"amount": Decimal(1)}
    failure = refusal(lambda: adapter.update_deal("D-1003", updates, key="k", call=CALL))
    assert failure.outcome is Outcome.UNKNOWN
    assert [one.operation for one in tools.log()] == ["update_deal"]


def test_a_time_out_before_the_effect_has_none(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.fail("timeout_before", operation="update_deal")
    updates = {"amount": Decimal(1)}
    failure = refusal(lambda: adapter.update_deal("D-1003", updates, key="k", call=CALL))
    assert failure.outcome is Outcome.UNKNOWN
    assert tools.log() == ()


def test_an_auth_fault_stays_until_the_adapter_is_authorised_anew(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.fail("auth", operation="get_deal")
    assert [failing(adapter) for _ in range(3)] == [ErrorClass.AUTH] * 3
    adapter.reauthorise()
    assert failing(adapter) is None


def test_faults_may_all_be_forgotten(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.fail("auth")
    tools.fail("server_error")
    assert tools.heal() == 2
    assert failing(adapter) is None


def test_each_fault_ends_a_command_with_its_exit_code(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    expected = {
        FaultKind.SERVER_ERROR: ExitCode.UNREACHABLE,
        FaultKind.RATE_LIMITED: ExitCode.UNREACHABLE,
        FaultKind.TIMEOUT_BEFORE: ExitCode.UNREACHABLE,
        FaultKind.MAPPING_ERROR: ExitCode.MAPPING,
        FaultKind.AUTH: ExitCode.REAUTH,
    }
    for kind, code in expected.items():
        tools.fail(kind)
        assert refusal(lambda: adapter.get_deal("D-1003", call=CALL)).exit_code == code


def test_a_rate_limit_with_a_delay_says_how_long(tools: StubTools, adapter: StubCrmAdapter) -> None:
    tools.fail("rate_limited", retry_after=2.5)
    failure = refusal(lambda: adapter.get_deal("D-1003", call=CALL))
    assert failure.retry_after == timedelta(seconds=2.5)


def test_latency_is_slept_through_the_given_sleep_and_never_longer_than_the_call(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    settings = StubSettings(latency=20)
    adapter = open_adapter(settings, mapping_of(settings), "main", home=tmp_path, sleep=clock.sleep)
    adapter.get_deal("D-1003", call=Call(correlation_id="c", timeout=15))
    adapter.get_deal("D-1003", call=Call(correlation_id="c", timeout=60))
    assert clock.slept == [15, 20]
    adapter.close()


@pytest.mark.parametrize("cursor", ["abc", "-1", "1.5", "999999999999", "1rr", "\uff11"])
def test_a_cursor_that_was_never_given_is_refused(adapter: StubCrmAdapter, cursor: str) -> None:
    failure = refusal(lambda: adapter.sync_incremental(Entity.DEAL, cursor, limit=5, call=CALL))
    assert failure.error_class is ErrorClass.PERMANENT


def test_a_key_that_was_used_for_another_request_is_refused(adapter: StubCrmAdapter) -> None:
    adapter.update_deal("D-1003", {"amount": Decimal(1)}, key="k", call=CALL)
    failure = refusal(
        lambda: adapter.update_deal("D-1003", {"amount": Decimal(2)}, key="k", call=CALL)
    )
    assert failure.error_class is ErrorClass.PERMANENT
    deal = adapter.get_deal("D-1003", call=CALL)
    assert deal is not None
    assert deal.amount == Decimal(1)


# --- late effects ---------------------------------------------------------------------------------


def version_there(adapter: StubCrmAdapter) -> int:
    found = adapter.get_quote_marker("D-1003", "q_conformance", call=CALL).marker
    return found.version if found else 0


def write(adapter: StubCrmAdapter, version: int) -> None:
    """Write a version in the slot as it is seen now."""
    summary = a_summary(version=version)
    marker = marker_of(summary)
    token = adapter.get_quote_marker("D-1003", summary.id, call=CALL).token
    adapter.write_quote("D-1003", summary, None, marker=marker, token=token, call=CALL)


def lost(tools: StubTools, adapter: StubCrmAdapter, delay: int | None) -> None:
    """Send version 1 so that it is not answered and lands late."""
    tools.fail("late_effect", operation="write_quote", delay=delay)
    failure = refusal(lambda: write(adapter, 1))
    assert (failure.error_class, failure.outcome) == (ErrorClass.UNKNOWN, Outcome.UNKNOWN)


def test_a_late_effect_lands_after_so_many_requests(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    lost(tools, adapter, 2)
    assert [version_there(adapter) for _ in range(3)] == [0, 0, 1]


def test_a_late_effect_lands_when_told(tools: StubTools, adapter: StubCrmAdapter) -> None:
    lost(tools, adapter, None)
    assert tools.land() == 1
    assert tools.land() == 0
    assert version_there(adapter) == 1


@pytest.mark.parametrize(("tier", "stands"), [(1, 2), (2, 1), (3, 1)])
def test_what_lands_late_replaces_a_newer_one_unless_it_bears_a_condition(
    tmp_path: Path, tier: int, stands: int
) -> None:
    settings = StubSettings(tier=tier)
    with (
        closing(open_stub(tmp_path, settings)) as adapter,
        closing(open_stub_tools(tmp_path, settings)) as tools,
    ):
        lost(tools, adapter, None)
        write(adapter, 2)
        tools.land()
        assert version_there(adapter) == stands


def test_a_reset_lets_nothing_land_any_more(tools: StubTools, adapter: StubCrmAdapter) -> None:
    lost(tools, adapter, None)
    tools.reset()
    assert tools.land() == 0


@pytest.mark.parametrize(("kind", "delay"), [("late_effect", -1), ("server_error", 3)])
def test_a_delay_that_makes_no_sense_is_refused(tools: StubTools, kind: str, delay: int) -> None:
    with pytest.raises(UsageError, match="delay"):
        tools.fail(kind, delay=delay)


def test_a_late_effect_strikes_no_other_operation(
    tools: StubTools, adapter: StubCrmAdapter
) -> None:
    tools.fail("late_effect")
    assert failing(adapter) is None
    assert len(tools.faults()) == 1
