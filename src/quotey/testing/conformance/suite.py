"""What all parts of the suite share: how a test gets its world, and what it leaves as evidence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from quotey.contract.dto import Canonical
from quotey.contract.fields import Entity
from quotey.testing.world import Fault, NotOfferedError, World


class Evidence(msgspec.Struct, frozen=True):
    """One field that an operation was seen to carry; the last one of a failed test broke it."""

    operation: str
    entity: Entity
    field: str


class Suite:
    """A part of the conformance suite."""

    def make_world(self, folder: Path) -> World:
        """Make a world with a CRM of its own; `folder` is empty and may be written to."""
        raise NotImplementedError("an adapter's test class says how its world is made")

    @property
    def evidence(self) -> list[Evidence]:
        """What this instance's tests have looked at, field by field."""
        found: list[Evidence] = self.__dict__.setdefault("_evidence", [])
        return found

    @contextlib.contextmanager
    def world(self, folder: Path, *needs: Fault) -> Iterator[World]:
        """Open a world for one test; skip the test when it cannot show what the test needs."""
        try:
            with contextlib.closing(self.make_world(folder)) as world:
                missing = [fault for fault in needs if fault not in world.faults]
                if missing:
                    not_offered(f"this world cannot show {', '.join(missing)}")
                yield world
        except NotOfferedError as reason:
            not_offered(str(reason))

    def carries(
        self,
        operation: str,
        entity: Entity,
        found: Mapping[str, object] | Canonical,
        expected: Canonical,
    ) -> None:
        """Check each expected field of what an operation carried, and leave evidence of it."""
        for field, value in expected.items():
            self.evidence.append(Evidence(operation, entity, field))
            assert found.get(field) == value, f"{operation} {entity}.{field}"


def not_offered(reason: str) -> NoReturn:
    """Skip the test: what it is about is not offered, by the CRM or by this world."""
    import pytest

    pytest.skip(reason)
