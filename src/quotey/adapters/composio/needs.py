"""What a mapping asks of a CRM's properties, and how the properties that are there keep it.

The vendor's folders say which properties there are (`Known`); what follows from them is said once,
here. A property that is not there reads like one without a value, and one that should be unique
and is not lets two deals have one key, so both are looked for before they do harm
(crm-semantics 1H, 1S).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from enum import StrEnum

import msgspec

from quotey.adapters.composio.slot import slot_of, slot_paths
from quotey.contract.drift import Definition, MappedProperty, Use
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Direction, Entity, FieldType
from quotey.contract.fields import Need as FieldNeed
from quotey.contract.mapping import Bucket, FieldMapping, Join, Mapping, Transform, ValueMap
from quotey.contract.quote import QuoteStatus

SHOWN = 5
"""So many words of a list are named; the rest is counted."""


class Sort(StrEnum):
    """What kind of value a property holds, whatever the vendor calls it."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    MOMENT = "moment"
    CHOICE = "choice"
    FLAG = "flag"
    OTHER = "other"


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of one property of `kind`, and for which contract field.

    `field` is "" for what we use for ourselves (`ours`: `crm connect` may create it). `type` is
    that of the contract field. `may_lack` says that records without the property are read too.
    `use` is what it is to us.
    """

    name: str
    kind: str
    entity: Entity
    field: str = ""
    type: FieldType = FieldType.TEXT
    transform: Transform | None = None
    read: bool = True
    written: bool = False
    unique: bool = False
    ours: bool = False
    may_lack: bool = False
    required: bool = False
    on_create: bool = False
    use: Use = Use.FIELD


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A property as the CRM defines it. `options` are its words; `closed` that it takes no other.

    `said` is the type in the vendor's own word.
    """

    sort: Sort
    said: str
    writable: bool
    unique: bool
    options: tuple[str, ...] = ()
    closed: bool = False


def needs_of(
    field: FieldMapping, entity: Entity, kind: str, mapping: Mapping, prefix: str = ""
) -> Iterator[Need]:
    """Say what a mapped field asks of the properties that it is made of.

    Only paths that begin with `prefix` are properties. One currency only needs no property.
    """
    joined = field.transform.paths if isinstance(field.transform, Join) else ()
    lacks = field.type is FieldType.CURRENCY and mapping.default_currency is not None
    for path in dict.fromkeys((field.path, *joined)):
        if not path.startswith(prefix):
            continue
        written = path == field.path and (field.flows_out or field.sent_on_create)
        yield Need(
            name=path.removeprefix(prefix),
            kind=kind,
            entity=entity,
            field=field.name,
            type=field.type,
            transform=field.transform,
            read=field.direction is not Direction.OUTBOUND,
            written=written,
            required=field.need is FieldNeed.REQUIRED,
            on_create=not field.flows_out,
            may_lack=lacks and not field.flows_out,
        )


def own_needs(mapping: Mapping, entity: Entity, kind: str, prefix: str = "") -> Iterator[Need]:
    """Say what a quote's slot asks of the deal's properties; all of them are ours."""
    slot = slot_of(mapping)
    fields: dict[str, FieldMapping] = {
        one.path: one for one in mapping.entities[Entity.QUOTE].fields
    }
    for path in slot_paths(mapping, slot):
        field = fields.get(path)
        yield Need(
            name=path.removeprefix(prefix),
            kind=kind,
            entity=entity,
            field=f"quote.{field.name}" if field else "",
            type=field.type if field else FieldType.TEXT,
            transform=field.transform if field else None,
            read=False,
            written=True,
            unique=path == slot.quote_id,
            ours=True,
            use=Use.QUOTE,
        )


def key_needs(entity: Entity, kind: str, operation: str, key: str) -> Iterator[Need]:
    """Say what our marks of updates and our key of creates ask, where there are such."""
    marks = ((operation, Use.UPDATE_MARK), (key, Use.CREATE_KEY))
    for name, use in ((name, use) for name, use in marks if name):
        yield Need(
            name=name,
            kind=kind,
            entity=entity,
            read=False,
            written=True,
            unique=use is Use.CREATE_KEY,
            ours=True,
            use=use,
        )


def surveyed(needs: Iterable[Need], known: MappingOf[str, Known]) -> tuple[MappedProperty, ...]:
    """Put together what is asked of the properties with how they are defined."""
    return tuple(_surveyed(need, known.get(need.name)) for need in needs)


def _surveyed(need: Need, known: Known | None) -> MappedProperty:
    return MappedProperty(
        entity=need.entity,
        object=need.kind,
        name=need.name,
        field=need.field or need.name,
        use=need.use,
        read=need.read,
        written=need.written,
        unique=need.unique,
        required=need.required,
        on_create=need.on_create,
        definition=None if known is None else _definition(known),
        findings=tuple(judged(need, known)),
        lacking=tuple(_lacking(need, known)) if known is not None else (),
    )


def _definition(known: Known) -> Definition:
    return Definition(
        type=known.said,
        writable=known.writable,
        unique=known.unique,
        options=tuple(sorted(known.options)),
        closed=known.closed,
    )


def judged(need: Need, known: Known | None) -> Iterator[Diagnostic]:
    """Give what is wrong with a property, each with what to do."""
    if known is None:
        if not need.may_lack:
            yield told(need, "property_missing", "is not there", _instead(need))
        return
    if need.written and not known.writable:
        fix = "Map the field to one that can be written, or only inbound."
        yield told(need, "property_read_only", "cannot be written", fix)
    if need.unique and not known.unique:
        fix = "That cannot be changed later: create another one with unique values, and map it."
        yield told(need, "property_not_unique", "does not have unique values", fix)
    fitting = _fitting(need)
    if known.sort not in fitting:
        why = f"has the type {known.said}, which does not hold a {need.type}"
        fix = f"Map the field to one of type {' or '.join(fitting)}, or say how it is turned."
        yield told(need, "property_type", why, fix)
    elif known.sort is Sort.CHOICE:
        yield from _choices(need, known)


def _instead(need: Need) -> str:
    if need.ours:
        return "Create it there; the page about connecting this CRM says how."
    if need.type is FieldType.CURRENCY:
        return "With one currency there is none: set default_currency of the connection to it."
    return "Create it there, or map the field to another one."


def told(
    need: Need, code: str, why: str, fix: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    """Build a finding about one property."""
    return Diagnostic(
        code=code,
        severity=severity,
        message=f"The property {need.name} of {need.kind} {why}.",
        entity=need.entity,
        field=need.field,
        fix=fix,
    )


def _fitting(need: Need) -> Sequence[Sort]:
    """Give the kinds of property that can hold the field's values."""
    if isinstance(need.transform, Bucket):
        return (Sort.NUMBER, Sort.TEXT)
    if need.type in (FieldType.MONEY, FieldType.INTEGER):
        return (Sort.NUMBER,) if need.written else (Sort.NUMBER, Sort.TEXT)
    if need.type is FieldType.DATE:
        return (Sort.DATE, Sort.MOMENT, Sort.TEXT)
    return (Sort.TEXT, Sort.CHOICE) if need.written else tuple(Sort)


def _choices(need: Need, known: Known) -> Iterator[Diagnostic]:
    """Compare the words of a list with those that are read and written."""
    options, words = frozenset(known.options), need.transform
    if isinstance(words, ValueMap) and need.read and words.otherwise == "reject":
        yield from _unmapped(need, sorted(options - words.values.keys()))
    yield from _gone(need, _lacking(need, known))


def _lacking(need: Need, known: Known) -> list[str]:
    """Name the words that we know and the CRM's list does not have (any more)."""
    if known.sort is not Sort.CHOICE:
        return []
    if isinstance(need.transform, ValueMap):
        return sorted(need.transform.values.keys() - set(known.options))
    if need.written and known.closed and need.type is FieldType.STATUS:
        return [str(word) for word in QuoteStatus if word not in known.options]
    return []


def _unmapped(need: Need, words: Sequence[str]) -> Iterator[Diagnostic]:
    if words:
        why = f"has values that the value map does not hold: {listed(words)}"
        fix = "Add them to the map; until then records with these values are rejected."
        yield told(need, "option_not_mapped", why, fix)


def _gone(need: Need, words: Sequence[str]) -> Iterator[Diagnostic]:
    if words:
        why = f"does not have the values {listed(words)}"
        fix = "Mend the value map, or add the values there."
        severity = Severity.ERROR if need.written else Severity.WARNING
        yield told(need, "option_missing", why, fix, severity)


def listed(words: Sequence[str]) -> str:
    """Name some words, and count those that are left out.

    >>> listed(["a", "b"]), listed(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    rest = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + rest
