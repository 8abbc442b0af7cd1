"""Quotes: summary and marker land together, once, and never over what was not looked at."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from quotey.contract.adapter import CrmAdapter, Tier
from quotey.contract.dto import CrmQuoteWriteDto, MarkerReading, MarkerState, RemoteWrite
from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.fields import Entity
from quotey.testing.conformance.suite import Suite, not_offered
from quotey.testing.world import CALL, World, a_deal, a_summary, marker_of, refusal

UNCONDITIONAL = "this CRM has no conditional write"


class QuoteConformance(Suite):
    """What `write_quote` and `get_quote_marker` promise (seed 5.4, reliability 1.0)."""

    def test_a_deal_without_a_quote_has_no_marker(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            assert reading(world, a_deal(world)).state is MarkerState.NONE

    def test_the_marker_is_read_back_as_it_was_written(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal, summary = a_deal(world), a_summary()
            write(world, deal, summary)
            found = reading(world, deal, adapter=world.reopen())
            assert found.state is MarkerState.OURS
            assert found.marker == marker_of(summary)

    def test_the_summary_is_read_back_in_canonical_text(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            written = write(world, deal, a_summary(version=3, total="1500.50"))
            assert written.crm_ref == deal
            expected = {"id": "q_conformance", "version": "3", "status": "sent"}
            expected |= {"total": "1500.5", "currency": "EUR"}
            assert {name: written.values.get(name) for name in expected} == expected

    def test_the_same_marker_twice_has_one_effect(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal, summary = a_deal(world), a_summary()
            token = reading(world, deal).token
            before = effects(world, deal, summary.id)
            first = write(world, deal, summary, token)
            again = write(world, deal, summary, token)
            assert first.values == again.values
            assert effects(world, deal, summary.id) == before + 1

    def test_a_newer_version_replaces_an_older_one(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            write(world, deal, a_summary(version=1))
            write(world, deal, a_summary(version=2, total="9"))
            found = reading(world, deal)
            assert found.marker is not None
            assert found.marker.version == 2  # noqa: PLR2004

    def test_a_date_that_a_later_version_does_not_have_is_cleared(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            dated = msgspec.structs.replace(a_summary(), valid_until=date(2026, 3, 31))
            assert write(world, deal, dated).values["valid_until"] == "2026-03-31"
            later = write(world, deal, a_summary(version=2))
            assert later.values.get("valid_until") is None

    def test_a_quote_leaves_the_deals_own_fields_alone(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            before = world.adapter.get_deal(deal, call=CALL)
            write(world, deal, a_summary())
            after = world.adapter.get_deal(deal, call=CALL)
            assert before is not None
            assert after is not None
            assert (after.name, after.stage, after.amount) == (
                *(before.name, before.stage, before.amount),
            )

    def test_another_desks_marker_is_told_apart(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            foreign = marker_of(a_summary(version=7), instance_id="inst_theirs")
            world.write_marker(deal, foreign)
            found = reading(world, deal)
            assert found.state is MarkerState.OURS
            assert found.marker == foreign

    def test_what_is_no_marker_is_foreign_and_shown(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            world.scribble(deal)
            found = reading(world, deal)
            assert found.state is MarkerState.FOREIGN
            assert found.marker is None
            assert found.raw

    def test_the_token_changes_with_every_change_of_the_slot(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            if world.adapter.capabilities.tier is not Tier.CONDITIONAL_WRITE:
                not_offered(UNCONDITIONAL)
            deal = a_deal(world)
            tokens = [reading(world, deal).token]
            write(world, deal, a_summary(version=1))
            tokens.append(reading(world, deal).token)
            world.write_marker(deal, marker_of(a_summary(version=7), instance_id="inst_theirs"))
            tokens.append(reading(world, deal).token)
            assert None not in tokens
            assert len(set(tokens)) == len(tokens)

    def test_a_slot_that_moved_on_is_not_written(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            if world.adapter.capabilities.tier is not Tier.CONDITIONAL_WRITE:
                not_offered(UNCONDITIONAL)
            deal = a_deal(world)
            token = reading(world, deal).token
            theirs = marker_of(a_summary(version=7), instance_id="inst_theirs")
            world.write_marker(deal, theirs)
            failure = refusal(lambda: write(world, deal, a_summary(version=1), token))
            assert failure.error_class is ErrorClass.CONFLICT
            assert failure.outcome is Outcome.NOT_APPLIED
            assert reading(world, deal).marker == theirs

    def test_a_token_that_was_used_is_refused_the_second_time(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            if world.adapter.capabilities.tier is not Tier.CONDITIONAL_WRITE:
                not_offered(UNCONDITIONAL)
            deal = a_deal(world)
            token = reading(world, deal).token
            write(world, deal, a_summary(version=1), token)
            failure = refusal(lambda: write(world, deal, a_summary(version=2, total="9"), token))
            assert failure.error_class is ErrorClass.CONFLICT
            assert failure.outcome is Outcome.NOT_APPLIED
            assert reading(world, deal).marker == marker_of(a_summary(version=1))

    def test_a_quote_that_breaks_the_contract_is_not_written(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            wrong = msgspec.structs.replace(a_summary(), currency="")
            failure = refusal(lambda: write(world, deal, wrong))
            assert failure.error_class is ErrorClass.MAPPING
            assert failure.outcome is Outcome.NOT_APPLIED
            assert reading(world, deal).state is MarkerState.NONE

    def test_a_deleted_deal_takes_no_quote(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            token = reading(world, deal).token
            world.delete(Entity.DEAL, deal)
            failure = refusal(lambda: write(world, deal, a_summary(), token))
            assert failure.outcome is Outcome.NOT_APPLIED
            assert failure.error_class is ErrorClass.PERMANENT


def reading(
    world: World,
    deal: str,
    quote_id: str = "q_conformance",
    adapter: CrmAdapter | None = None,
) -> MarkerReading:
    """Read the marker of a deal's slot."""
    return (adapter or world.adapter).get_quote_marker(deal, quote_id, call=CALL)


def write(
    world: World, deal: str, summary: CrmQuoteWriteDto, token: str | None = None
) -> RemoteWrite:
    """Write a quote; without a token, the slot is looked at just before."""
    return world.adapter.write_quote(
        deal,
        summary,
        None,
        marker=marker_of(summary),
        token=token or reading(world, deal, summary.id).token,
        call=CALL,
    )


def effects(world: World, deal: str, quote_id: str) -> int:
    """Count the changes of a slot, wherever it is: on the deal, or as a record of its own."""
    own = world.effects(Entity.QUOTE, f"{deal}/{quote_id}")
    return world.effects(Entity.DEAL, deal) + own
