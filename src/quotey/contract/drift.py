"""What a CRM defines of the properties that a mapping uses, and the fields that are parked for it.

Values only. What follows from them is decided in `quotey.decide.drift`. Times are aware, in UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from quotey.contract.errors import Diagnostic
from quotey.contract.fields import Entity
from quotey.contract.identity import canonical_json

FIELD_PARKED = "field_parked"
"""The code of what waits because a field that it cannot come in without is parked."""


class Use(StrEnum):
    """What a property is to us: a record's field, a part of a quote's slot, or one of our marks."""

    FIELD = "field"
    QUOTE = "quote"
    CREATE_KEY = "create_key"
    UPDATE_MARK = "update_mark"


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """How the CRM defines a property; `type` in its own word.

    `options` are its words, and `closed` that it takes no other.
    """

    type: str
    writable: bool = True
    unique: bool = False
    options: tuple[str, ...] = ()
    closed: bool = False


def described(one: Definition | None) -> str:
    """Say how a property is defined, for an item.

    >>> described(Definition(type="enumeration", writable=False, options=("a", "b")))
    'type enumeration, read only, values a, b'
    >>> described(None)
    'not there'
    """
    if one is None:
        return "not there"
    parts = (
        f"type {one.type}",
        "" if one.writable else "read only",
        "unique" if one.unique else "",
        f"values {', '.join(one.options)}" if one.options else "",
    )
    return ", ".join(filter(None, parts))


class MappedProperty(msgspec.Struct, frozen=True, kw_only=True):
    """One property that the mapping uses, as the CRM defines it now; None = it is not there.

    `field` is the contract field ("quote.…" for the slot), or the property's own name for our
    marks. `unique` says that it must hold each value once, `required` that no record is whole
    without, `on_create` that it is written with a new record only. `findings` is what does not fit;
    `lacking` are words that we would send and it does not take.
    """

    entity: Entity
    object: str
    name: str
    field: str
    use: Use = Use.FIELD
    read: bool = True
    written: bool = False
    unique: bool = False
    required: bool = False
    on_create: bool = False
    definition: Definition | None = None
    findings: tuple[Diagnostic, ...] = ()
    lacking: tuple[str, ...] = ()


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """All properties that a mapping uses, and what else does not fit (`others`)."""

    properties: tuple[MappedProperty, ...]
    others: tuple[Diagnostic, ...] = ()

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """Everything that does not fit, properties first."""
        return (*(one for part in self.properties for one in part.findings), *self.others)


class KeptSchema(msgspec.Struct, frozen=True, kw_only=True):
    """What was last seen of one entity's properties; `fingerprint` changes with a definition."""

    connection: str
    entity: Entity
    fingerprint: str
    mapping_fingerprint: str
    properties: tuple[MappedProperty, ...]
    examined_at: datetime


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A field that does not flow because of how the CRM defines it now.

    `inbound`: it is not taken; `outbound`: it is not sent, or only these `words` of it (the CRM's)
    when there are any. `why` and `fix` are sentences; `was` says how it was defined before, "" when
    that is not known.
    """

    connection: str
    entity: Entity
    field: str
    use: Use
    inbound: bool
    outbound: bool
    why: str
    fix: str
    since: datetime
    was: str = ""
    words: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Name it for a person."""
        return self.field if self.use is not Use.FIELD else f"{self.entity}.{self.field}"

    @property
    def sentence(self) -> str:
        """Say what does not flow, why, and what to do."""
        both = "neither read nor written" if self.outbound else "not read"
        how = both if self.inbound else "not written"
        part = f" ({', '.join(self.words)})" if self.words and not self.inbound else ""
        return f"{self.path} is {how}{part}: {self.why} {self.fix}".rstrip()


def schema_fingerprint(properties: Iterable[MappedProperty]) -> str:
    """Hash how the properties are defined; what we think of it is no part."""
    rows = sorted(
        (one.object, one.name, one.field, msgspec.to_builtins(one.definition))
        for one in properties
        if one.definition is not None
    )
    return hashlib.sha256(canonical_json(rows)).hexdigest()[:16]


def parked_fingerprint(fingerprint: str, fields: Iterable[str]) -> str:
    """Give the fingerprint of an entity's mapping while these fields are not read.

    What is kept under it is looked at again as soon as another set of fields is read.

    >>> parked_fingerprint("abc", ())
    'abc'
    """
    names = ",".join(sorted(fields))
    return f"{fingerprint}-{names}" if names else fingerprint
