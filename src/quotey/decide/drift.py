"""What a changed definition in the CRM means for the fields that are mapped to it.

Only what is broken is parked, and only in the direction in which it is broken. What is broken is
said by the adapter's findings; here is what follows. Source: issue "mapping drift is found before
it fails"; design section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

import msgspec
from msgspec.structs import replace

from quotey.contract.adapter import Tier
from quotey.contract.drift import Definition, MappedProperty, Parked, Survey, Use, described
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity
from quotey.contract.journal import OpKind
from quotey.contract.reconciliation import ConflictKey, ConflictType
from quotey.decide.items import WHOLE_RECORD
from quotey.decide.plan import ItemDraft

_BOTH, _OUT = (True, True), (False, True)
_BREAKS: dict[str, tuple[bool, bool]] = {
    "property_missing": _BOTH,
    "property_type": _BOTH,
    "property_read_only": _OUT,
    "property_not_unique": _OUT,
    "option_missing": _OUT,
    "rule_missing": _OUT,
}
"""By the code of a finding: whether reading and writing is broken. Others break no field: a word
that the value map does not hold keeps out the records that have it, and no others."""

_OF_WORDS = "option_missing"
"""The finding that stands in the way of some words only."""


# --- what is parked ------------------------------------------------------------------------------


def parked_by(
    survey: Survey,
    kept: Iterable[MappedProperty],
    standing: Iterable[Parked],
    *,
    connection: str,
    now: datetime,
) -> tuple[Parked, ...]:
    """Give the fields that cannot flow, one for each field, by entity and field.

    `kept` is the survey before, and tells how a property was defined; `standing` is what is parked
    already, since when, and what it had been before.
    """
    known = {(one.object, one.name): one.definition for one in kept}
    before = {(one.entity, one.field): one for one in standing}
    broken = [
        found
        for one in survey.properties
        if (
            found := _parked(
                one,
                known.get((one.object, one.name)),
                connection,
                now,
                was_parked=(one.entity, one.field) in before,
            )
        )
        is not None
    ]
    order = sorted(broken, key=_key)
    return tuple(
        _as_before(_merged(list(same)), before.get(key)) for key, same in groupby(order, _key)
    )


def _key(one: Parked) -> tuple[Entity, str]:
    return one.entity, one.field


def _parked(
    one: MappedProperty,
    was: Definition | None,
    connection: str,
    now: datetime,
    *,
    was_parked: bool,
) -> Parked | None:
    bad = [found for found in one.findings if _is_break(found)]
    inbound = one.read and any(_BREAKS[found.code][0] for found in bad)
    outbound = one.written and bool(bad)
    if not (inbound or outbound) or (was is None and not was_parked and _never_there(one)):
        return None
    only_words = all(found.code == _OF_WORDS for found in bad)
    return Parked(
        connection=connection,
        entity=one.entity,
        field=one.field,
        use=one.use,
        inbound=inbound,
        outbound=outbound,
        why=" ".join(found.message for found in bad),
        fix=" ".join(dict.fromkeys(found.fix for found in bad)),
        since=now,
        was=described(was) if was is not None and was != one.definition else "",
        words=one.lacking if only_words else (),
    )


def _never_there(one: MappedProperty) -> bool:
    """Whether it is absent from every record and nothing needs it: `crm doctor` tells of it."""
    is_sent = one.written and not one.on_create
    return one.definition is None and not (is_sent or one.required)


def _is_break(found: Diagnostic) -> bool:
    return found.severity is Severity.ERROR and found.code in _BREAKS


def _merged(same: list[Parked]) -> Parked:
    """Make one of the properties that one field is joined from."""
    first = same[0]
    whole = any(not one.words for one in same)
    return replace(
        first,
        inbound=any(one.inbound for one in same),
        outbound=any(one.outbound for one in same),
        why=" ".join(dict.fromkeys(one.why for one in same)),
        fix=" ".join(dict.fromkeys(one.fix for one in same)),
        words=() if whole else tuple(dict.fromkeys(word for one in same for word in one.words)),
    )


def _as_before(now: Parked, before: Parked | None) -> Parked:
    """Keep since when it has been parked, and what it was before that."""
    if before is None:
        return now
    return replace(now, since=before.since, was=before.was or now.was)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What is parked now and was not, and what flows again; by field and direction."""

    parked: tuple[Parked, ...]
    released: tuple[Parked, ...]


def compare(standing: Iterable[Parked], now: Iterable[Parked]) -> Difference:
    """Compare what was parked with what is; a field that flows one way again is in both lists."""
    before = {_key(one): one for one in standing}
    after = {_key(one): one for one in now}
    return Difference(
        parked=tuple(one for key, one in after.items() if _says(one) != _says(before.get(key))),
        released=tuple(one for key, one in before.items() if _lets_go(one, after.get(key))),
    )


def _says(one: Parked | None) -> tuple[object, ...] | None:
    return None if one is None else (one.inbound, one.outbound, one.words, one.why)


def _lets_go(before: Parked, after: Parked | None) -> bool:
    """Whether something flows again that did not."""
    if after is None:
        return True
    if before.inbound > after.inbound or before.outbound > after.outbound:
        return True
    return bool(after.words) and not set(before.words or ("*",)) <= set(after.words)


def changes(kept: Iterable[MappedProperty], now: Iterable[MappedProperty]) -> tuple[str, ...]:
    """Say which definitions are others than before; a property that is seen first says nothing."""
    known = {(one.object, one.name): one.definition for one in kept}
    told: dict[tuple[str, str], str] = {}
    for one in now:
        key = (one.object, one.name)
        if key in known and known[key] != one.definition:
            was, is_ = described(known[key]), described(one.definition)
            told[key] = f"{one.name} of {one.object} was {was}; now it is {is_}."
    return tuple(told.values())


def item_of(parked: Parked) -> ItemDraft:
    """Draft the item of a parked field: of all records of the entity, and of no single one."""
    return ItemDraft(
        entity_type=parked.entity,
        entity_id=WHOLE_RECORD,
        field_name=parked.field,
        conflict_type=ConflictType.SCHEMA_MAPPING_MISMATCH,
        local_value=None,
        remote_value=parked.why,
        base_value=parked.was or None,
        key=ConflictKey(
            entity_id=WHOLE_RECORD,
            field_name=parked.field,
            local_version=parked.connection,
            remote_version_or_timestamp=f"{parked.since.isoformat()}|{parked.why}",
        ),
        detail=parked.sentence,
    )


# --- what that means for a record and for an operation -------------------------------------------


def not_read(parked: Iterable[Parked], entity: Entity) -> frozenset[str]:
    """Name the fields of an entity that are not taken from the CRM."""
    return frozenset(
        one.field for one in parked if one.inbound and one.use is Use.FIELD and one.entity is entity
    )


Wire = Callable[[str], str]
"""Gives what would be sent for a field of the operation, as text."""

_MARK_OF: Mapping[OpKind, Use] = {
    OpKind.WRITE_QUOTE: Use.QUOTE,
    OpKind.CREATE_DEAL: Use.CREATE_KEY,
    OpKind.UPDATE_DEAL: Use.UPDATE_MARK,
    OpKind.UPDATE_ACCOUNT: Use.UPDATE_MARK,
}


def held_by(
    parked: Iterable[Parked], kind: OpKind, entity: Entity, fields: Sequence[str], wire: Wire
) -> tuple[Parked, ...]:
    """Name what an operation cannot go without; empty when it may go.

    A quote's summary and a new deal are written whole or not at all; an update goes without the
    fields that are parked (`left_out`), but not without our mark.
    """
    root = Entity.DEAL if kind is OpKind.WRITE_QUOTE else entity
    return tuple(one for one in _outbound(parked, root) if _stops(one, kind, fields, wire))


def _stops(one: Parked, kind: OpKind, fields: Sequence[str], wire: Wire) -> bool:
    if one.use is _MARK_OF[kind]:
        name = one.field.removeprefix("quote.")
        return not one.words or name not in fields or wire(name) in one.words
    whole = kind is OpKind.CREATE_DEAL and one.use is Use.FIELD
    return whole and _concerns(one, fields, wire)


def left_out(
    parked: Iterable[Parked], entity: Entity, fields: Sequence[str], wire: Wire
) -> tuple[Parked, ...]:
    """Name the fields of an update that it goes without."""
    return tuple(
        one
        for one in _outbound(parked, entity)
        if one.use is Use.FIELD and _concerns(one, fields, wire)
    )


def _outbound(parked: Iterable[Parked], entity: Entity) -> Iterator[Parked]:
    return (one for one in parked if one.outbound and one.entity is entity)


def _concerns(one: Parked, fields: Sequence[str], wire: Wire) -> bool:
    return one.field in fields and (not one.words or wire(one.field) in one.words)


# --- what an adapter promises --------------------------------------------------------------------

_KEYS = ("property_missing", "property_not_unique")
_CONDITION = ("rule_missing",)


def unconfirmed(tier: Tier, survey: Survey) -> tuple[Diagnostic, ...]:
    """Give the findings by which the CRM does not confirm what the tier promises.

    A unique key that is not there, or not unique, makes two records of one; a condition that
    nothing in the CRM keeps is no condition. Source: reliability 1.0.
    """
    if tier is Tier.SEARCH_ONLY:
        return ()
    keys = (one for part in survey.properties if part.unique for one in part.findings)
    found = [one for one in keys if one.code in _KEYS]
    if tier is Tier.CONDITIONAL_WRITE:
        found += [one for one in survey.findings if one.code in _CONDITION]
    return tuple(found)
