"""Failures: every one is a RemoteFailure that says what is known of the effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.fields import Entity
from quotey.testing.conformance.pages import pages
from quotey.testing.conformance.quotes import effects, reading, write
from quotey.testing.conformance.suite import Suite
from quotey.testing.world import (
    CALL,
    Fault,
    World,
    a_deal,
    a_summary,
    an_account,
    deal_data,
    refusal,
)


class FailureConformance(Suite):
    """What is told of failures (seed 6.1, design section 6), and what is done: never a retry."""

    def test_a_read_that_times_out_may_be_repeated(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.TIMEOUT_BEFORE) as world:
            deal = a_deal(world)
            for operation, read in _reads(world, deal).items():
                world.fail(Fault.TIMEOUT_BEFORE, operation=operation)
                failure = refusal(read)
                assert failure.error_class is ErrorClass.TRANSIENT
                assert failure.outcome is Outcome.NOT_APPLIED
                read()

    def test_a_write_that_times_out_is_of_unknown_outcome(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER) as world:
            for fault in (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER):
                for operation, act in _writes(world, a_deal(world), fault).items():
                    world.fail(fault, operation=operation)
                    failure = refusal(act)
                    assert failure.error_class is ErrorClass.UNKNOWN
                    assert failure.outcome is Outcome.UNKNOWN

    def test_a_write_repeated_after_a_time_out_has_one_effect(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER) as world:
            for fault in (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER):
                deal = a_deal(world)
                before = world.effects(Entity.DEAL, deal)
                update = _writes(world, deal, fault)["update_deal"]
                world.fail(fault, operation="update_deal")
                refusal(update)
                update()
                assert world.effects(Entity.DEAL, deal) == before + 1

    def test_a_deal_created_in_a_timed_out_call_is_found_by_its_key(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.TIMEOUT_AFTER) as world:
            create = _writes(world, a_deal(world), Fault.TIMEOUT_AFTER)["create_deal"]
            seen = {
                one.crm_ref for page in pages(world.adapter, Entity.DEAL) for one in page.records
            }
            world.fail(Fault.TIMEOUT_AFTER, operation="create_deal")
            refusal(create)
            create()
            now = {
                one.crm_ref for page in pages(world.adapter, Entity.DEAL) for one in page.records
            }
            assert len(now - seen) == 1

    def test_a_quote_written_in_a_timed_out_call_is_seen_by_its_marker(
        self, tmp_path: Path
    ) -> None:
        with self.world(tmp_path, Fault.TIMEOUT_AFTER) as world:
            deal, summary = a_deal(world), a_summary()
            before = effects(world, deal, summary.id)
            world.fail(Fault.TIMEOUT_AFTER, operation="write_quote")
            refusal(lambda: write(world, deal, summary))
            found = reading(world, deal)
            assert found.marker is not None
            assert found.marker.version == summary.version
            write(world, deal, summary)
            assert effects(world, deal, summary.id) == before + 1

    def test_a_server_error_is_transient(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.SERVER_ERROR) as world:
            deal = a_deal(world)
            world.fail(Fault.SERVER_ERROR, operation="get_deal")
            failure = refusal(lambda: world.adapter.get_deal(deal, call=CALL))
            assert failure.error_class is ErrorClass.TRANSIENT
            assert failure.retry_after is None

    def test_every_operation_tells_a_rate_limit(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.RATE_LIMITED) as world:
            deal = a_deal(world)
            acts = {**_reads(world, deal), **_writes(world, deal, Fault.RATE_LIMITED)}
            for operation, act in acts.items():
                world.fail(Fault.RATE_LIMITED, operation=operation, retry_after=7)
                failure = refusal(act)
                assert failure.error_class is ErrorClass.RATE_LIMIT
                assert failure.outcome is Outcome.NOT_APPLIED
                assert failure.retry_after == timedelta(seconds=7)

    def test_every_write_tells_a_mapping_error(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.MAPPING_ERROR) as world:
            deal = a_deal(world)
            for operation, act in _writes(world, deal, Fault.MAPPING_ERROR).items():
                world.fail(Fault.MAPPING_ERROR, operation=operation)
                failure = refusal(act)
                assert failure.error_class is ErrorClass.MAPPING
                assert failure.outcome is Outcome.NOT_APPLIED

    def test_a_rate_limit_tells_the_delay_that_it_was_told(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.RATE_LIMITED) as world:
            deal = a_deal(world)
            for told, expected in ((7.0, timedelta(seconds=7)), (None, None)):
                world.fail(Fault.RATE_LIMITED, operation="get_deal", retry_after=told)
                failure = refusal(lambda: world.adapter.get_deal(deal, call=CALL))
                assert failure.error_class is ErrorClass.RATE_LIMIT
                assert failure.outcome is Outcome.NOT_APPLIED
                assert failure.retry_after == expected

    def test_a_refused_authorisation_lasts_until_it_is_given_anew(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.AUTH) as world:
            deal = a_deal(world)
            world.fail(Fault.AUTH)
            for act in (*_reads(world, deal).values(), *_writes(world, deal, Fault.AUTH).values()):
                failure = refusal(act)
                assert failure.error_class is ErrorClass.AUTH
                assert failure.outcome is Outcome.NOT_APPLIED
            world.reauthorise()
            assert world.adapter.get_deal(deal, call=CALL) is not None
            assert world.effects(Entity.DEAL, deal) == 1

    def test_a_mapping_error_has_diagnostics_and_no_effect(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.MAPPING_ERROR) as world:
            deal = a_deal(world)
            world.fail(Fault.MAPPING_ERROR, operation="update_deal")
            failure = refusal(_writes(world, deal, Fault.MAPPING_ERROR)["update_deal"])
            assert failure.error_class is ErrorClass.MAPPING
            assert failure.outcome is Outcome.NOT_APPLIED
            assert failure.diagnostics
            assert world.effects(Entity.DEAL, deal) == 1

    def test_an_adapter_never_retries_by_itself(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.SERVER_ERROR) as world:
            deal = a_deal(world)
            world.fail(Fault.SERVER_ERROR, operation="get_deal", times=2)
            refusal(lambda: world.adapter.get_deal(deal, call=CALL))
            refusal(lambda: world.adapter.get_deal(deal, call=CALL))
            assert world.adapter.get_deal(deal, call=CALL) is not None

    def test_a_partial_page_names_the_records_that_it_could_not_read(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.PARTIAL_BATCH) as world:
            refs = {an_account(world, f"Company {number}") for number in range(4)}
            world.fail(Fault.PARTIAL_BATCH, operation="sync_incremental", times=1000)
            read: set[str] = set()
            failed: set[str] = set()
            for page in pages(world.adapter, Entity.ACCOUNT):
                read |= {one.crm_ref for one in page.records}
                failed |= {one.crm_ref for one in page.failures}
            assert failed
            assert not read & failed
            assert refs <= read | failed
            later = world.adapter.read_records(Entity.ACCOUNT, tuple(failed & refs), call=CALL)
            assert {one.crm_ref for one in later.records} == failed & refs

    def test_doubled_and_disordered_pages_still_show_everything(self, tmp_path: Path) -> None:
        with self.world(tmp_path, Fault.DUPLICATE_PAGE, Fault.OUT_OF_ORDER) as world:
            refs = [an_account(world, f"Company {number}") for number in range(5)]
            for ref in refs:
                world.edit(Entity.ACCOUNT, ref, {"name": f"Newer {ref}"})
            held = world.adapter.read_records(Entity.ACCOUNT, tuple(refs), call=CALL)
            newest = {one.crm_ref: one.source_version for one in held.records}
            for fault in (Fault.DUPLICATE_PAGE, Fault.OUT_OF_ORDER):
                world.fail(fault, operation="sync_incremental", times=2)
                met: dict[str, str] = {}
                for page in pages(world.adapter, Entity.ACCOUNT, limit=3):
                    for one in page.records:
                        met[one.crm_ref] = max(met.get(one.crm_ref, ""), one.source_version)
                assert {ref: met[ref] for ref in refs} == newest


def _reads(world: World, deal: str) -> dict[str, Callable[[], object]]:
    adapter = world.adapter
    return {
        "lookup_account": lambda: adapter.lookup_account("x", call=CALL),
        "search_contacts": lambda: adapter.search_contacts("x", call=CALL),
        "get_deal": lambda: adapter.get_deal(deal, call=CALL),
        "get_quote_marker": lambda: adapter.get_quote_marker(deal, "q_conformance", call=CALL),
        "sync_incremental": lambda: adapter.sync_incremental(Entity.DEAL, "", limit=1, call=CALL),
        "read_records": lambda: adapter.read_records(Entity.DEAL, (deal,), call=CALL),
    }


def _writes(world: World, deal: str, fault: Fault) -> dict[str, Callable[[], object]]:
    """Give one call of every writing operation, each under a key of its own."""
    adapter, summary = world.adapter, a_summary()
    account = an_account(world, f"Account for {fault}")
    # Without authorisation the slot cannot be looked at first.
    token = "none" if fault is Fault.AUTH else reading(world, deal).token
    updates = {"amount": Decimal(42)}
    acts: dict[str, Callable[[], object]] = {
        "create_deal": lambda: adapter.create_deal(
            account, deal_data(world), key=f"create_{fault}", call=CALL
        ),
        "update_deal": lambda: adapter.update_deal(deal, updates, key=f"update_{fault}", call=CALL),
        "write_quote": lambda: write(world, deal, summary, token),
    }
    if adapter.capabilities.updates_accounts:
        acts["update_account"] = lambda: adapter.update_account(
            account, {"segment": "enterprise"}, key=f"account_{fault}", call=CALL
        )
    return acts
