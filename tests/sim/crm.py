"""The CRM of the simulation: every record with its full history; it shares no code with the engine.

Moments are whole seconds, so ties are common; a revision shows in the index some time after it was
made; replicas may lag. What was done is in `effects`, with true times, for the oracles.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sim.faults import Dice
from tests.sim.scheduler import Scheduler

Fields = dict[str, Any]
ENTITIES = ("account", "contact", "deal")
NEVER = 1e9
"""The moment at which the index shows what it has lost."""
COPY = "of a copy"
"""The digest of marks of our own quotes that somebody leaves who works on a copy of our database.

Who looked before it came writes over it, where no write is conditional (N2).
"""


@dataclass(frozen=True)
class Mark:
    """Whose quote stands in a slot."""

    instance: str
    quote: str
    version: int
    digest: str


@dataclass(frozen=True)
class Revision:
    """One state of a record. `at` is true time, `stamp` what the CRM says, in whole seconds."""

    number: int
    at: float
    stamp: int
    shows_at: float
    fields: Fields
    deleted: bool = False
    merged_into: str | None = None
    mark: Mark | None = None

    @property
    def gone(self) -> bool:
        """Whether it was deleted or merged away."""
        return self.deleted or self.merged_into is not None

    @property
    def payload(self) -> bytes:
        """Give the JSON that goes over the wire."""
        return json.dumps(self.fields).encode()


@dataclass(frozen=True)
class Effect:
    """Something that was done to a record, by whom, and what it replaced."""

    at: float
    what: str
    ref: str
    by: str
    sent_at: float
    mark: Mark | None = None
    before: Fields = field(default_factory=dict)
    after: Fields = field(default_factory=dict)
    was: Mark | None = None


class RefusedByCrmError(Exception):
    """The CRM says no; `code` is its own word for why."""

    def __init__(self, code: str, ref: str = "") -> None:
        super().__init__(code)
        self.code, self.ref = code, ref


@dataclass
class Crm:
    """Records, slots and keys. Every method is one instant."""

    scheduler: Scheduler
    dice: Dice
    tier: int
    lag: float
    history: dict[str, dict[str, list[Revision]]] = field(
        default_factory=lambda: {entity: {} for entity in ENTITIES}
    )
    effects: list[Effect] = field(default_factory=list)
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    penalty_until: float = -1.0
    authorised: bool = True
    told: Callable[[Effect], None] = lambda _effect: None
    _count: int = 0

    # --- what stands ------------------------------------------------------------------------------

    def now(self, entity: str, ref: str) -> Revision | None:
        """Give the record as it truly stands."""
        found = self.history[entity].get(ref)
        return found[-1] if found else None

    def living(self, entity: str, ref: str) -> Revision:
        """Give a record that may be written to."""
        found = self.now(entity, ref)
        if found is None or found.deleted:
            raise RefusedByCrmError("not_found", ref)
        if found.merged_into is not None:
            raise RefusedByCrmError("merged", found.merged_into)
        return found

    def refs(self, entity: str) -> list[str]:
        """Give the living records."""
        return [ref for ref, states in self.history[entity].items() if not states[-1].gone]

    def shown(self, entity: str, seen_at: float) -> list[tuple[str, Revision]]:
        """Give what the index shows, as of a moment, by (stamp, ref)."""
        found = []
        for ref, states in self.history[entity].items():
            visible = [one for one in states if one.shows_at <= seen_at]
            if visible:
                found.append((ref, visible[-1]))
        return sorted(found, key=lambda one: (one[1].stamp, one[0]))

    # --- what is done -----------------------------------------------------------------------------

    def put(
        self,
        entity: str,
        ref: str,
        fields: Fields,
        *,
        mark: Mark | None = None,
        deleted: bool = False,
        merged_into: str | None = None,
    ) -> Revision:
        """Make the next revision of a record."""
        self._count += 1
        now = self.scheduler.now
        states = self.history[entity].setdefault(ref, [])
        mark = mark or (states[-1].mark if states else None)
        delay = 0.0
        if self.dice.strikes("index_lag"):
            delay = self.dice.between("index_lag", 0.0, self.lag / 2 - 1)
        shows_at = max([now + delay, *(one.shows_at for one in states if one.shows_at < NEVER)])
        if self.dice.strikes("hidden"):
            shows_at = NEVER
        whole = {**(states[-1].fields if states else {"id": ref}), **fields}
        made = Revision(self._count, now, int(now), shows_at, whole, deleted, merged_into, mark)
        states.append(made)
        return made

    def change(self, entity: str, ref: str, fields: Fields, *, by: str, sent_at: float) -> Revision:
        """Write fields of a living record, and remember what they replaced."""
        before = self.living(entity, ref).fields
        made = self.put(entity, ref, fields)
        old = {name: before.get(name) for name in fields}
        self._note(Effect(self.scheduler.now, f"{entity}.set", ref, by, sent_at, None, old, fields))
        return made

    def create_deal(
        self, fields: Fields, *, key: str, by: str, sent_at: float
    ) -> tuple[str, Revision, bool]:
        """Make a deal once for a key."""
        known = self.keys.get(key)
        if known is not None:
            ref, number = known
            return ref, next(r for r in self.history["deal"][ref] if r.number == number), False
        self.living("account", fields["account_id"])
        ref = f"D-{len(self.history['deal']) + 1}"
        made = self.put("deal", ref, fields)
        self.keys[key] = (ref, made.number)
        self._note(
            Effect(
                self.scheduler.now, "deal.create", ref, by, sent_at, after={"key": key, **fields}
            )
        )
        return ref, made, True

    def update(
        self, entity: str, ref: str, fields: Fields, *, key: str, by: str, sent_at: float
    ) -> Revision:
        """Write fields once for a key."""
        known = self.keys.get(key)
        if known is not None:
            return next(r for r in self.history[entity][known[0]] if r.number == known[1])
        made = self.change(entity, ref, fields, by=by, sent_at=sent_at)
        self.keys[key] = (ref, made.number)
        return made

    def write_quote(
        self, ref: str, mark: Mark, fields: Fields, *, token: str | None, by: str, sent_at: float
    ) -> Revision:
        """Fill the slot of a deal; on tier 1 only as `token` saw it. One mark has one effect.

        As with If-Match, a write without a token has no condition.
        """
        deal = self.living("deal", ref)
        if deal.mark == mark:
            return deal
        if self.tier == 1 and token is not None and token != self.token(ref):
            raise RefusedByCrmError("precondition", ref)
        return self.mark(ref, mark, fields, by=by, sent_at=sent_at)

    def mark(self, ref: str, mark: Mark, fields: Fields, *, by: str, sent_at: float) -> Revision:
        """Put a mark into a slot, whoever does it."""
        was = self.living("deal", ref).mark
        made = self.put("deal", ref, fields, mark=mark)
        self._note(
            Effect(self.scheduler.now, "quote.write", ref, by, sent_at, mark, after=fields, was=was)
        )
        return made

    def token(self, ref: str) -> str:
        """Name the state of a slot: the last revision that changed its mark."""
        states = self.history["deal"][ref]
        token = 0
        for before, after in zip([None, *states], states, strict=False):
            if before is None or before.mark != after.mark:
                token = after.number
        return str(token)

    def delete(self, entity: str, ref: str) -> None:
        """Delete a record."""
        self.living(entity, ref)
        self.put(entity, ref, {}, deleted=True)
        self._note(
            Effect(self.scheduler.now, f"{entity}.delete", ref, "people", self.scheduler.now)
        )

    def merge(self, entity: str, loser: str, winner: str) -> None:
        """Merge one record into another."""
        self.living(entity, loser)
        self.living(entity, winner)
        self.put(entity, loser, {}, merged_into=winner)
        self._note(
            Effect(self.scheduler.now, f"{entity}.merge", loser, "people", self.scheduler.now)
        )

    def _note(self, effect: Effect) -> None:
        self.effects.append(effect)
        self.told(effect)
