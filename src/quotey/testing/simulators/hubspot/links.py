"""Links between records: who is linked to whom, and by which directional types.

Source: crm-semantics.md 1H "Associations v4". A link never moves a modified date (2H).
"""

from collections.abc import Sequence

from msgspec import Struct

from quotey.testing.simulators.exchange import Doc
from quotey.testing.simulators.hubspot.body import shaped
from quotey.testing.simulators.hubspot.errors import bad_associations, invalid
from quotey.testing.simulators.hubspot.schema import TYPES, association_labels, inverse_type
from quotey.testing.simulators.hubspot.store import Portal, Record

CATEGORY = "HUBSPOT_DEFINED"


class TypeSpec(Struct, frozen=True):
    """Which kind of link; the category is not looked at."""

    associationTypeId: int  # noqa: N815 - the vendor's spelling


class End(Struct, frozen=True):
    """One side of a link."""

    id: str | int


class LinkSpec(Struct, frozen=True):
    """A link to make with a record."""

    to: End
    types: list[TypeSpec] = []


class Links:
    """Who is linked to whom, seen from both sides."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._links: dict[tuple[str, str], dict[int, dict[int, set[int]]]] = {}

    def of(self, kind: str, record_id: int, target: str) -> dict[int, set[int]]:
        """Linked id -> type ids, by order of linking. An old id of a merge has none (1H)."""
        linked = self._links.get((kind, target), {}).get(record_id, {})
        living = self._portal.records[target]
        return {
            other: numbers
            for other, numbers in linked.items()
            if other in living and living[other].archived_at is None
        }

    def add(self, source: Record, target: Record, number: int) -> None:
        """Link two records by a directional type id; a primary link brings the unlabeled one."""
        from_type, to_type = TYPES[source.kind], TYPES[target.kind]
        labels = association_labels(from_type.singular, to_type.singular)
        if number not in labels:
            raise invalid(
                f"{CATEGORY} association type {number} is invalid from object type "
                f"{from_type.number} to {to_type.number}"
            )
        if labels[number] == "Primary":
            self._drop_primary(source, target.kind, number)
        plain = next(n for n, label in labels.items() if label == "")
        for each in {number, plain} if labels[number] == "Primary" else {number}:
            back = inverse_type(from_type.singular, to_type.singular, each)
            self._put(source, target, each)
            self._put(target, source, back)

    def remove(self, source: Record, target: Record, numbers: set[int] | None = None) -> None:
        """Unlink; without numbers all types between the pair go (1H "DELETE")."""
        for one, two in ((source, target), (target, source)):
            linked = self._links.get((one.kind, two.kind), {}).get(one.record_id, {})
            if numbers is None:
                linked.pop(two.record_id, None)
        if numbers is not None:
            self._remove_numbers(source, target, numbers)

    def move(self, old: Sequence[int], survivor: Record) -> None:
        """Give a merge's survivor what the losers were linked to."""
        for (kind, target), table in list(self._links.items()):
            if kind != survivor.kind:
                continue
            for loser in old:
                for other, numbers in table.pop(loser, {}).items():
                    record = self._portal.find(target, other)
                    for number in numbers if record is not None else ():
                        self.add(survivor, record or survivor, number)

    def _put(self, source: Record, target: Record, number: int) -> None:
        table = self._links.setdefault((source.kind, target.kind), {})
        table.setdefault(source.record_id, {}).setdefault(target.record_id, set()).add(number)

    def _drop_primary(self, source: Record, kind: str, number: int) -> None:
        for other, numbers in self.of(source.kind, source.record_id, kind).items():
            if number in numbers:
                target = self._portal.records[kind][other]
                self._remove_numbers(source, target, {number})

    def _remove_numbers(self, source: Record, target: Record, numbers: set[int]) -> None:
        pair = TYPES[source.kind].singular, TYPES[target.kind].singular
        known = association_labels(*pair)
        back = {inverse_type(*pair, number) for number in numbers if number in known}
        for one, two, gone in ((source, target, numbers), (target, source, back)):
            linked = self._links.get((one.kind, two.kind), {}).get(one.record_id, {})
            linked.get(two.record_id, set()).difference_update(gone)
            if not linked.get(two.record_id):
                linked.pop(two.record_id, None)


def inline_targets(portal: Portal, kind: str, doc: Doc) -> list[tuple[Record, int]]:
    """The inline associations of a create: target and type id; the target must exist (1H)."""
    wanted: list[tuple[Record, int]] = []
    source = TYPES[kind].singular
    for entry in shaped(doc.get("associations") or [], list[LinkSpec]):
        target_id = str(entry.to.id)
        for number in (spec.associationTypeId for spec in entry.types):
            target = _target_of(portal, source, number, target_id)
            if target is None:
                raise bad_associations([target_id])
            wanted.append((target, number))
    return wanted


def _target_of(portal: Portal, source: str, number: int, target_id: str) -> Record | None:
    for kind in TYPES.values():
        if number in association_labels(source, kind.singular) and target_id.isdigit():
            return living(portal, kind.plural, target_id)
    return None


def living(portal: Portal, kind: str, record_id: str) -> Record | None:
    """The record of an id, merged or not, unless it is archived."""
    record = portal.find(kind, int(record_id)) if record_id.isdigit() else None
    return record if record is not None and record.archived_at is None else None
