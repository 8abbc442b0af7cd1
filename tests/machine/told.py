"""What people were told and what they did: the ledger that the engine is held against.

Filled from answers of commands and from the CRM's own list of effects, never from our tables.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from quotey.adapters.stub.drawer import Effect
from quotey.contract.quote import QuoteVersion

MARKER = ("quotey_instance_id", "quote_id", "quote_version", "quotey_payload_digest")
"""The properties of a deal that the marker of its quote is made of."""


@dataclass(frozen=True)
class Edit:
    """A local value that its command acknowledged; `seq` is the last audit event by then."""

    entity: str
    entity_id: str
    field: str
    value: str
    seq: int


@dataclass(frozen=True)
class Mark:
    """Which quote stands in the slot of a deal over there."""

    instance: str
    quote_id: str
    version: int


@dataclass
class Told:
    """The ledger."""

    instance: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(10_000))
    edits: list[Edit] = field(default_factory=list)
    versions: dict[tuple[str, int], QuoteVersion] = field(default_factory=dict)
    over_there: dict[tuple[str, str, str], str] = field(default_factory=dict)
    overwritten: list[tuple[str, str, str, str]] = field(default_factory=list)
    slots: dict[str, Mark | None] = field(default_factory=dict)
    written: set[tuple[str, int]] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    allowed: set[tuple[str, str, str]] = field(default_factory=set)
    deal_of: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    decided: set[tuple[str, str]] = field(default_factory=set)
    handwritten: set[str] = field(default_factory=set)
    read: int = 0

    def word(self) -> str:
        """Give a text that was never used before, and is part of no other."""
        return f"w{next(self.numbers)}w"

    def amount(self) -> str:
        """Give an amount that was never used before."""
        return f"7{next(self.numbers)}.5"

    # --- the CRM's own list of effects -----------------------------------------------------------

    def hear(self, effects: Iterable[Effect]) -> None:
        """Take in what happened in the CRM since last time, and hold it against the laws."""
        for effect in effects:
            self.read = effect.seq
            match effect.operation:
                case "write_quote":
                    self._quote_written(effect)
                case "create_deal" | "update_deal" | "update_account":
                    self._written_once(effect)
                    self._fields_written(effect)
                case "tool.set" | "tool.add":
                    self._edited_by_hand(effect)
                case _:
                    pass

    def _quote_written(self, effect: Effect) -> None:
        """At most one effect of a version, and never an older one over a newer (G2b, G5).

        Where somebody wrote over it by hand and it may stand there again, that is no second effect.
        """
        key = (effect.quote_id, effect.version)
        again = key in self.written and effect.ref not in self.handwritten
        assert not again, f"{key} was written twice"
        self.written.add(key)
        before = self.slots.get(effect.ref)
        if before is not None:
            self._may_replace(effect, before)
        self.slots[effect.ref] = Mark(self.instance, effect.quote_id, effect.version)
        self.handwritten.discard(effect.ref)

    def _may_replace(self, effect: Effect, before: Mark) -> None:
        if before.instance != self.instance:
            deal = self.deal_of.get(effect.quote_id, "")
            asked = (deal, before.instance, before.quote_id)
            assert asked in self.allowed, f"{effect} replaced {before}, and nobody allowed it"
        elif before.quote_id != effect.quote_id:
            assert effect.quote_id in self.published, f"{effect} replaced {before} unpublished"
        else:
            assert before.version < effect.version, f"{effect} is older than {before}"

    def _written_once(self, effect: Effect) -> None:
        assert effect.key not in self.keys, f"{effect.key} had two effects"
        self.keys.add(effect.key)

    def _fields_written(self, effect: Effect) -> None:
        """Remember what a person had written there and we replaced."""
        for name, value in effect.body.items():
            place = (effect.entity, effect.ref, name)
            before = self.over_there.pop(place, None)
            if before is not None and before != str(value):
                self.overwritten.append((*place, before))

    def _edited_by_hand(self, effect: Effect) -> None:
        for name, value in effect.body.items():
            self.over_there.pop((effect.entity, effect.ref, name), None)
            if is_unique(str(value)):
                self.over_there[effect.entity, effect.ref, name] = str(value)
        if effect.entity == "deal" and MARKER[0] in effect.body:
            instance, quote_id, version, _ = (effect.body[name] for name in MARKER)
            self.slots[effect.ref] = Mark(str(instance), str(quote_id), int(str(version)))
            self.handwritten.add(effect.ref)
        elif effect.entity == "deal" and effect.operation == "tool.add":
            self.slots[effect.ref] = None

    # --- what people were answered ----------------------------------------------------------------

    def edited(self, entity: str, entity_id: str, values: dict[str, str], seq: int) -> None:
        """Remember acknowledged local values."""
        self.edits += [Edit(entity, entity_id, name, text, seq) for name, text in values.items()]

    def quoted(self, version: QuoteVersion) -> None:
        """Remember an acknowledged version of a quote."""
        known = self.versions.setdefault((version.quote_id, version.version), version)
        assert known == version, f"{known} became {version}"


def is_unique(value: str) -> bool:
    """Whether it is a value that the ledger gave out, so that it can be looked for."""
    return re.fullmatch(r"w\d{5}w|7\d{5}\.5", value) is not None


def same_total(one: str, other: Decimal) -> bool:
    """Compare amounts as numbers."""
    return Decimal(one) == other
