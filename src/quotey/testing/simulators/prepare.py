"""What an administrator sets up before a CRM can be used through a mapping.

Properties and custom fields that the mapping names and the vendor does not ship, stages that the
records are in. Which names these are is said by the mapping alone, so that one's own works too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from quotey.contract.fields import Entity, FieldType
from quotey.contract.mapping import EntityMapping, Mapping
from quotey.contract.paths import known_paths
from quotey.testing.simulators.hubspot import HubSpotCore, Pipeline, Property
from quotey.testing.simulators.hubspot import Stage as PipelineStage
from quotey.testing.simulators.hubspot.schema import object_type
from quotey.testing.simulators.salesforce import Field, SalesforceCore
from quotey.testing.simulators.salesforce.schema import known_field

_INSIDE = "properties."
# What the adapter puts into a payload by itself is no property.
_NOT_PROPERTIES = ("id", "associations.")
_UNIQUE_SETTINGS = ("create_key",)
_NUMBERS = (FieldType.INTEGER, FieldType.MONEY)
_KEY_LENGTH = 255


class Wanted(Struct, frozen=True):
    """A property that a mapping needs, by the name that follows `properties.` where that is."""

    record_type: str
    name: str
    type: FieldType
    unique: bool


def wanted(mapping: Mapping) -> Iterator[Wanted]:
    """Give every property that a mapping reads or writes, and those that its settings name."""
    for entity, one in mapping.entities.items():
        types = {field.path: field.type for field in one.fields}
        keys = {one.settings[name] for name in _UNIQUE_SETTINGS if name in one.settings}
        quote_id = one.field("id") if entity is Entity.QUOTE else None
        keys |= {quote_id.path} if quote_id else set()
        for path in dict.fromkeys((*known_paths(one), *_named_in_settings(one))):
            yield Wanted(
                one.object,
                path.removeprefix(_INSIDE),
                types.get(path, FieldType.TEXT),
                path in keys,
            )


def _named_in_settings(one: EntityMapping) -> Iterator[str]:
    """Settings are words of the provider; those that are names of properties look like them."""
    words = one.settings.values()
    yield from (word for word in words if word.startswith(_INSIDE) or word.endswith("__c"))


def prepare_portal(core: HubSpotCore, mapping: Mapping, stages: Iterable[str] = ()) -> list[str]:
    """Make the properties and the stages that are not there; gives the properties' names."""
    made: list[str] = []
    for one in wanted(mapping):
        kind = object_type(one.record_type)
        if kind is None or one.name.startswith(_NOT_PROPERTIES):
            continue
        if one.name in core.portal.properties[kind.plural]:
            continue
        type_ = "number" if one.type in _NUMBERS else "string"
        type_ = "date" if one.type is FieldType.DATE else type_
        core.define(
            kind.plural, Property(one.name, type_, unique=one.unique, hubspot_defined=False)
        )
        made.append(f"{kind.plural}.{one.name}")
    _add_stages(core, stages)
    return made


def _add_stages(core: HubSpotCore, stages: Iterable[str]) -> None:
    pipeline = core.portal.pipelines["deals"][0]
    new = [word for word in dict.fromkeys(stages) if pipeline.stage(word) is None]
    more = tuple(PipelineStage(word, word.replace("_", " ").capitalize(), "0.5") for word in new)
    core.portal.pipelines["deals"][0] = Pipeline(
        pipeline.pipeline_id, pipeline.label, (*pipeline.stages, *more)
    )


def prepare_org(core: SalesforceCore, mapping: Mapping, stages: Iterable[str] = ()) -> list[str]:
    """Make the custom fields and the stages that are not there; gives the fields' names."""
    made: list[str] = []
    for one in wanted(mapping):
        fields = core.org.objects.get(one.record_type)
        if fields is None or "." in one.name or known_field(fields, one.name) is not None:
            continue
        if one.name == "CurrencyIsoCode":  # 1S: exists only with several currencies
            continue
        core.define(one.record_type, _field(one))
        made.append(f"{one.record_type}.{one.name}")
    stage = core.org.objects["Opportunity"]["StageName"]
    options = tuple(dict.fromkeys((*stage.options, *stages)))
    core.define("Opportunity", replace(stage, options=options))
    return made


def _field(one: Wanted) -> Field:
    if one.type in _NUMBERS:
        return Field(one.name, "double", scale=0 if one.type is FieldType.INTEGER else 6)
    if one.type is FieldType.DATE:
        return Field(one.name, "date")
    return Field(
        one.name,
        "string",
        length=_KEY_LENGTH,
        external_id=one.unique,
        unique=one.unique,
        case_sensitive=one.unique,
    )
