"""Capabilities: what an adapter declares of itself is tried out, never believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

from quotey.contract.adapter import Tier
from quotey.contract.dto import MarkerState
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure, Severity
from quotey.contract.fields import Entity
from quotey.testing.conformance.pages import end_of, records
from quotey.testing.conformance.quotes import reading, write
from quotey.testing.conformance.suite import Suite
from quotey.testing.world import (
    CALL,
    World,
    a_deal,
    a_summary,
    an_account,
    deal_data,
    marker_of,
)


class CapabilityConformance(Suite):
    """A capability that cannot be confirmed makes an adapter unfit (reliability 1.0)."""

    def test_every_declared_capability_is_confirmed(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            assert confirm_capabilities(world) == []

    def test_a_stub_says_so_before_it_is_asked(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            assert isinstance(world.adapter.is_stub, bool)
            assert world.adapter.provider == world.mapping.provider


def confirm_capabilities(world: World) -> list[Diagnostic]:
    """Try every declared capability and give a diagnostic for each that does not hold.

    It writes to the world's CRM, so it is for scratch accounts and simulators.
    """
    return [
        Diagnostic(code="capability", severity=Severity.ERROR, field=name, message=message)
        for name, holds, message in _trials(world)
        if not holds()
    ]


Trial = tuple[str, Callable[[], bool], str]


def _trials(world: World) -> Iterator[Trial]:
    declared = world.adapter.capabilities
    yield ("page_size", lambda: _page_size_holds(world), "a page is longer than it was asked to be")
    yield ("lag_seconds", lambda: declared.lag_seconds >= 0, "a lag cannot be negative")
    if declared.tier is Tier.CONDITIONAL_WRITE:
        told = "a write went through although the slot had changed since it was read"
        yield ("tier", lambda: _stale_write_is_refused(world), told)
    if declared.tier <= Tier.UNIQUE_KEY:
        told = "one idempotency key made two deals"
        yield ("tier", lambda: _key_is_unique(world), told)
    if declared.updates_accounts:
        yield ("updates_accounts", lambda: _account_updates(world), "an account was not updated")
    if declared.reports_deletes:
        yield ("reports_deletes", lambda: _delete_is_told(world), "a deletion was not reported")


def _page_size_holds(world: World) -> bool:
    size = world.adapter.capabilities.page_size
    for number in range(3):
        an_account(world, f"Sized {number}")
    asked = [(2, 2), (size + 1, size)]
    read = [
        (world.adapter.sync_incremental(Entity.ACCOUNT, "", limit=limit, call=CALL), most)
        for limit, most in asked
    ]
    return size >= 1 and all(len(page.records) <= most for page, most in read)


def _stale_write_is_refused(world: World) -> bool:
    deal = a_deal(world)
    token = reading(world, deal).token
    theirs = marker_of(a_summary(version=9), instance_id="inst_theirs")
    world.write_marker(deal, theirs)
    try:
        write(world, deal, a_summary(), token or "none")
    except RemoteFailure as failure:
        kept = reading(world, deal)
        untouched = kept.state is MarkerState.OURS and kept.marker == theirs
        return failure.error_class is ErrorClass.CONFLICT and untouched
    return False


def _key_is_unique(world: World) -> bool:
    account = an_account(world)
    cursor = end_of(world.adapter, Entity.DEAL)
    for adapter in (world.adapter, world.reopen()):
        adapter.create_deal(account, deal_data(world), key="capability_key", call=CALL)
    return len(records(world.adapter, Entity.DEAL, cursor)) == 1


def _account_updates(world: World) -> bool:
    ref = an_account(world, "Updated by capability")
    updates = {"segment": "enterprise"}
    written = world.adapter.update_account(ref, updates, key="capability_account", call=CALL)
    return written.values == updates and written.crm_ref == ref


def _delete_is_told(world: World) -> bool:
    ref = a_deal(world, amount=str(Decimal(1)))
    cursor = end_of(world.adapter, Entity.DEAL)
    world.delete(Entity.DEAL, ref)
    told = records(world.adapter, Entity.DEAL, cursor)
    return [one.crm_ref for one in told if one.deleted] == [ref]
