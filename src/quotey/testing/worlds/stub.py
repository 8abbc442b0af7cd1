"""The world of the conformance suite over the stub; the stub's own tools are its hands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity
from quotey.contract.mapping import Join
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.testing.world import Fault
from quotey.testing.worlds.wire_words import wired

EMPTY = """
as_of = 2026-01-15T09:00:00Z
default_currency = "USD"
[account]
file = "accounts.csv"
key = "id"
[contact]
file = "contacts.csv"
key = "id"
[deal]
file = "deals.csv"
key = "id"
"""


def empty_data_set(folder: Path) -> Path:
    """Write a data set that has headings only, and give its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(EMPTY, encoding="utf-8")
    for name in ("accounts", "contacts", "deals"):
        (folder / f"{name}.csv").write_text("id\n", encoding="utf-8")
    return folder


class Hands(Protocol):
    """What this world needs of the stub's tools; `quotey crm stub` has the same by hand."""

    def add(
        self,
        entity: str,
        ref: str,
        fields: Mapping[str, str | None],
        *,
        at: datetime | None = None,
    ) -> Any:  # noqa: ANN401 - the stub's own type, with `ref`
        """Make a record."""

    def set(
        self,
        entity: str,
        ref: str,
        fields: Mapping[str, str | None],
        *,
        unset: Iterable[str] = (),
    ) -> Any:  # noqa: ANN401 - the stub's own type
        """Change a record."""

    def delete(self, entity: str, ref: str) -> object:
        """Delete a record."""

    def merge(self, entity: str, loser: str, winner: str) -> object:
        """Merge one record into another."""

    def log(self) -> Sequence[Any]:
        """Give every change that the CRM has seen."""

    def fail(
        self,
        kind: str,
        *,
        operation: str = "*",
        times: int = 1,
        after: int = 0,
        retry_after: float | None = None,
    ) -> object:
        """Let calls go wrong."""

    def reauthorise(self) -> object:
        """End an auth stop."""

    def close(self) -> None:
        """Give the file back."""


class StubWorld:
    """`quotey.testing.world.World` over a stub without records."""

    connection = "main"
    described = "the stub's own file"
    faults = frozenset(Fault)

    def __init__(
        self, mapping: CrmMapping, open_adapter: Callable[[], CrmAdapter], tools: Hands
    ) -> None:
        self.mapping = mapping
        self.tools = tools
        self._open_adapter = open_adapter
        self._open: list[CrmAdapter] = []
        self.adapter: CrmAdapter = self.reopen()

    def reopen(self) -> CrmAdapter:
        """Give another adapter on the same file."""
        adapter = self._open_adapter()
        self._open.append(adapter)
        return adapter

    def add(
        self, entity: Entity, values: Mapping[str, str | None], *, at: datetime | None = None
    ) -> str:
        """Make a record."""
        ref: str = self.tools.add(entity, "", self._wire(entity, values), at=at).ref
        return ref

    def edit(self, entity: Entity, ref: str, values: Mapping[str, str | None]) -> None:
        """Change a record."""
        self.tools.set(entity, ref, self._wire(entity, values))

    def take_away(self, entity: Entity, ref: str, field: str) -> None:
        """Take a property out of the payload."""
        self.tools.set(entity, ref, {}, unset=[field])

    def delete(self, entity: Entity, ref: str) -> None:
        """Delete a record."""
        self.tools.delete(entity, ref)

    def merge(self, entity: Entity, loser: str, winner: str) -> str:
        """Merge one record into another."""
        self.tools.merge(entity, loser, winner)
        return winner

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        """Write a marker, as another desk would."""
        quote = self.mapping.entities[Entity.QUOTE]
        names = {field.name: field.path for field in quote.fields}
        self.tools.set(
            Entity.DEAL,
            deal,
            {
                names["id"]: marker.quote_id,
                names["version"]: str(marker.version),
                quote.settings["marker_instance"]: marker.instance_id,
                quote.settings["marker_digest"]: marker.payload_digest,
            },
        )

    def scribble(self, deal: str) -> None:
        """Write a version that is none."""
        version = self.mapping.entities[Entity.QUOTE].field("version")
        assert version is not None, "a quote's version is mapped"
        self.tools.set(Entity.DEAL, deal, {version.path: "the second one"})

    def effects(self, entity: Entity, ref: str) -> int:
        """Count the changes of a record."""
        return sum((one.entity, one.ref) == (entity, ref) for one in self.tools.log())

    def fail(
        self,
        fault: Fault,
        *,
        operation: str = "*",
        times: int = 1,
        after: int = 0,
        retry_after: float | None = None,
    ) -> None:
        """Let the next calls of an operation go wrong."""
        self.tools.fail(
            fault, operation=operation, times=times, after=after, retry_after=retry_after
        )

    def reauthorise(self) -> None:
        """End an auth stop."""
        self.tools.reauthorise()

    def close(self) -> None:
        """Give everything back."""
        self.tools.close()
        for adapter in self._open:
            adapter.close()

    def _wire(self, entity: Entity, values: Mapping[str, str | None]) -> dict[str, str | None]:
        """Give the stub's own words; a joined name goes whole into its first property."""
        words: dict[str, str | None] = {}
        for field, value in wired(self.mapping, entity, values):
            text = None if value is None else str(value)
            if isinstance(field.transform, Join):
                words |= dict.fromkeys(field.transform.paths)
                words[field.transform.paths[0]] = text
            else:
                words[field.path] = text
        return words
