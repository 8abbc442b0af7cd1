"""Whether a portal is set up for the mapping, and making the properties that are ours alone.

Properties, pipelines and the account are asked for; what they must keep is said by `needs`.
Source: crm-semantics 1H "Custom properties", "Stages", "Values".
"""

from __future__ import annotations

from collections.abc import Iterator

from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text
from quotey.adapters.composio.hubspot.portal import Portal
from quotey.adapters.composio.hubspot.shape import PREFIX, Shape
from quotey.adapters.composio.needs import (
    Known,
    Need,
    Sort,
    key_needs,
    needs_of,
    own_needs,
    surveyed,
)
from quotey.adapters.composio.ops import Failed, Kind
from quotey.adapters.composio.settings import HubSpotSettings
from quotey.contract.adapter import Call
from quotey.contract.drift import MappedProperty, Survey
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity, FieldType

STAGE = "dealstage"
"""Its words are the stages' ids, and stand in the pipelines."""

SORTS = {
    "string": Sort.TEXT,
    "phone_number": Sort.TEXT,
    "number": Sort.NUMBER,
    "date": Sort.DATE,
    "datetime": Sort.MOMENT,
    "enumeration": Sort.CHOICE,
    "bool": Sort.FLAG,
}
GROUPS = {"deals": "dealinformation", "companies": "companyinformation"}
"""The groups of properties that every portal has; a new property stands in one of them."""

MADE = {
    FieldType.MONEY: ("number", "number"),
    FieldType.INTEGER: ("number", "number"),
    FieldType.DATE: ("date", "date"),
}
"""Type and field type of a property that we make; a text in one line where nothing is said."""


def survey(portal: Portal, settings: HubSpotSettings, call: Call) -> Survey:
    """Compare the mapping with the portal."""
    found: list[MappedProperty] = []
    others: list[Diagnostic] = []
    for shape in portal.shapes.values():
        known = _known(portal, shape, call)
        found += surveyed(needs(portal, shape), known)
        if shape.entity is Entity.DEAL:
            has_currency = _currency_property(portal) in known
            others += _account(portal, settings, call, has_currency=has_currency)
    return Survey(properties=tuple(found), others=tuple(others))


def create_missing(portal: Portal, call: Call) -> tuple[str, ...]:
    """Make the properties that are ours and not there; gives their names. May be called twice.

    A property that somebody made in the meantime is left as it is.
    """
    made: list[str] = []
    for shape in portal.shapes.values():
        known = _known(portal, shape, call)
        for need in needs(portal, shape):
            if need.ours and need.name not in known and shape.kind in GROUPS:
                op = portal.ops.define(shape.kind, _definition(need))
                outcome = portal.try_(op, call)
                if isinstance(outcome, Failed) and outcome.kind is not Kind.CONFLICT:
                    raise portal.failure(outcome, op)
                made.append(f"{shape.kind}.{need.name}")
    return tuple(made)


def _definition(need: Need) -> dict[str, object]:
    """Describe a property that is to be made; uniqueness can be given only now (1H)."""
    type_, field_type = MADE.get(need.type, ("string", "text"))
    words = need.name.removeprefix("quotey_").replace("_", " ")
    unique = {"hasUniqueValue": True} if need.unique else {}
    return {
        "name": need.name,
        "label": f"Quotey {words}",
        "type": type_,
        "fieldType": field_type,
        "groupName": GROUPS[need.kind],
        **unique,
    }


def needs(portal: Portal, shape: Shape) -> Iterator[Need]:
    """Give what is asked of every property of a type, ours last."""
    mapping, entity, kind = portal.mapping, shape.entity, shape.kind
    for field in mapping.entities[entity].fields:
        yield from needs_of(field, entity, kind, mapping, PREFIX)
    yield from key_needs(entity, kind, shape.operation, shape.key)
    if entity is Entity.DEAL:
        yield from own_needs(mapping, entity, kind, PREFIX)


# --- what is there --------------------------------------------------------------------------------


def _known(portal: Portal, shape: Shape, call: Call) -> dict[str, Known]:
    """Ask how a type's properties are defined; an archived one is as good as none."""
    doc = as_doc(portal.ask(portal.ops.properties(shape.kind), call).doc)
    known = {
        as_text(one.get("name")): _property(one)
        for one in as_docs(doc.get("results"))
        if one.get("archived") is not True
    }
    if shape.entity is Entity.DEAL and STAGE in known:
        known[STAGE] = Known(
            sort=Sort.CHOICE,
            said="enumeration",
            writable=True,
            unique=False,
            options=_stages(portal, shape.kind, call),
            closed=True,
        )
    return known


def _property(doc: Doc) -> Known:
    read_only = as_doc(doc.get("modificationMetadata")).get("readOnlyValue") is True
    said = as_text(doc.get("type"))
    return Known(
        sort=SORTS.get(said, Sort.OTHER),
        said=said,
        writable=not read_only and doc.get("calculated") is not True,
        unique=doc.get("hasUniqueValue") is True,
        options=tuple(as_text(one.get("value")) for one in as_docs(doc.get("options"))),
        closed=said == "enumeration",
    )


def _stages(portal: Portal, kind: str, call: Call) -> tuple[str, ...]:
    doc = as_doc(portal.ask(portal.ops.pipelines(kind), call).doc)
    stages = (stage for one in as_docs(doc.get("results")) for stage in as_docs(one.get("stages")))
    return tuple(as_text(stage.get("id")) for stage in stages if stage.get("archived") is not True)


# --- the account ----------------------------------------------------------------------------------


def _account(
    portal: Portal, settings: HubSpotSettings, call: Call, *, has_currency: bool
) -> Iterator[Diagnostic]:
    """Compare currency and time zone with what is set."""
    doc = as_doc(portal.ask(portal.ops.portal(), call).doc)
    home, ours = as_text(doc.get("companyCurrency")), portal.mapping.default_currency
    if home and ours != home and (ours or not has_currency):
        severity = Severity.WARNING if has_currency else Severity.ERROR
        yield Diagnostic(
            code="currency",
            severity=severity,
            message=f"The portal's own currency is {home}, the default here is {ours or 'not set'}."
            " Deals that name no currency are in the portal's.",
            entity=Entity.DEAL,
            field="currency",
            fix=f'Set default_currency = "{home}" of the connection.',
        )
    zone = as_text(doc.get("timeZone"))
    if zone and zone != settings.time_zone:
        yield Diagnostic(
            code="time_zone",
            severity=Severity.WARNING,
            message=f"The portal's time zone is {zone}, the one set here is {settings.time_zone}."
            " The daily quota ends by the portal's.",
            fix=f'Set time_zone = "{zone}" of the connection.',
        )


def _currency_property(portal: Portal) -> str:
    field = portal.mapping.entities[Entity.DEAL].field("currency")
    return field.path.removeprefix(PREFIX) if field else ""
