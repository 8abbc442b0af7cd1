"""Whether an org is set up for the mapping: its objects are described, its API versions listed.

What is hidden from the connection's user is absent from a description, which is as good as not
there (crm-semantics 1S). What must be kept is said by `needs`.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from quotey.adapters.composio.docs import Doc, as_doc, as_docs, as_text
from quotey.adapters.composio.needs import (
    Known,
    Need,
    Sort,
    key_needs,
    needs_of,
    own_needs,
    surveyed,
)
from quotey.adapters.composio.ops import Failed
from quotey.adapters.composio.salesforce.org import Org
from quotey.adapters.composio.salesforce.shape import Shape
from quotey.adapters.composio.settings import SalesforceSettings
from quotey.contract.adapter import Call
from quotey.contract.drift import MappedProperty, Survey, Use
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity

STALE_RULE = "QUOTEY_STALE_VERSION"
"""The message of the rule, by which our own refusals are known."""

VERSION = "quote.version"

SORTS = {
    **dict.fromkeys(("string", "textarea", "phone", "url", "email", "id", "reference"), Sort.TEXT),
    **dict.fromkeys(("currency", "double", "int", "long", "percent"), Sort.NUMBER),
    **dict.fromkeys(("picklist", "multipicklist", "combobox"), Sort.CHOICE),
    "date": Sort.DATE,
    "datetime": Sort.MOMENT,
    "boolean": Sort.FLAG,
}


def survey(org: Org, settings: SalesforceSettings, call: Call) -> Survey:
    """Compare the mapping with the org."""
    others = tuple(_version(org, settings, call))
    found: list[MappedProperty] = []
    for shape in org.shapes.values():
        known = _known(org, shape, call)
        rows = tuple(map(_in_its_own_currency, surveyed(needs(org, shape), known)))
        if shape.entity is Entity.DEAL and settings.guard_rules and settings.sends_conditions:
            rows = _with(rows, tuple(_rule(org, shape, call)))
        found += rows
    return Survey(properties=tuple(found), others=others)


def _in_its_own_currency(row: MappedProperty) -> MappedProperty:
    """Tell a quote's total that the org would show in the currency of its record (1S)."""
    if row.use is not Use.QUOTE or row.definition is None or row.definition.type != "currency":
        return row
    shown = Diagnostic(
        code="total_in_another_currency",
        severity=Severity.WARNING,
        message=f"The property {row.name} of {row.object} is a currency field: the org shows its "
        "number in the record's currency, whatever the quote's is.",
        entity=row.entity,
        field=row.field,
        fix="Make it a number, as the shipped metadata does.",
    )
    return replace(row, findings=(*row.findings, shown))


def _with(
    rows: tuple[MappedProperty, ...], of_rule: tuple[Diagnostic, ...]
) -> tuple[MappedProperty, ...]:
    """Say it of the quote's version, which the rule guards: without it no version is safe."""
    return tuple(
        replace(row, findings=(*row.findings, *of_rule)) if row.field == VERSION else row
        for row in rows
    )


def needs(org: Org, shape: Shape) -> Iterator[Need]:
    """Give what is asked of every field of an object, ours last."""
    mapping, entity, sobject = org.mapping, shape.entity, shape.sobject
    for field in mapping.entities[entity].fields:
        yield from needs_of(field, entity, sobject, mapping)
    yield from key_needs(entity, sobject, shape.operations, shape.key)
    if entity is Entity.DEAL:
        yield from own_needs(mapping, entity, sobject)


def _known(org: Org, shape: Shape, call: Call) -> dict[str, Known]:
    """Describe an object. A path through a relation is as good as the relation's own field."""
    fields = org.described(shape.sobject, call)
    known = {as_text(one.get("name")): _field(one) for one in fields}
    relations = {as_text(one.get("relationshipName")) for one in fields} - {""}
    for need in needs(org, shape):
        if "." in need.name and need.name.split(".")[0] in relations:
            known[need.name] = Known(sort=Sort.TEXT, said="relation", writable=False, unique=False)
    return known


def _field(doc: Doc) -> Known:
    said = as_text(doc.get("type"))
    values = [one for one in as_docs(doc.get("picklistValues")) if one.get("active") is True]
    changeable = doc.get("createable") is True and doc.get("updateable") is True
    return Known(
        sort=SORTS.get(said, Sort.OTHER),
        said=said,
        writable=changeable and doc.get("calculated") is not True,
        unique=doc.get("unique") is True and doc.get("externalId") is True,
        options=tuple(as_text(one.get("value")) for one in values),
        closed=doc.get("restrictedPicklist") is True,
    )


def _rule(org: Org, shape: Shape, call: Call) -> Iterator[Diagnostic]:
    """See that the rule is in force by which an older version is refused inside the save (3S)."""
    outcome = org.try_(org.ops.rules(shape.sobject), call)
    if isinstance(outcome, Failed):
        yield Diagnostic(
            code="rule_not_shown",
            severity=Severity.WARNING,
            message=f"The validation rules of {shape.sobject} cannot be read: {outcome.message}.",
            entity=shape.entity,
            fix="See in the org that they are active, or let the user view the setup.",
        )
        return
    rules = as_docs(as_doc(outcome.doc).get("records"))
    active = {as_text(one.get("ErrorMessage")) for one in rules if one.get("Active") is True}
    if STALE_RULE not in active:
        yield Diagnostic(
            code="rule_missing",
            severity=Severity.ERROR,
            message=f"{shape.sobject} has no active validation rule {STALE_RULE}, and the settings "
            "say guard_rules = true.",
            entity=shape.entity,
            field=VERSION,
            fix="Deploy and activate the rule, or take guard_rules out of the settings.",
        )


def _version(org: Org, settings: SalesforceSettings, call: Call) -> Iterator[Diagnostic]:
    """See that the API version which is set is offered; no tool tells, so then it is not asked."""
    if settings.transport == "tools":
        return
    op = org.ops.versions()
    outcome = org.try_(op, call)
    if isinstance(outcome, Failed):
        raise org.failure(outcome, op)
    offered = [f"v{as_text(one.get('version'))}" for one in as_docs(outcome.doc)]
    if settings.api_version in offered:
        return
    latest = offered[-1] if offered else "none"
    yield Diagnostic(
        code="api_version",
        severity=Severity.ERROR,
        message=f"The org does not offer the API version {settings.api_version}.",
        fix=f'Set api_version of the connection; the latest that it offers is "{latest}".',
    )
