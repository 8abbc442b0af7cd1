"""What the mapping asks of Tryton's fields, and how the fields that are there keep it (ADR 8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from quotey.adapters.tryton.definitions import Definitions
from quotey.adapters.tryton.shape import MADE, Shape
from quotey.adapters.tryton.slot import COMMENT
from quotey.adapters.tryton.values import Doc
from quotey.adapters.tryton.writes import FIRST, NEXT, STATE
from quotey.contract.drift import Definition, MappedProperty, Survey, Use
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Direction, Entity, FieldType, Need
from quotey.contract.mapping import Bucket, FieldMapping, Join, ValueMap
from quotey.contract.mapping import Mapping as CrmMapping

LINE, TOTAL = "sale.line", "untaxed_amount"
NUMBERS, TEXTS = ("numeric", "float", "integer"), ("char", "text", "fulltext")
LISTS = ("one2many", "many2many", "binary", "dict")
"""Types that hold nothing a contract field could be read from."""

SURVEY_CALLS = 13
"""Each model's definitions (8 with those that paths lead to), our rights, one record of five."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of one property: the fields that it is made of, and the types that hold it.

    `rights` are what our user must have on the model; `words` what the CRM's list must know.
    `fits` is empty where any type will do. `pressed`: its buttons write it, so it may be read-only.
    """

    row: MappedProperty
    paths: tuple[str, ...]
    fits: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    pressed: bool = False


def survey(definitions: Definitions, mapping: CrmMapping, shapes: Mapping[Entity, Shape]) -> Survey:
    """Compare the mapping with the database."""
    wanted = [*_of_records(mapping, shapes), *_of_marks(shapes), *_of_quotes(mapping)]
    models = {one.row.object for one in wanted}
    rights = definitions.rights(models)
    closed = {model for model in models if not rights[model]["read"]}
    shown = {
        model: definitions.shown(
            model, {path for one in wanted if one.row.object == model for path in one.paths}
        )
        for model in sorted(models - closed)
    }
    return Survey(
        properties=tuple(
            _examined(one, definitions, shown[one.row.object], rights[one.row.object])
            for one in wanted
            if one.row.object not in closed
        ),
        others=tuple(_not_readable(model) for model in sorted(closed)),
    )


# --- what is asked --------------------------------------------------------------------------------


def _of_records(mapping: CrmMapping, shapes: Mapping[Entity, Shape]) -> Iterator[Wanted]:
    for entity, shape in shapes.items():
        for field in mapping.entities[entity].fields:
            joined = field.transform.paths if isinstance(field.transform, Join) else ()
            for path in dict.fromkeys(joined or (field.path,)):
                yield _of_field(field, path, shape)


def _of_field(field: FieldMapping, path: str, shape: Shape) -> Wanted:
    written = path == field.path and (field.flows_out or field.sent_on_create)
    made = MADE[shape.entity].get(path, ())
    words = tuple(field.transform.values) if isinstance(field.transform, ValueMap) else ()
    pressed = shape.entity is Entity.DEAL and path == STATE
    return Wanted(
        row=MappedProperty(
            entity=shape.entity,
            object=shape.model,
            name=path,
            field=field.name,
            read=field.direction is not Direction.OUTBOUND,
            written=written,
            required=field.need is Need.REQUIRED,
            on_create=not field.flows_out,
        ),
        paths=made or (path,),
        fits=() if made else _fits(field, written=written),
        rights=("write",) if field.flows_out else ("create",) if written else (),
        words=words + ((FIRST, NEXT) if pressed else ()),
        pressed=pressed,
    )


def _fits(field: FieldMapping, *, written: bool) -> tuple[str, ...]:
    """Give the types that can hold the field's values; none means any but a list."""
    if isinstance(field.transform, Bucket):
        return (*NUMBERS, *TEXTS)
    match field.type:
        case FieldType.MONEY | FieldType.INTEGER:
            return NUMBERS if written else (*NUMBERS, *TEXTS)
        case FieldType.DATE:
            return ("date",) if written else ("date", "datetime", "timestamp", *TEXTS)
        case FieldType.REF:
            return ("many2one", "integer")
        case _:
            return (*TEXTS, "selection") if written else ()


def _of_marks(shapes: Mapping[Entity, Shape]) -> Iterator[Wanted]:
    """Say what our marks ask: the same text holds those of creates and of updates."""
    shape = shapes[Entity.DEAL]
    uses = ((Use.UPDATE_MARK, "write", ""), (Use.CREATE_KEY, "create", " (of a new deal)"))
    for use, right, told in uses:
        row = MappedProperty(
            entity=Entity.DEAL,
            object=shape.model,
            name=shape.marks,
            field=shape.marks + told,
            use=use,
            read=False,
            written=True,
        )
        yield Wanted(row=row, paths=(shape.marks,), fits=TEXTS, rights=(right,))


def _of_quotes(mapping: CrmMapping) -> Iterator[Wanted]:
    """Say what a quote asks of its sale; all of it is written, and most of it is text."""
    quotes = mapping.entities[Entity.QUOTE]
    for field in quotes.fields:
        path, model = field.path, quotes.object
        fits: tuple[str, ...] = TEXTS
        if path.startswith(COMMENT):
            path = COMMENT.removesuffix(".")
        elif path == TOTAL:
            path, model, fits = "unit_price", LINE, NUMBERS
        elif field.type is FieldType.CURRENCY:
            path, fits = path.partition(".")[0], ("many2one",)
        row = MappedProperty(
            entity=Entity.DEAL,
            object=model,
            name=field.path,
            field=f"quote.{field.name}",
            use=Use.QUOTE,
            read=False,
            written=True,
        )
        yield Wanted(row=row, paths=(path,), fits=fits, rights=("write", "create"))


# --- what is there --------------------------------------------------------------------------------


def _examined(
    one: Wanted, definitions: Definitions, shown: frozenset[str], rights: Doc
) -> MappedProperty:
    model = one.row.object
    docs = [definitions.of(model, path) for path in one.paths if path in shown]
    known = [doc for doc in docs if doc is not None]
    if len(known) < len(one.paths):
        why = "is not there, or this user may not see it"
        fix = "Activate its module, let the user read it, or map the field to another one."
        return msgspec.structs.replace(
            one.row, findings=(_finding(one.row, "property_missing", why, fix),)
        )
    head = definitions.of(model, one.paths[0].partition(".")[0]) or {}
    writable = one.pressed or not head.get("readonly")
    definition = Definition(
        type=" and ".join(dict.fromkeys(str(doc["type"]) for doc in known)),
        writable=writable and all(rights[right] for right in one.rights),
        options=_options(known[0]) if len(known) == 1 else (),
        closed=known[0]["type"] == "selection",
    )
    lacking = _lacking(one, definition)
    return msgspec.structs.replace(
        one.row,
        definition=definition,
        findings=tuple(_findings(one, definition, lacking)),
        lacking=lacking,
    )


def _options(doc: Doc) -> tuple[str, ...]:
    """Give the words of a selection; where a method names them, they are not known."""
    raw = doc.get("selection")
    pairs = raw if isinstance(raw, list) else []
    return tuple(sorted(str(pair[0]) for pair in pairs if pair and pair[0]))


def _lacking(one: Wanted, definition: Definition) -> tuple[str, ...]:
    known = set(definition.options)
    return tuple(sorted(set(one.words) - known)) if known else ()


def _findings(
    one: Wanted, definition: Definition, lacking: tuple[str, ...]
) -> Iterator[Diagnostic]:
    row = one.row
    if row.written and not definition.writable:
        fix = "Let the user write it, or map the field to another one, or only inbound."
        yield _finding(row, "property_read_only", "cannot be written by this user", fix)
    types = definition.type.split(" and ")
    if (one.fits and definition.type not in one.fits) or (
        len(one.paths) == 1 and definition.type in LISTS
    ):
        held = f" ({' or '.join(one.fits)} does)" if one.fits else ""
        why = f"has the type {', '.join(types)}, which does not hold {row.field}{held}"
        yield _finding(row, "property_type", why, "Map the field to another one.")
    if lacking:
        why = f"does not have the values {', '.join(lacking)}"
        severity = Severity.ERROR if row.written else Severity.WARNING
        yield _finding(row, "option_missing", why, "Mend the value map.", severity)


def _finding(
    row: MappedProperty, code: str, why: str, fix: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    return Diagnostic(
        code=code,
        severity=severity,
        message=f"The field {row.name} of {row.object} {why}.",
        entity=row.entity,
        field=row.field,
        fix=fix,
    )


def _not_readable(model: str) -> Diagnostic:
    return Diagnostic(
        code="field_not_shown",
        severity=Severity.ERROR,
        message=f"The records of {model} cannot be read by this user.",
        fix="Put the user into a group that may read them; the page about Tryton names two.",
    )
