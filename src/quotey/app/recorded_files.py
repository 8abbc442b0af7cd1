"""The files of a recording: what is in each, the last look at them, and writing them or nothing.

How they come to be read and concealed is not here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quotey.adapters import Recording
from quotey.app.wiring import House
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.contract.mapping_text import write_mapping, written
from quotey.contract.values import shown

SCHEMA = "quotey.recording/1"
HTTP, ABOUT = "http.jsonl", "recording.json"
DATA_SET, MAPPING = "dataset.toml", "mapping.toml"
SOURCE_TS = "source_ts"
"""The column that the data set gets beside what the CRM sent: when the record last changed."""


class EntityRead(msgspec.Struct, kw_only=True):
    """What one entity gave."""

    rows: dict[str, RemoteRecord] = msgspec.field(default_factory=dict)
    left_out: int = 0
    more: bool = False
    as_of: datetime | None = None


def files_of(
    house: House, recording: Recording, read: Mapping[Entity, EntityRead], exchanges: list[bytes]
) -> dict[str, bytes]:
    """Give the files by name: the data set with its mapping, the exchanges, and what they are of.

    Raises RefusedError for a record that cannot be judged.
    """
    files = {f"{entity}s.json": _rows(recording, one) for entity, one in read.items()}
    files[HTTP] = b"".join(line + b"\n" for line in exchanges)
    files[MAPPING] = write_mapping(house.mapping).encode()
    files[DATA_SET] = _data_set(house, read).encode()
    files[ABOUT] = _about(house, recording)
    return files


def _rows(recording: Recording, read: EntityRead) -> bytes:
    from quotey.contract.dataset import Row
    from quotey.contract.rows import payload_of

    lines: list[bytes] = []
    for ref, one in read.rows.items():
        held = recording.record(one.payload)
        assert isinstance(held, dict), "an adapter's payload is an object"
        values = {**held, SOURCE_TS: one.source_ts.isoformat()}
        lines.append(payload_of(Row(crm_ref=ref, values=values, line=0)))
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _data_set(house: House, read: Mapping[Entity, EntityRead]) -> str:
    seen = [one.as_of for one in read.values() if one.as_of]
    as_of = max(seen, default=house.now()).astimezone(UTC).replace(microsecond=0)
    lines = [
        f"# Recorded from {house.provider.name}, every personal value replaced by a stand-in.",
        "",
        f"as_of = {as_of.strftime('%Y-%m-%dT%H:%M:%SZ')}",
        f"mapping = {written(MAPPING)}",
    ]
    if house.mapping.default_currency is not None:
        lines.append(f"default_currency = {written(house.mapping.default_currency)}")
    for entity in read:
        id_ = house.mapping.entities[entity].field("id")
        assert id_ is not None, "every mapping has an id for each entity"
        lines += [
            "",
            f"[{entity}]",
            f"file = {written(f'{entity}s.json')}",
            'format = "json"',
            f"key = {written(id_.path)}",
            f"modified = {written(SOURCE_TS)}",
            *_references(house, entity),
        ]
    return "\n".join(lines) + "\n"


def _references(house: House, entity: Entity) -> list[str]:
    parent = house.mapping.entities[entity].field("account_id")
    if parent is None:
        return []
    named = written({parent.path: {"entity": Entity.ACCOUNT.value}})
    return [f"references = {named}"]


def _about(house: House, recording: Recording) -> bytes:
    content = {
        "schema": SCHEMA,
        "provider": house.provider.name,
        "transport": recording.transport,
        "settings": recording.settings(),
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def refuse_leaks(recording: Recording, files: Mapping[str, bytes]) -> None:
    """Raise RefusedError when anything is left in that had to be replaced."""
    for name, content in files.items():
        for number, line in enumerate(content.splitlines(), start=1):
            if found := recording.left_in(line):
                raise RefusedError(
                    f"{' and '.join(found)} would have been left in {name} line {number}. "
                    "Nothing was written."
                )


def write_all(target: Path, files: Mapping[str, bytes]) -> None:
    """Write all files for their owner only, whole or not at all. Raises UsageError."""
    draft = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        for name, content in files.items():
            create(draft / name, content)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UsageError(
            f"{shown(target.name)} cannot be written: {error.strerror}. Nothing was recorded."
        ) from error


def create(path: Path, content: bytes) -> None:
    """Make a new file that only its owner can read. FileExistsError when there is one."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
