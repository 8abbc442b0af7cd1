"""Surveys: every mapped field is looked up, a CRM that fits has no findings, nothing changes."""

from __future__ import annotations

from pathlib import Path

from quotey.contract.adapter import Counting, Surveying
from quotey.contract.drift import schema_fingerprint
from quotey.contract.fields import MIRRORED, Entity, FieldType
from quotey.testing.conformance.pages import end_of, records
from quotey.testing.conformance.suite import Suite, not_offered
from quotey.testing.world import CALL, World, a_deal


def surveying(world: World) -> Surveying:
    """Give the adapter as one that can be surveyed; skip the test when it cannot."""
    if not isinstance(world.adapter, Surveying):
        not_offered("this adapter cannot say how its CRM defines what is mapped")
    return world.adapter


class SurveyConformance(Suite):
    """What `survey` promises, where an adapter has it (ADR 8)."""

    def test_a_survey_looks_up_every_mapped_field(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            found = surveying(world).survey(call=CALL)
            known = {(one.entity, one.field) for one in found.properties}
            for entity in MIRRORED:
                fields = world.mapping.entities[entity].fields
                # A relation may be kept elsewhere than in a property.
                names = {field.name for field in fields if field.type is not FieldType.REF}
                assert {(entity, name) for name in names} <= known
            assert all(one.definition or one.findings for one in found.properties)

    def test_where_everything_fits_a_survey_parks_nothing(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            a_deal(world)
            found = surveying(world).survey(call=CALL)
            assert [one.name for one in found.properties if one.findings] == []

    def test_a_survey_changes_nothing_and_says_the_same_again(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal, adapter = a_deal(world), surveying(world)
            cursor, effects = end_of(world.adapter, Entity.DEAL), world.effects(Entity.DEAL, deal)
            told = [adapter.survey(call=CALL) for _ in range(2)]
            assert len({schema_fingerprint(one.properties) for one in told}) == 1
            assert world.effects(Entity.DEAL, deal) == effects
            assert records(world.adapter, Entity.DEAL, cursor) == []

    def test_a_survey_takes_no_more_requests_than_it_says(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            adapter = surveying(world)
            if not isinstance(world.adapter, Counting):
                not_offered("this adapter does not count its requests")
            world.adapter.get_deal(a_deal(world), call=CALL)
            before = world.adapter.calls_sent
            adapter.survey(call=CALL)
            assert world.adapter.calls_sent - before <= adapter.survey_calls
