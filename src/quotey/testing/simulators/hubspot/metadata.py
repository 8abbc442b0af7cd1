"""Definitions: properties, pipelines, owners, the account.

Source: crm-semantics.md 1H "Custom properties", "Stages", "Values" (time zone).
"""

import re

from msgspec import Struct

from quotey.testing.simulators.exchange import Doc, Request, Response, answer
from quotey.testing.simulators.hubspot.body import inputs_of, json_object, shaped
from quotey.testing.simulators.hubspot.errors import HubSpotError, invalid
from quotey.testing.simulators.hubspot.schema import TYPES, Pipeline, Property, Stage
from quotey.testing.simulators.hubspot.store import Portal
from quotey.testing.simulators.hubspot.values import stamp

PROPERTY_TYPES = frozenset(
    {"bool", "date", "datetime", "enumeration", "number", "phone_number", "string"}
)
MAX_UNIQUE = 10
_NEEDED = ("name", "label", "type", "fieldType", "groupName")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


def property_doc(definition: Property) -> Doc:
    """A definition as the wire shows it."""
    created = stamp(definition.created_at)
    return {
        "name": definition.name,
        "label": definition.label,
        "type": definition.type,
        "fieldType": definition.field_type,
        "groupName": definition.group,
        "options": [
            {"value": value, "label": label, "displayOrder": place, "hidden": False}
            for place, (value, label) in enumerate(definition.options)
        ],
        "hasUniqueValue": definition.unique,
        "calculated": definition.calculated,
        "hidden": False,
        "hubspotDefined": definition.hubspot_defined,
        "archived": definition.archived,
        "externalOptions": False,
        "modificationMetadata": {
            "archivable": not definition.hubspot_defined,
            "readOnlyDefinition": definition.hubspot_defined,
            "readOnlyOptions": definition.hubspot_defined,
            "readOnlyValue": not definition.writable,
        },
        "createdAt": created,
        "updatedAt": created,
    }


def properties(portal: Portal, request: Request, kind: str, rest: tuple[str, ...]) -> Response:
    """Serve the properties API of one type."""
    match request.method, rest:
        case "GET", ():
            shown = [p for p in portal.properties[kind].values() if not p.archived]
            return answer(200, {"results": [property_doc(p) for p in shown]})
        case "POST", ():
            return answer(201, property_doc(add_property(portal, kind, json_object(request))))
        case "POST", ("batch", "create"):
            inputs = inputs_of(json_object(request), 100)
            made = [property_doc(add_property(portal, kind, item)) for item in inputs]
            return answer(201, {"status": "COMPLETE", "results": made})
        case "POST", ("batch", "read"):
            names = [str(item.get("name", "")) for item in inputs_of(json_object(request), 100)]
            found = [property_doc(_known(portal, kind, name)) for name in names]
            return answer(200, {"status": "COMPLETE", "results": found})
        case "GET", (name,):
            return answer(200, property_doc(_known(portal, kind, name)))
        case "DELETE", (name,):
            _remove(portal, kind, name)
            return answer(204)
        case _:
            raise HubSpotError(405, {"message": "Method Not Allowed"})


class Option(Struct, frozen=True):
    """One value of an enumeration to make."""

    value: str
    label: str


def add_property(portal: Portal, kind: str, doc: Doc) -> Property:
    """Create a custom property; `hasUniqueValue` only here, at most ten per object (1H).

    Raises:
        HubSpotError: 400 for what is malformed, 409 for a name that is taken.
    """
    missing = [name for name in _NEEDED if not doc.get(name)]
    if missing:
        raise invalid(f"Some required fields were not set: [{', '.join(missing)}]")
    name, unique = str(doc["name"]), bool(doc.get("hasUniqueValue"))
    if not _NAME.fullmatch(name) or str(doc["type"]) not in PROPERTY_TYPES:
        raise invalid(f"Property {name} of type {doc['type']} is not valid")
    if name in portal.properties[kind]:
        message = f"A property named '{name}' already exists."
        raise HubSpotError(409, {"message": message, "category": "OBJECT_ALREADY_EXISTS"})
    if unique and sum(1 for n in portal.unique_names(kind) if n != "email") >= MAX_UNIQUE:
        raise invalid(f"At most {MAX_UNIQUE} properties of an object can have unique values")
    options = shaped(doc.get("options") or [], list[Option])
    made = Property(
        name,
        str(doc["type"]),
        label=str(doc["label"]),
        field_type=str(doc["fieldType"]),
        group=str(doc["groupName"]),
        options=tuple((o.value, o.label) for o in options),
        unique=unique and (kind != "quotes" or portal.settings.unique_on_quotes),
        hubspot_defined=False,
        created_at=portal.clock.now(),
    )
    portal.properties[kind][name] = made
    return made


def _known(portal: Portal, kind: str, name: str) -> Property:
    definition = portal.properties[kind].get(name)
    if definition is None or definition.archived:
        number = TYPES[kind].number
        message = f"Property {name} does not exist on object type {number}"
        raise HubSpotError(404, {"message": message, "category": "OBJECT_NOT_FOUND"})
    return definition


def _remove(portal: Portal, kind: str, name: str) -> None:
    if _known(portal, kind, name).hubspot_defined:
        raise invalid(f"Property {name} cannot be deleted")
    del portal.properties[kind][name]


def _stage_doc(stage: Stage, place: int) -> Doc:
    # 1H: metadata values are text.
    metadata = {"isClosed": str(stage.is_closed).lower(), "probability": stage.probability}
    return {
        "id": stage.stage_id,
        "label": stage.label,
        "displayOrder": place,
        "archived": False,
        "metadata": metadata,
    }


def _pipeline_doc(pipeline: Pipeline, place: int) -> Doc:
    return {
        "id": pipeline.pipeline_id,
        "label": pipeline.label,
        "displayOrder": place,
        "archived": False,
        "stages": [_stage_doc(stage, n) for n, stage in enumerate(pipeline.stages)],
    }


def pipelines(portal: Portal, kind: str, rest: tuple[str, ...]) -> Response:
    """GET pipelines, one pipeline, or its stages."""
    docs = [_pipeline_doc(p, n) for n, p in enumerate(portal.pipelines.get(kind, []))]
    if not rest:
        return answer(200, {"results": docs})
    found = next((doc for doc in docs if doc["id"] == rest[0]), None)
    if found is None:
        raise HubSpotError(404, {"message": "resource not found"})
    return answer(200, {"results": found["stages"]} if rest[1:] == ("stages",) else found)


def account(portal: Portal) -> Response:
    """GET the account's zone and currencies."""
    minutes = int(portal.settings.utc_offset.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return answer(
        200,
        {
            "portalId": portal.settings.portal_id,
            "accountType": "STANDARD",
            "timeZone": portal.settings.time_zone,
            "companyCurrency": portal.settings.company_currency,
            "additionalCurrencies": list(portal.settings.additional_currencies),
            "utcOffset": f"{sign}{hours:02d}:{rest:02d}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        },
    )


def owners() -> Response:
    """GET the users whom records may belong to."""
    owner = {
        "id": "77",
        "email": "owner@example.com",
        "firstName": "Olive",
        "lastName": "Owner",
        "userId": 123,
        "archived": False,
    }
    return answer(200, {"results": [owner]})
