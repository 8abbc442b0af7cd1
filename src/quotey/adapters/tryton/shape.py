"""How Tryton's records and the records of an inbound page stand for each other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

import msgspec

from quotey.adapters.tryton.values import Doc, microseconds
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import ConfigError
from quotey.contract.fields import Entity, FieldType
from quotey.contract.identity import canonical_json
from quotey.contract.mapping import Mapping
from quotey.contract.paths import known_paths
from quotey.contract.values import as_text

MODIFIED = "last_modified_at"
MECHANISMS = "contact_mechanisms"
_OF_MECHANISM = ("type", "value", "name", "active", MODIFIED)

MADE: dict[Entity, dict[str, tuple[str, ...]]] = {
    Entity.ACCOUNT: {
        "website": tuple(f"{MECHANISMS}.{name}" for name in _OF_MECHANISM),
        "category": ("categories.name",),
    },
    Entity.CONTACT: {
        "display_name": ("name", "party.name"),
        "phone": tuple(f"party.{MECHANISMS}.{name}" for name in _OF_MECHANISM),
    },
    Entity.DEAL: {},
}
"""Paths that Tryton has no field for, and the fields from which they are made."""

OWN = {
    Entity.ACCOUNT: ("active", "replaced_by"),
    Entity.CONTACT: ("active", "name", "type"),
    Entity.DEAL: (),
}
PHONES = ("phone", "mobile")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One entity: its model, the mapped paths, the fields that are asked for.

    `kind` is the type of contact mechanism that is a contact, "" elsewhere; `marks` the text field
    that holds the digests of our keys, "" where we write nothing.
    """

    entity: Entity
    model: str
    paths: tuple[str, ...]
    fields: tuple[str, ...]
    refs: frozenset[str]
    kind: str = ""
    marks: str = ""

    @property
    def own(self) -> tuple[str, ...]:
        """What we look at besides what is mapped."""
        return OWN[self.entity]

    @property
    def domain(self) -> list[object]:
        """What of the model is this entity."""
        return [["type", "=", self.kind]] if self.kind else []

    @property
    def context(self) -> dict[str, object]:
        """What is asked for beside: deactivated records are shown, so that they are seen to be."""
        return {} if self.entity is Entity.DEAL else {"active_test": False}

    def seen_as(self, visible: frozenset[str]) -> Shape:
        """Give the shape without what is not there, or what our user may not see.

        A path that is left out is absent from the payload: that says nothing of its value.
        """
        made = MADE[self.entity]
        return msgspec.structs.replace(
            self,
            paths=tuple(path for path in self.paths if visible.issuperset(made.get(path, (path,)))),
            fields=tuple(name for name in self.fields if name in visible),
        )


def shape_of(mapping: Mapping, entity: Entity) -> Shape:
    """Give the shape that a mapping says. Raises ConfigError where it lacks a word."""
    one = mapping.entities[entity]
    paths = tuple(dict.fromkeys(known_paths(one)))
    made = MADE[entity]
    asked = [name for path in paths for name in made.get(path, (path,))]
    marks = one.settings.get("marks", "")
    if entity is Entity.DEAL and not marks:
        raise ConfigError("[deal] of the mapping needs marks: the field for our digests.")
    # Of a mapped `party` beside `party.name` only the object would come; both hold its id.
    fields = dict.fromkeys(["id", MODIFIED, *OWN[entity], *asked, *filter(None, [marks])])
    return Shape(
        entity=entity,
        model=one.object,
        paths=paths,
        fields=tuple(fields),
        refs=frozenset(field.path for field in one.fields if field.type is FieldType.REF),
        kind=one.settings.get("kind", ""),
        marks=marks,
    )


def record_of(doc: Doc, shape: Shape) -> RemoteRecord:
    """Make the record that the mapping reads. Raises ValueError.

    What is deactivated is gone; a party that was replaced, by Tryton's wizard, is merged.
    """
    ref, at = str(doc.get("id") or ""), changed_at(doc)
    if not ref or at is None:
        raise ValueError("it has no id, or no moment of its last change")
    survivor = doc.get("replaced_by")
    gone = "active" in OWN[shape.entity] and not doc.get("active", True)
    return RemoteRecord(
        crm_ref=ref,
        source_ts=at,
        source_version=str(microseconds(at)),
        payload=canonical_json({"id": ref} if gone else _payload(doc, shape)),
        deleted=gone and not survivor,
        merged_into=str(survivor) if gone and survivor else None,
    )


def changed_at(doc: Doc) -> datetime | None:
    """Give the last change of a record or of a mechanism of it: those do not touch their party."""
    moments = [doc.get(MODIFIED), *(one.get(MODIFIED) for one in _docs(doc.get(MECHANISMS)))]
    known = [at for at in moments if isinstance(at, datetime)]
    return max(known) if isinstance(doc.get(MODIFIED), datetime) else None


def _payload(doc: Doc, shape: Shape) -> Doc:
    payload: Doc = {}
    for path in shape.paths:
        made = MADE[shape.entity].get(path)
        raw = _at(doc, path) if made is None else _made(path, doc)
        _put(payload, path, _plain(raw, ref=path in shape.refs))
    return payload


def _made(path: str, doc: Doc) -> object:
    """Make what Tryton has no field for."""
    party = doc.get("party")
    match path:
        case "website":
            return _first(_docs(doc.get(MECHANISMS)), ("website",))
        case "category":
            named = sorted(_docs(doc.get("categories")), key=lambda one: int(one["id"]))
            return named[0].get("name") if named else None
        case "display_name":
            return doc.get("name") or (party.get("name") if isinstance(party, dict) else None)
        case _:
            shared = _docs(party.get(MECHANISMS)) if isinstance(party, dict) else []
            mine = [one for one in shared if one.get("name") == doc.get("name")]
            return _first(mine, PHONES)


def _first(mechanisms: Iterable[Doc], types: tuple[str, ...]) -> object:
    """Give the value of the first mechanism of these types, as the server orders them."""
    found = (one for one in mechanisms if one.get("type") in types and one.get("active"))
    return next((one.get("value") for one in found), None)


def _docs(raw: object) -> list[Doc]:
    return [one for one in raw if isinstance(one, dict)] if isinstance(raw, list) else []


def _at(doc: Doc, path: str) -> object:
    here: object = doc
    for part in path.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here


def _put(payload: Doc, path: str, value: object) -> None:
    *parents, name = path.split(".")
    here = payload
    for parent in parents:
        here = here.setdefault(parent, {})
    here[name] = value


def _plain(raw: object, *, ref: bool) -> object:
    """Write a value in one way only: numbers without idle zeros, moments and ids as texts."""
    if isinstance(raw, dict):
        raw = raw.get("id")
    if ref and raw is not None:
        return str(raw)
    if isinstance(raw, datetime):
        return raw.isoformat()
    return as_text(raw) if isinstance(raw, Decimal | date) else raw


def id_of(ref: str) -> int | None:
    """Read a crm_ref; None for what is no id of Tryton.

    >>> id_of("12"), id_of("no-such-deal"), id_of("012")
    (12, None, None)
    """
    known = ref.isascii() and ref.isdigit() and len(ref) <= 18 and not ref.startswith("0")  # noqa: PLR2004 - 64 bits
    return int(ref) if known else None
