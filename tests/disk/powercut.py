"""What is on the disk after a power cut: synced writes, and any part of the others.

A run is recorded once, with its acknowledgements; then the power is cut at as many of its
operations as wanted. Of what was not synced by then any subset may be there, in any order, and any
write may be torn between sectors. Shared memory is never on a disk. Source: reliability 3.6.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import apsw

SECTOR = 512


class Step(NamedTuple):
    """One operation on one file; `ack` steps hold what a person was told by then."""

    kind: str
    name: str
    offset: int = 0
    content: bytes = b""
    told: object = None


@dataclass
class Recorder:
    """Writes down every operation, with what was acknowledged between them.

    With a `folder` only what happens to the files in it is written down.
    """

    steps: list[Step] = field(default_factory=list)
    folder: Path | None = None

    def met(self, kind: str, path: Path, offset: int, content: bytes) -> int | None:
        """Note an operation; nothing fails."""
        if kind != "read" and self.folder in (None, path.parent):
            self.steps.append(Step(kind, path.name, offset, content))
        return None

    def failure(self) -> apsw.Error:
        """Nothing fails here."""
        raise AssertionError

    def acknowledge(self, told: object) -> None:
        """Note that somebody was told of a success."""
        self.steps.append(Step("ack", "", told=told))


@dataclass
class Content:
    """One file: what is safe, and what has been done since and may be lost."""

    safe: bytes = b""
    there: bool = False
    loose: list[Step] = field(default_factory=list)
    before: bytes | None = None  # deleted, but the folder may not know it yet

    def whole(self) -> bytes:
        """Give it with everything that was done."""
        return _applied(self.safe, self.loose)

    def sync(self) -> None:
        """Make everything safe."""
        self.safe, self.loose, self.there, self.before = self.whole(), [], True, None

    def cut(self, chance: random.Random) -> bytes | None:
        """Give what is there after a cut; None: no such file."""
        if self.before is not None and chance.random() < HALF:
            return self.before
        if not self.there and not self.loose:
            return None
        if not self.there and chance.random() < HALF:
            return None
        return _applied(self.safe, list(_kept(self.loose, chance)))


HALF = 0.5


def _kept(steps: Sequence[Step], chance: random.Random) -> Iterator[Step]:
    """Keep any of them, some in parts; of some cuts nearly nothing is kept, of some nearly all."""
    share = chance.choice((0.05, 0.5, 0.95))
    for step in steps:
        if chance.random() < share:
            yield step
        elif step.kind == "write" and chance.random() < HALF:
            for start in range(0, len(step.content), SECTOR):
                if chance.random() < HALF:
                    part = step.content[start : start + SECTOR]
                    yield step._replace(offset=step.offset + start, content=part)


def _applied(safe: bytes, steps: Sequence[Step]) -> bytes:
    content = bytearray(safe)
    for step in steps:
        if step.kind == "truncate":
            del content[step.offset :]
            continue
        if len(content) < step.offset:
            content.extend(bytes(step.offset - len(content)))
        content[step.offset : step.offset + len(step.content)] = step.content
    return bytes(content)


@dataclass
class Disk:
    """All files, as the operations go by; `told` is what was acknowledged by now."""

    files: dict[str, Content]
    told: list[object] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> Disk:
        """Begin with what lies in a folder, all of it safe."""
        found = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
        return cls({name: Content(safe=safe, there=True) for name, safe in found.items()})

    def take(self, step: Step) -> None:
        """Let one operation happen."""
        if step.kind == "ack":
            self.told.append(step.told)
            return
        file = self.files.setdefault(step.name, Content())
        match step.kind:
            case "sync":
                file.sync()
            case "delete":
                left = None if step.offset else (file.safe if file.there else None)
                self.files[step.name] = Content(before=left)
            case _:
                file.loose.append(step)

    def write(self, folder: Path, chance: random.Random, *, spared: str) -> None:
        """Write what a cut leaves now; files whose name begins with `spared` are elsewhere."""
        folder.mkdir(mode=0o700, parents=True)
        for name, file in self.files.items():
            if name.endswith("-shm"):
                continue
            if not name.startswith(spared):
                left = file.cut(chance)
            else:
                left = file.whole() if file.there or file.loose else None
            if left is not None:
                place = folder / name
                place.touch(mode=0o600)
                place.write_bytes(left)
