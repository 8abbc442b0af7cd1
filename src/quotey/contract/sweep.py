"""What a sweep remembers: how far it came, and what incremental reading had missed.

A sweep lists every id of an entity and compares with the mirror (reliability R7).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quotey.contract.fields import Entity

EXAMPLES = 20
"""How many finds are named, beside being counted."""


class SweepCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep met. `missing`, `stale` and `gone` are what reading had missed, by cause.

    `ahead` differed too, but is so new that reading would have brought it. `unproven` are not
    listed any more, and nothing says that they were deleted: they stay as they are (law 11).
    """

    listed: int = 0
    missing: int = 0
    stale: int = 0
    gone: int = 0
    ahead: int = 0
    unproven: int = 0

    @property
    def missed(self) -> int:
        """How many records incremental reading should have brought and had not."""
        return self.missing + self.stale + self.gone

    def plus(self, other: SweepCounts) -> SweepCounts:
        """Add two figures.

        >>> SweepCounts(listed=2).plus(SweepCounts(listed=1, gone=1)).missed
        1
        """
        names = self.__struct_fields__
        return SweepCounts(**{n: getattr(self, n) + getattr(other, n) for n in names})


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """The sweeps of one entity of one connection.

    `place` is how far the one under way has listed; `listed_all` that it is looking for the ends of
    what was not listed, and `place` is then the last ref looked at. `counts` and `examples` are of
    the one under way, else of the last one. `missed_total` adds up all that ended.
    """

    connection: str
    entity: Entity
    place: str = ""
    listed_all: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    counts: SweepCounts = SweepCounts()
    examples: tuple[str, ...] = ()
    missed_total: int = 0
    correlation_id: str = ""

    @property
    def under_way(self) -> bool:
        """Whether one has begun and not ended."""
        return self.started_at is not None
