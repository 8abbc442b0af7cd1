"""How the stub CRM defines its properties: as the mapping wants them, but for what was edited.

An edit is what an administrator does on the other side. It binds pages and writes at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from quotey.adapters.stub.drawer import Drawer
from quotey.adapters.stub.payload import decode, encode, put_path
from quotey.adapters.stub.slot import place_of, quote_mapping
from quotey.contract.drift import Definition, MappedProperty, Survey, Use
from quotey.contract.errors import Diagnostic, ErrorClass, RemoteFailure, Severity, UsageError
from quotey.contract.fields import MIRRORED, Direction, Entity, FieldType, Need
from quotey.contract.mapping import FieldMapping, Join, QuoteTarget, ValueMap
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.problems import did_you_mean
from quotey.contract.quote import QuoteStatus

_SETTING = "definitions"


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """What an administrator made of a property. `without` are words that its list has lost."""

    gone: bool = False
    read_only: bool = False
    not_unique: bool = False
    type: str = ""
    without: tuple[str, ...] = ()


class DefinedProperty(msgspec.Struct, frozen=True, kw_only=True):
    """A property of an object, and how it is defined now; None = it is not there."""

    property: str
    definition: Definition | None


_EDITS = msgspec.json.Decoder(dict[str, Edited])


class Definitions:
    """The definitions of one stub file, as a connection's mapping uses them."""

    def __init__(self, drawer: Drawer, mapping: CrmMapping) -> None:
        self._drawer = drawer
        self._mapping = mapping
        record = mapping.quote_target is QuoteTarget.QUOTE_RECORD
        self._slot = Entity.QUOTE if record else Entity.DEAL

    def edits(self) -> dict[str, Edited]:
        """Give what was edited, by `object.property`."""
        return _EDITS.decode(self._drawer.setting(_SETTING, "{}"))

    def define(self, name: str, edited: Edited) -> DefinedProperty:
        """Define a property, by `object.property` or by its contract field; `Edited()` restores it.

        Raises UsageError for a property that the mapping does not use.
        """
        survey = self.survey().properties
        known = [_key(one) for one in survey if name in (_key(one), _path(one))]
        if not known:
            names = [word for one in survey for word in (_path(one), _key(one))]
            hint = did_you_mean(name, list(dict.fromkeys(names)))
            raise UsageError(
                f"The mapping uses no property {name[:80]!r}. {hint} Nothing was changed."
            )
        edits = {**self.edits(), **dict.fromkeys(known, edited)}
        self._keep({key: one for key, one in edits.items() if one != Edited()})
        found = next(one for one in self.survey().properties if _key(one) == known[0])
        return DefinedProperty(property=known[0], definition=found.definition)

    def restore(self) -> None:
        """Define everything again as the mapping wants it."""
        self._keep({})

    def _keep(self, edits: Mapping[str, Edited]) -> None:
        self._drawer.set_setting(_SETTING, msgspec.json.encode(edits).decode())

    def survey(self) -> Survey:
        """Say how everything that the mapping uses is defined."""
        edits = self.edits()
        wanted = [*self._of_records(), *self._of_slot()]
        return Survey(properties=tuple(_found(one, edits) for one in wanted))

    def hide(self, entity: Entity, payload: bytes) -> bytes:
        """Show a record without the properties that are gone."""
        gone = [
            key.partition(".")[2]
            for key, edited in self.edits().items()
            if edited.gone and key.startswith(f"{entity}.")
        ]
        if not gone:
            return payload
        shown = decode(payload.decode())
        for path in gone:
            put_path(shown, path, UNSET)
        return encode(shown).encode()

    def refuse(self, entity: Entity, sent: Mapping[str, Any]) -> None:
        """Raise RemoteFailure (mapping) with all that the definitions do not let be written."""
        edits = self.edits()
        problems = [
            _refusal(entity, path, why)
            for path, value in sent.items()
            if (edited := edits.get(f"{entity}.{path}")) and (why := _why_not(edited, value))
        ]
        if problems:
            told = " ".join(one.message for one in problems)
            raise RemoteFailure(
                f"{told} Nothing was changed.",
                error_class=ErrorClass.MAPPING,
                diagnostics=tuple(problems),
            )

    # --- what the mapping uses --------------------------------------------------------------------

    def _of_records(self) -> Iterator[MappedProperty]:
        for entity in MIRRORED:
            mapped = self._mapping.entities.get(entity)
            for field in mapped.fields if mapped else ():
                for path in _paths(field):
                    yield _wanted(entity, field, path)

    def _of_slot(self) -> Iterator[MappedProperty]:
        quotes = quote_mapping(self._mapping)
        place = place_of(quotes)
        fields = {field.path: field for field in quotes.fields}
        for path in dict.fromkeys((*fields, place.instance_id, place.digest)):
            field = fields.get(path)
            unique = path == place.quote_id
            yield MappedProperty(
                entity=Entity.DEAL,
                object=str(self._slot),
                name=path,
                field=f"quote.{field.name}" if field else path,
                use=Use.QUOTE,
                read=False,
                written=True,
                unique=unique,
                definition=_natural(field, unique=unique),
            )


def _key(one: MappedProperty) -> str:
    return f"{one.object}.{one.name}"


def _path(one: MappedProperty) -> str:
    return one.field if one.use is Use.QUOTE else f"{one.entity}.{one.field}"


def _paths(field: FieldMapping) -> tuple[str, ...]:
    joined = field.transform.paths if isinstance(field.transform, Join) else ()
    return joined or (field.path,)


def _wanted(entity: Entity, field: FieldMapping, path: str) -> MappedProperty:
    return MappedProperty(
        entity=entity,
        object=str(entity),
        name=path,
        field=field.name,
        read=field.direction is not Direction.OUTBOUND,
        written=path == field.path and (field.flows_out or field.sent_on_create),
        required=field.need is Need.REQUIRED,
        on_create=not field.flows_out,
        definition=_natural(field),
    )


def _natural(field: FieldMapping | None, *, unique: bool = False) -> Definition:
    """Define a property as the mapping wants it."""
    if field is None:
        return Definition(type=str(FieldType.TEXT), unique=unique)
    words: tuple[str, ...] = ()
    if isinstance(field.transform, ValueMap):
        words = tuple(sorted(field.transform.values))
    elif field.type is FieldType.STATUS:
        words = tuple(sorted(map(str, QuoteStatus)))
    return Definition(type=str(field.type), unique=unique, options=words, closed=bool(words))


def _found(one: MappedProperty, edits: Mapping[str, Edited]) -> MappedProperty:
    edited, was = edits.get(_key(one)), one.definition
    if edited is None or was is None:
        return one
    definition = Definition(
        type=edited.type or was.type,
        writable=not edited.read_only,
        unique=was.unique and not edited.not_unique,
        options=tuple(word for word in was.options if word not in edited.without),
        closed=was.closed,
    )
    return msgspec.structs.replace(
        one,
        definition=None if edited.gone else definition,
        findings=tuple(_findings(one, edited)),
        lacking=edited.without if one.written else (),
    )


def _findings(one: MappedProperty, edited: Edited) -> Iterator[Diagnostic]:
    was = one.definition
    if edited.gone:
        yield _finding(one, "property_missing", "is not there")
        return
    if edited.read_only and one.written:
        yield _finding(one, "property_read_only", "cannot be written")
    if edited.not_unique and one.unique:
        yield _finding(one, "property_not_unique", "does not have unique values")
    if edited.type and was is not None and edited.type != was.type:
        why = f"has the type {edited.type}, which does not hold a {was.type}"
        yield _finding(one, "property_type", why)
    if edited.without and one.written:
        why = f"does not have the values {', '.join(edited.without)}"
        yield _finding(one, "option_missing", why)


def _finding(one: MappedProperty, code: str, why: str) -> Diagnostic:
    return Diagnostic(
        code=code,
        severity=Severity.ERROR,
        message=f"The property {one.name} of {one.object} {why}.",
        entity=str(one.entity),
        field=one.field,
        fix=f"Restore it in the CRM (quotey crm stub define {_key(one)} --restore), "
        "or map the field to another one.",
    )


def _why_not(edited: Edited, value: object) -> str:
    if edited.gone:
        return "is not there"
    if edited.read_only:
        return "cannot be written"
    if str(value) in edited.without:
        return f"does not have the value {value}"
    return f"has the type {edited.type}" if edited.type else ""


def _refusal(entity: Entity, path: str, why: str) -> Diagnostic:
    return Diagnostic(
        code="refused_by_definition",
        severity=Severity.ERROR,
        message=f"The property {path} of {entity} {why}.",
        entity=str(entity),
    )
