"""What people, automation and other programs do to an org behind the caller's back.

Source: crm-semantics.md 1S "System fields", "Deleted/merged"; 2S; 3S "Locks".
"""

from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.salesforce.ids import normal
from quotey.testing.simulators.salesforce.rules import DuplicateRule, ValidationRule
from quotey.testing.simulators.salesforce.saves import Saver
from quotey.testing.simulators.salesforce.schema import MERGEABLE, STAGES, Field, Value
from quotey.testing.simulators.salesforce.settings import SalesforceSettings
from quotey.testing.simulators.salesforce.store import ROBOT, Org, Row, stamped


class DrivenOrg(Core):
    """An org that can be driven. `org` holds its rows; rules go to `validations`, `duplicates`."""

    name = "salesforce"

    def __init__(
        self, clock: Clock, seed: int = 0, settings: SalesforceSettings | None = None
    ) -> None:
        super().__init__(clock, seed)
        self.settings = settings or SalesforceSettings()
        self.org = Org(clock, self.dice, self.settings, self.effects)
        self.validations: list[ValidationRule] = []
        self.duplicates: list[DuplicateRule] = []
        self.saver = Saver(self.org, self.validations, self.duplicates)
        self._fill_setup()

    def define(self, sobject: str, field: Field) -> None:
        """An administrator adds or replaces a field."""
        with self.guard:
            self.org.objects[sobject][field.name] = field

    def create(self, sobject: str, values: Mapping[str, object]) -> Row:
        """A person creates a record."""
        with self.guard:
            return self.saver.create(sobject, values, allow_duplicates=True)

    def edit(self, row_id: str, values: Mapping[str, object]) -> Row:
        """A person changes a record; null clears."""
        with self.guard:
            return self.saver.update(self._row(row_id), values)

    def automate(self, row_id: str, values: Mapping[str, Value]) -> Row:
        """Automation changes a record past all rules; only SystemModstamp moves."""
        with self.guard:
            row = self._row(row_id)
            changed = replace(row, values={**row.values, **values})
            self.org.put(stamped(changed, self.clock.now(), by=ROBOT, robot=True))
            return self._row(row_id)

    def delete(self, row_id: str) -> None:
        """A person deletes a record into the bin."""
        with self.guard:
            self.saver.delete(self._row(row_id))

    def undelete(self, row_id: str) -> None:
        """A person takes a record out of the bin: IsDeleted goes back, SystemModstamp moves."""
        with self.guard:
            row = replace(self._row(row_id), deleted_at=None, master=None)
            self.org.put(stamped(row, self.clock.now()))

    def purge(self, row_id: str) -> None:
        """The bin is emptied of a record; nothing shows it any more."""
        with self.guard:
            self.org.purge(self._row(row_id))

    def merge(self, winner: str, loser: str) -> None:
        """A person merges: the loser is deleted and names its master; children move (2S)."""
        with self.guard:
            kept, lost = self._row(winner), self._row(loser)
            if kept.sobject != lost.sobject or kept.sobject not in MERGEABLE:
                raise ValueError(f"{kept.sobject} and {lost.sobject} cannot be merged")
            for sobject, fields in self.org.objects.items():
                for name in (f.name for f in fields.values() if f.refers_to == kept.sobject):
                    self._move_children(sobject, name, kept, lost)
            now = self.clock.now()
            gone = replace(lost, deleted_at=now, master=kept.row_id)
            self.org.put(stamped(gone, now))
            self.org.put(stamped(kept, now))

    def write_late(self, row_id: str, values: Mapping[str, Value], seconds: float) -> None:
        """A long transaction changes a record: stamped now, visible `seconds` later (2S)."""
        with self.guard:
            now = self.clock.now()
            row = self._row(row_id)
            changed = stamped(replace(row, values={**row.values, **values}), now)
            self.org.open_late(changed, now + timedelta(seconds=seconds))

    def create_late(self, sobject: str, values: Mapping[str, Value], seconds: float) -> str:
        """A long transaction creates a record: stamped now, visible `seconds` later; its id."""
        with self.guard:
            now = self.clock.now()
            second = now.replace(microsecond=0)
            row_id = self.org.fresh_id(sobject)
            row = Row(row_id, sobject, dict(values), second, second, second)
            self.org.open_late(row, now + timedelta(seconds=seconds))
            return row_id

    def lock(self, row_id: str, seconds: float) -> None:
        """Another transaction holds a record for a while (3S "Locks")."""
        with self.guard:
            until = self.clock.now() + timedelta(seconds=seconds)
            self.org.locks[self._row(row_id).row_id] = until

    def _row(self, row_id: str) -> Row:
        full = normal(row_id) or ""
        for table in self.org.rows.values():
            if full in table:
                return table[full]
        raise KeyError(f"no record {row_id}")

    def _move_children(self, sobject: str, name: str, kept: Row, lost: Row) -> None:
        for child in list(self.org.rows[sobject].values()):
            if child.values.get(name) == lost.row_id:
                moved = replace(child, values={**child.values, name: kept.row_id})
                self.org.put(stamped(moved, self.clock.now(), robot=True))

    def _fill_setup(self) -> None:
        now = self.clock.now().replace(microsecond=0)
        stages: list[tuple[str, dict[str, Value]]] = [
            (
                "OpportunityStage",
                {
                    "ApiName": stage.label,
                    "MasterLabel": stage.label,
                    "IsActive": True,
                    "IsClosed": stage.is_closed,
                    "IsWon": stage.is_won,
                },
            )
            for stage in STAGES
        ]
        currencies: list[tuple[str, dict[str, Value]]] = [
            ("CurrencyType", {"IsoCode": code, "IsActive": True, "IsCorporate": place == 0})
            for place, code in enumerate(self.settings.currencies)
        ]
        for sobject, values in stages + currencies:
            row = Row(self.org.fresh_id(sobject), sobject, values, now, now, now)
            self.org.put(row)
        self.effects.clear()
