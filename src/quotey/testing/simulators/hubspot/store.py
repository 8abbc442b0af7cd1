"""The portal's records: create, change, archive, merge; unique values; what time completes.

Rules about what may be written are in `rules`; HTTP is elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from heapq import heappop, heappush

from msgspec import Struct

from quotey.testing.simulators.clock import Clock, Dice
from quotey.testing.simulators.hubspot.errors import unique_clash
from quotey.testing.simulators.hubspot.index import SearchIndex
from quotey.testing.simulators.hubspot.schema import (
    DEFAULT_PIPELINE,
    TYPES,
    Pipeline,
    Property,
    Stage,
    stock_properties,
)
from quotey.testing.simulators.hubspot.settings import HubSpotSettings
from quotey.testing.simulators.hubspot.values import moment_ms, stamp


class Change(Struct, frozen=True):
    """One write in a record's life: which values it set, and who did it."""

    at: datetime
    values: Mapping[str, str]
    source_type: str
    source_id: str


class Record(Struct):
    """One record. `properties` is replaced by each write, never changed in place."""

    record_id: int
    kind: str
    properties: dict[str, str]
    created_at: datetime
    updated_at: datetime
    changes: list[Change]
    archived_at: datetime | None = None


OnEffect = Callable[[str, str, str, tuple[str, ...]], None]


class Portal:
    """Everything that one account holds."""

    def __init__(
        self, clock: Clock, dice: Dice, settings: HubSpotSettings, on_effect: OnEffect
    ) -> None:
        self.clock = clock
        self.dice = dice
        self.settings = settings
        self.records: dict[str, dict[int, Record]] = {kind: {} for kind in TYPES}
        self.order: dict[str, list[int]] = {kind: [] for kind in TYPES}
        self.properties: dict[str, dict[str, Property]] = {k: stock_properties(k) for k in TYPES}
        self.pipelines: dict[str, list[Pipeline]] = {"deals": [DEFAULT_PIPELINE]}
        self.index = SearchIndex()
        self.aliases: dict[str, dict[int, int]] = {kind: {} for kind in TYPES}
        self.departures = 0
        """How many records came into or left the recycle bin, or merged."""
        self._on_effect = on_effect
        self._owners: dict[tuple[str, str], dict[str, int]] = {}
        self._last_id: dict[str, int] = {}
        self._touches: list[tuple[datetime, int, str, int]] = []
        self._touched = 0

    # -- reading

    def find(self, kind: str, record_id: int) -> Record | None:
        """The record, or the survivor of the merge in which it was lost (1H "Merge")."""
        while record_id in self.aliases[kind]:
            record_id = self.aliases[kind][record_id]
        return self.records[kind].get(record_id)

    def find_by(self, kind: str, name: str, value: str) -> Record | None:
        """The record that owns a unique value; read-your-writes (3H)."""
        wanted = value.lower() if name == "email" else value
        owner = self._owners.get((kind, name), {}).get(wanted)
        return None if owner is None else self.records[kind].get(owner)

    def unique_names(self, kind: str) -> Iterator[str]:
        """The properties of a type that no two records may share a value of."""
        return (name for name, known in self.properties[kind].items() if known.unique)

    def stage(self, kind: str, stage_id: str) -> tuple[Pipeline, Stage] | None:
        """The first pipeline that has this stage, and the stage."""
        for pipeline in self.pipelines.get(kind, []):
            stage = pipeline.stage(stage_id)
            if stage is not None:
                return pipeline, stage
        return None

    # -- writing

    def next_id(self, kind: str) -> int:
        """A fresh id. The same number may well be taken in another type (1H)."""
        step = 1 + self.dice.number() % 97
        self._last_id[kind] = self._last_id.get(kind, 15_000_000_000) + step
        return self._last_id[kind]

    def create(
        self,
        kind: str,
        values: Mapping[str, str],
        source: tuple[str, str],
        *,
        settled: bool = False,
    ) -> Record:
        """Store a new record; a unique value that is taken burns the new id (3H).

        `settled` skips what would follow in the background: it is in the index at once.
        """
        self.refuse_taken(kind, None, values)
        record_id = self.next_id(kind)
        self._claim(kind, record_id, values)
        self.order[kind].append(record_id)
        now = self.clock.now()
        system = {"hs_object_id": str(record_id), TYPES[kind].created: stamp(now)}
        first = {name: value for name, value in values.items() if value != ""}
        record = Record(record_id, kind, {**first, **system}, now, now, [])
        self.records[kind][record_id] = record
        self._commit(record, {**first, **system}, source, settled=settled)
        self._on_effect("create", kind, str(record_id), tuple(sorted(first)))
        return record

    def update(self, record: Record, values: Mapping[str, str], source: tuple[str, str]) -> bool:
        """Set values, blank clears. A write of equal values changes nothing and bumps nothing."""
        current = record.properties
        changed = {n: v for n, v in values.items() if current.get(n, "") != v}
        if not changed:
            return False
        self.refuse_taken(record.kind, record, changed)
        self._release(record, changed)
        self._claim(record.kind, record.record_id, changed)
        merged = {**current, **changed}
        record.properties = {name: value for name, value in merged.items() if value != ""}
        self._commit(record, changed, source)
        self._on_effect("update", record.kind, str(record.record_id), tuple(sorted(changed)))
        return True

    def archive(self, record: Record) -> None:
        """Move to the recycle bin. Doing it twice is harmless; unique values become free."""
        if record.archived_at is None:
            record.archived_at = self.clock.now()
            self.departures += 1
            self._release(record, dict.fromkeys(record.properties, ""))
            self._on_effect("archive", record.kind, str(record.record_id), ())

    def restore(self, record: Record) -> None:
        """Take out of the recycle bin."""
        self.refuse_taken(record.kind, record, record.properties)
        self._claim(record.kind, record.record_id, record.properties)
        record.archived_at = None
        self.departures += 1
        self._on_effect("restore", record.kind, str(record.record_id), ())

    def purge(self, record: Record) -> None:
        """Delete for ever, as a GDPR delete does; a read of the id answers 404."""
        self._release(record, dict.fromkeys(record.properties, ""))
        del self.records[record.kind][record.record_id]
        self.departures += 1
        self._on_effect("purge", record.kind, str(record.record_id), ())

    def merge(self, primary: Record, loser: Record, source: tuple[str, str]) -> Record:
        """Make one of two, under a third id if the portal does so; the old ids become aliases."""
        kind = primary.kind
        fresh = self.settings.merge_makes_new_id
        old = [r for r in (primary, loser) if fresh or r is loser]
        lost = ";".join(str(r.record_id) for r in old)
        joined = {**loser.properties, **primary.properties, "hs_merged_object_ids": lost}
        for record in old:
            self._release(record, dict.fromkeys(record.properties, ""))
            del self.records[kind][record.record_id]
            self.departures += 1
        if kind == "contacts" and loser.properties.get("email"):
            # 3H: secondary e-mails also match and clash.
            joined["hs_additional_emails"] = loser.properties["email"]
        system = {"hs_object_id", TYPES[kind].created, TYPES[kind].modified}
        values = {name: value for name, value in joined.items() if name not in system}
        if not fresh:
            self.update(primary, values, source)
        survivor = self.create(kind, values, source) if fresh else primary
        for record in old:
            self.aliases[kind][record.record_id] = survivor.record_id
        self._on_effect("merge", kind, str(survivor.record_id), (lost,))
        return survivor

    # -- what time completes

    def settle(self) -> None:
        """Finish background work that is due: calculated values, then the index."""
        now = self.clock.now()
        while self._touches and self._touches[0][0] <= now:
            at, _, kind, record_id = heappop(self._touches)
            record = self.records[kind].get(record_id)
            if record is not None and record.updated_at < at:
                self._stamp(record, at, lag=self.dice.between(*self.settings.index_lag))
        self.index.advance(now)

    def _commit(
        self,
        record: Record,
        values: Mapping[str, str],
        source: tuple[str, str],
        *,
        settled: bool = False,
    ) -> None:
        now = self.clock.now()
        record.changes.append(Change(now, values, *source))
        if settled:
            self._stamp(record, now, lag=0.0)
            return
        self._stamp(record, now, lag=self.dice.between(*self.settings.index_lag))
        # 1H: hs_lastmodifieddate advances by itself when calculated values follow.
        self._touched += 1
        due = now + timedelta(seconds=self.dice.between(*self.settings.touch_delay))
        heappush(self._touches, (due, self._touched, record.kind, record.record_id))

    def _stamp(self, record: Record, at: datetime, *, lag: float) -> None:
        record.updated_at = at
        modified = TYPES[record.kind].modified
        derived = self._derived(record)
        record.properties = {**record.properties, **derived, modified: stamp(at)}
        due = at + timedelta(seconds=lag)
        milliseconds = moment_ms(record.properties[modified]) or 0
        self.index.submit(record.kind, record.record_id, milliseconds, record.properties, due)

    def _derived(self, record: Record) -> dict[str, str]:
        if record.kind != "deals":
            return {}
        found = self.stage("deals", record.properties.get("dealstage", ""))
        if found is None:
            return {}
        stage = found[1]
        won = stage.is_closed and float(stage.probability) == 1.0
        amount = record.properties.get("amount")
        return {
            **({"amount_in_home_currency": amount} if amount else {}),
            "hs_deal_stage_probability": stage.probability,
            "hs_is_closed": str(stage.is_closed).lower(),
            "hs_is_closed_won": str(won).lower(),
            "hs_is_closed_lost": str(stage.is_closed and not won).lower(),
        }

    def refuse_taken(self, kind: str, record: Record | None, values: Mapping[str, str]) -> None:
        """Refuse unique values that another record owns, as storing them would.

        Raises:
            HubSpotError: 400 with the two ids of 3H.
        """
        for name in self.unique_names(kind):
            owner = self._owners.get((kind, name), {}).get(values.get(name, ""))
            if owner is not None and (record is None or owner != record.record_id):
                burned = record.record_id if record else self.next_id(kind)
                number, legacy = self.settings.portal_id, TYPES[kind].legacy
                value = values[name]
                raise unique_clash(number, legacy, name, value, burned=burned, owner=owner)

    def _claim(self, kind: str, record_id: int, values: Mapping[str, str]) -> None:
        for name in self.unique_names(kind):
            if values.get(name):
                self._owners.setdefault((kind, name), {})[values[name]] = record_id
        for second in filter(None, values.get("hs_additional_emails", "").split(";")):
            self._owners.setdefault((kind, "email"), {})[second] = record_id

    def _release(self, record: Record, values: Mapping[str, str]) -> None:
        for name in self.unique_names(record.kind):
            old = record.properties.get(name)
            owned = self._owners.get((record.kind, name), {})
            if name in values and values[name] != old and owned.get(old or "") == record.record_id:
                del owned[old or ""]
