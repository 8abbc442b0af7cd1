"""The suite is worth something: each broken adapter below is caught by the test that it names."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quotey.adapters.stub import StubCrmAdapter
from quotey.contract.adapter import Call, CrmAdapter, Tier
from quotey.contract.drift import Survey
from quotey.contract.dto import (
    Attachment,
    CrmDealDto,
    CrmQuoteWriteDto,
    CrmSyncResultDto,
    Ends,
    IdPage,
    QuoteMarker,
    RemoteWrite,
    Value,
)
from quotey.contract.errors import Diagnostic, RemoteFailure, Severity
from quotey.contract.fields import Entity
from quotey.contract.journal import OpKind
from quotey.testing.conformance import AdapterConformance, confirm_capabilities
from quotey.testing.world import World
from tests.adapters.stub_world import StubWorld

NUMBERS = count()


class ForgetsKeys(StubCrmAdapter):
    def create_deal(
        self, account_id: str, deal_data: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        fresh = f"{key}-{next(NUMBERS)}"
        return super().create_deal(account_id, deal_data, key=fresh, call=call)


class RepeatsUpdates(StubCrmAdapter):
    def update_deal(
        self, deal_id: str, updates: Mapping[str, Value], *, key: str, call: Call
    ) -> RemoteWrite:
        fresh = f"{key}-{next(NUMBERS)}"
        return super().update_deal(deal_id, updates, key=fresh, call=call)


class IgnoresTheToken(StubCrmAdapter):
    def write_quote(
        self,
        deal_id: str,
        quote_summary: CrmQuoteWriteDto,
        attachment_ref: Attachment | None,
        *,
        marker: QuoteMarker,
        token: str | None,
        call: Call,
    ) -> RemoteWrite:
        now = self.get_quote_marker(deal_id, quote_summary.id, call=call).token
        return super().write_quote(
            deal_id, quote_summary, attachment_ref, marker=marker, token=now, call=call
        )


class SkipsTheLastOfAPage(StubCrmAdapter):
    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        page = super().sync_incremental(entity, cursor, limit=limit, call=call)
        return msgspec.structs.replace(page, records=page.records[: limit - 1])


class NamesNoKey(StubCrmAdapter):
    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        page = super().sync_incremental(entity, cursor, limit=limit, call=call)
        nameless = tuple(msgspec.structs.replace(one, crm_ref="") for one in page.records)
        return msgspec.structs.replace(page, records=nameless)


class ListsHalf(StubCrmAdapter):
    def list_ids(
        self, entity: Entity, place: str, *, read_to: str, limit: int, call: Call
    ) -> IdPage:
        page = super().list_ids(entity, place, read_to=read_to, limit=limit, call=call)
        return msgspec.structs.replace(page, listed=page.listed[::2])


class CallsEverythingDue(StubCrmAdapter):
    def list_ids(
        self, entity: Entity, place: str, *, read_to: str, limit: int, call: Call
    ) -> IdPage:
        page = super().list_ids(entity, place, read_to=read_to, limit=limit, call=call)
        due = tuple(msgspec.structs.replace(one, due=True) for one in page.listed)
        return msgspec.structs.replace(page, listed=due)


class HidesEnds(StubCrmAdapter):
    def find_ends(
        self, entity: Entity, crm_refs: tuple[str, ...], *, read_to: str, call: Call
    ) -> Ends:
        return Ends()


class HidesWhatItCouldNotRead(StubCrmAdapter):
    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        page = super().sync_incremental(entity, cursor, limit=limit, call=call)
        return msgspec.structs.replace(page, failures=())


class HidesDeletions(StubCrmAdapter):
    def sync_incremental(
        self, entity: Entity, cursor: str, *, limit: int, call: Call
    ) -> CrmSyncResultDto:
        page = super().sync_incremental(entity, cursor, limit=limit, call=call)
        return msgspec.structs.replace(
            page, records=tuple(one for one in page.records if not one.deleted)
        )


class SwallowsFailures(StubCrmAdapter):
    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        try:
            return super().get_deal(deal_id, call=call)
        except RemoteFailure:
            return None


class RetriesByItself(StubCrmAdapter):
    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        try:
            return super().get_deal(deal_id, call=call)
        except RemoteFailure:
            return super().get_deal(deal_id, call=call)


class MakesFloats(StubCrmAdapter):
    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        deal = super().get_deal(deal_id, call=call)
        wrong: Any = float(deal.amount) if deal and deal.amount else None
        return msgspec.structs.replace(deal, amount=wrong) if deal else None


class PretendsTheIdAskedFor(StubCrmAdapter):
    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        deal = super().get_deal(deal_id, call=call)
        return msgspec.structs.replace(deal, crm_ref=deal_id) if deal else None


class ForgetsAField(StubCrmAdapter):
    def survey(self, *, call: Call) -> Survey:
        found = super().survey(call=call)
        rest = tuple(one for one in found.properties if one.field != "amount")
        return msgspec.structs.replace(found, properties=rest)


class NeverSatisfied(StubCrmAdapter):
    def survey(self, *, call: Call) -> Survey:
        found = super().survey(call=call)
        told = Diagnostic(code="property_missing", severity=Severity.ERROR, message="Gone.")
        bad = tuple(msgspec.structs.replace(one, findings=(told,)) for one in found.properties)
        return msgspec.structs.replace(found, properties=bad)


class TriesOut(StubCrmAdapter):
    def survey(self, *, call: Call) -> Survey:
        (deal,) = self.sync_incremental(Entity.DEAL, "", limit=1, call=call).records
        self.update_deal(deal.crm_ref, {"name": "Tried"}, key=f"try-{next(NUMBERS)}", call=call)
        return super().survey(call=call)


class AsksInSecret(StubCrmAdapter):
    survey_calls = 0

    def calls_of(self, kind: OpKind) -> int:
        return len(kind) and 1

    @property
    def calls_sent(self) -> int:
        return next(NUMBERS)


CAUGHT: dict[type[StubCrmAdapter], tuple[str, ...]] = {
    ListsHalf: ("test_a_list_holds_every_living_record_once",),
    CallsEverythingDue: ("test_what_the_next_reading_would_bring_is_not_due",),
    HidesEnds: ("test_what_was_deleted_is_not_listed_and_its_end_is_proved",),
    ForgetsAField: ("test_a_survey_looks_up_every_mapped_field",),
    NeverSatisfied: ("test_where_everything_fits_a_survey_parks_nothing",),
    TriesOut: ("test_a_survey_changes_nothing_and_says_the_same_again",),
    ForgetsKeys: (
        "test_the_same_key_makes_one_deal",
        "test_a_key_is_known_to_every_process",
        "test_a_deal_created_in_a_timed_out_call_is_found_by_its_key",
        "test_every_declared_capability_is_confirmed",
    ),
    RepeatsUpdates: (
        "test_an_update_with_the_same_key_has_one_effect",
        "test_a_late_repeat_does_not_undo_what_came_after",
        "test_a_write_repeated_after_a_time_out_has_one_effect",
    ),
    IgnoresTheToken: (
        "test_a_token_that_was_used_is_refused_the_second_time",
        "test_a_slot_that_moved_on_is_not_written",
        "test_every_declared_capability_is_confirmed",
    ),
    SkipsTheLastOfAPage: (
        "test_paging_meets_every_record_whatever_the_size_of_a_page",
        "test_records_of_the_same_moment_are_all_met",
        "test_what_is_edited_while_paging_is_met_with_its_last_values",
        "test_any_edits_between_any_pages_lose_nothing",
    ),
    NamesNoKey: ("test_a_full_read_names_each_record_once_by_a_key_and_dates_it",),
    HidesWhatItCouldNotRead: ("test_a_partial_page_names_the_records_that_it_could_not_read",),
    HidesDeletions: (
        "test_a_deletion_is_reported",
        "test_every_declared_capability_is_confirmed",
    ),
    SwallowsFailures: (
        "test_a_read_that_times_out_may_be_repeated",
        "test_a_deal_that_breaks_the_contract_is_a_mapping_failure",
        "test_a_rate_limit_tells_the_delay_that_it_was_told",
    ),
    RetriesByItself: ("test_an_adapter_never_retries_by_itself",),
    MakesFloats: ("test_a_deal_has_the_values_that_the_crm_holds",),
    PretendsTheIdAskedFor: ("test_a_merged_deal_is_answered_by_its_survivor",),
}

CASES = [(kind, name) for kind, names in CAUGHT.items() for name in names]


def suite_over(kind: type[StubCrmAdapter]) -> AdapterConformance:
    """Make the suite for an adapter of this kind."""

    class BrokenWorld(StubWorld):
        def reopen(self) -> CrmAdapter:
            adapter = super().reopen()
            assert isinstance(adapter, StubCrmAdapter)
            adapter.__class__ = kind
            return adapter

    class Broken(AdapterConformance):
        def make_world(self, folder: Path) -> World:
            return BrokenWorld(folder)

    return Broken()


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_a_broken_adapter_is_caught(kind: type[StubCrmAdapter], name: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        getattr(suite_over(kind), name)(tmp_path)


@pytest.mark.parametrize("name", sorted({name for _, name in CASES}))
def test_the_whole_adapter_passes_where_the_broken_ones_fail(name: str, tmp_path: Path) -> None:
    getattr(suite_over(StubCrmAdapter), name)(tmp_path)


def test_requests_of_a_survey_that_were_not_told_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        suite_over(AsksInSecret).test_a_survey_takes_no_more_requests_than_it_says(tmp_path)


def test_a_capability_that_is_only_claimed_is_named(tmp_path: Path) -> None:
    world = StubWorld(tmp_path, tier=2)
    adapter = world.adapter
    assert isinstance(adapter, StubCrmAdapter)
    adapter.capabilities = msgspec.structs.replace(
        adapter.capabilities, tier=Tier.CONDITIONAL_WRITE
    )
    problems = confirm_capabilities(world)
    assert [(problem.code, problem.field) for problem in problems] == [("capability", "tier")]
    world.close()


def test_a_fault_that_a_world_cannot_show_skips_the_test(tmp_path: Path) -> None:
    class MildWorld(StubWorld):
        faults = frozenset()

    class Mild(AdapterConformance):
        def make_world(self, folder: Path) -> World:
            return MildWorld(folder)

    with pytest.raises(pytest.skip.Exception, match="timeout_after"):
        Mild().test_a_quote_written_in_a_timed_out_call_is_seen_by_its_marker(tmp_path)
