"""Fills a simulator from payloads or from a data set, and tells which id each row got.

Files are read by the caller; a data set comes in parsed.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from quotey.contract.dataset import DataSet, FileSpec, Row
from quotey.contract.fields import Entity
from quotey.contract.rows import value_at
from quotey.testing.simulators.hubspot import HubSpotCore, Property
from quotey.testing.simulators.hubspot.values import to_text
from quotey.testing.simulators.salesforce import Field, SalesforceCore
from quotey.testing.simulators.salesforce.errors import SalesforceError
from quotey.testing.simulators.salesforce.schema import known_field

Payload = Mapping[str, object]


class Shape(Struct, frozen=True):
    """How the rows of an entity become records of a vendor's object.

    `columns` renames column to property; with none, every column keeps its name. `translate` maps
    the values of a property, for example a data set's stage words to stage ids.
    """

    record_type: str
    columns: Mapping[str, str] = {}
    translate: Mapping[str, Mapping[str, str]] = {}


class Loaded(Struct):
    """What was loaded: per entity the new id of each key; and what was refused, with why."""

    ids: dict[Entity, dict[str, str]]
    refused: list[str]


# crm-semantics.md 1H: which link makes a company "the account" of a record.
_PRIMARY = {"contacts": 1, "deals": 5}
_NO_COLUMNS = frozenset({"attributes"})


def load_hubspot(core: HubSpotCore, payloads: Mapping[str, Sequence[Payload]]) -> int:
    """Load plain records by object type; unknown properties become custom text ones."""
    loaded = 0
    for kind, records in payloads.items():
        for record in records:
            _into_portal(core, kind, record)
            loaded += 1
    core.effects.clear()
    return loaded


def load_salesforce(core: SalesforceCore, payloads: Mapping[str, Sequence[Payload]]) -> list[str]:
    """Load plain records by object; gives a sentence for each that the org's rules refuse."""
    refused: list[str] = []
    for sobject, records in payloads.items():
        for place, record in enumerate(records, start=1):
            _into_org(core, sobject, record, f"{sobject} {place}", refused)
    core.effects.clear()
    return refused


def hubspot_from(core: HubSpotCore, data: DataSet, shapes: Mapping[Entity, Shape]) -> Loaded:
    """Load a data set into a portal; rows are linked to their accounts by a primary link."""
    loaded = Loaded({}, [])
    for entity, shape in shapes.items():
        ids = loaded.ids.setdefault(entity, {})
        for row in data.entities[entity].rows:
            record_id = _into_portal(core, shape.record_type, _shaped(row, shape))
            ids[row.crm_ref] = str(record_id)
            for parent in _parents(data.spec.files[entity], row, loaded):
                _link(core, shape.record_type, record_id, int(parent))
    core.effects.clear()
    return loaded


def salesforce_from(core: SalesforceCore, data: DataSet, shapes: Mapping[Entity, Shape]) -> Loaded:
    """Load a data set into an org; references become ids of the rows loaded before."""
    loaded = Loaded({}, [])
    for entity, shape in shapes.items():
        ids = loaded.ids.setdefault(entity, {})
        for row in data.entities[entity].rows:
            values = {**_shaped(row, shape), **_references(data.spec.files[entity], row, loaded)}
            name = f"{entity} {row.crm_ref}"
            row_id = _into_org(core, shape.record_type, values, name, loaded.refused)
            if row_id is not None:
                ids[row.crm_ref] = row_id
    core.effects.clear()
    return loaded


def _into_portal(core: HubSpotCore, kind: str, record: Payload) -> int:
    known = core.portal.properties[kind]
    for name in record.keys() - known.keys():
        core.define(kind, Property(name, "string", label=name, hubspot_defined=False))
    values = {name: to_text(value) for name, value in record.items()}
    return core.create(kind, values, visible=True).record_id


def _into_org(
    core: SalesforceCore, sobject: str, record: Payload, name: str, refused: list[str]
) -> str | None:
    for unknown in record.keys() - _NO_COLUMNS:
        if known_field(core.org.objects[sobject], unknown) is None:
            core.define(sobject, _field_for(unknown, record[unknown]))
    try:
        return core.create(sobject, record).row_id
    except SalesforceError as error:
        refused.append(f"{name}: {error}")
        return None


def _field_for(name: str, value: object) -> Field:
    if isinstance(value, bool):
        return Field(name, "boolean", default=False)
    if isinstance(value, int | Decimal):
        return Field(name, "double", scale=6)
    return Field(name, "textarea", length=32_000)


def _shaped(row: Row, shape: Shape) -> dict[str, object]:
    columns = shape.columns or {name: name for name in row.values if name not in _NO_COLUMNS}
    shaped = {}
    for column, name in columns.items():
        value = value_at(row.values, column)
        words = shape.translate.get(name, {})
        shaped[name] = words.get(str(value), value) if words else value
    return {name: value for name, value in shaped.items() if value not in {None, ""}}


def _parents(file: FileSpec, row: Row, loaded: Loaded) -> list[str]:
    wanted = [r for r in file.references if r.entity is Entity.ACCOUNT]
    keys = [str(value_at(row.values, r.path)) for r in wanted]
    accounts = loaded.ids.get(Entity.ACCOUNT, {})
    return [accounts[key] for key in keys if key in accounts]


def _references(file: FileSpec, row: Row, loaded: Loaded) -> dict[str, object]:
    # A parent that was refused or never came is left out, as a real load would leave it.
    found: dict[str, object] = {}
    for reference in file.references:
        key = str(value_at(row.values, reference.path))
        field = reference.path if reference.path.endswith("Id") else "AccountId"
        found[field] = loaded.ids.get(reference.entity, {}).get(key)
    return found


def _link(core: HubSpotCore, kind: str, record_id: int, company_id: int) -> None:
    company = core.portal.find("companies", company_id)
    record = core.portal.find(kind, record_id)
    if company is not None and record is not None and kind in _PRIMARY:
        core.link(record, company, _PRIMARY[kind])
