"""`crm record`: a live CRM's traffic, concealed, as a stub data set and as HTTP fixtures.

It only reads. Either the whole recording is written, or nothing: what cannot be concealed for sure
is not written at all. What is personal is known by the provider's own folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quotey.adapters import Concealed, Recording
from quotey.app.reports import Progress
from quotey.app.wiring import House
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import ExitCode, RefusedError, RemoteFailure, UsageError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.mapping_text import write_mapping, written
from quotey.contract.values import shown

if TYPE_CHECKING:
    from quotey.sync.ports import Run

SCHEMA = "quotey.recording/1"
HTTP, ABOUT = "http.jsonl", "recording.json"
DATA_SET, MAPPING = "dataset.toml", "mapping.toml"
KEY_FILE = "record.key"
KEY_BYTES = 32
SOURCE_TS = "source_ts"
"""The column that the data set gets beside what the CRM sent: when the record last changed."""


class RecordWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded: at most `limit` records of an entity; `keep` are contract fields."""

    folder: Path
    limit: int | None = None
    keep: tuple[str, ...] = ()
    dry_run: bool = False


class RecordedEntity(msgspec.Struct, frozen=True, kw_only=True):
    """How many records of an entity were recorded; `left_out` are deleted or could not be read.

    `more` says that the limit was reached before the end.
    """

    entity: Entity
    records: int
    left_out: int
    more: bool


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A recording; with `dry_run` what it would be. `files` are empty when nothing was written.

    `stopped` is why reading ended early, "" when it did not; what had come until then is recorded.
    """

    folder: str
    provider: str
    transport: str
    dry_run: bool
    entities: tuple[RecordedEntity, ...]
    exchanges: int
    concealed: tuple[Concealed, ...]
    kept: tuple[str, ...]
    files: tuple[str, ...]
    stopped: str = ""
    exit_code: ExitCode = ExitCode.DONE


class _Read(msgspec.Struct, kw_only=True):
    """What one entity gave."""

    rows: dict[str, RemoteRecord] = msgspec.field(default_factory=dict)
    left_out: int = 0
    more: bool = False
    as_of: datetime | None = None


def record(
    house: House, wish: RecordWish, progress: Callable[[Progress], None] | None = None
) -> Recorded:
    """Read a CRM from its beginning and write what went over the wire, concealed.

    Raises UsageError (the folder is taken, nothing to record, a field cannot be kept), RefusedError
    (something would have been left in), RemoteFailure when nothing was answered. Nothing is
    written then.
    """
    target = wish.folder
    _check(house, wish)
    with closing(_Opened(house, wish)) as opened:
        read, failure = _read_all(house, opened.recording, wish.limit, progress)
        exchanges = opened.recording.exchanges()
        if failure is not None and not exchanges:
            raise failure
        files = _files(house, opened.recording, read, exchanges)
        _refuse_leaks(opened.recording, files)
        if not wish.dry_run:
            _write(target, files)
            opened.keep_key()
        return _told(house, wish, opened.recording, read, failure, exchanges, files)


def _check(house: House, wish: RecordWish) -> None:
    if house.provider.record is None:
        raise UsageError(
            f"Connection {house.connection} is {house.provider.name}: there is no traffic to "
            "record. Nothing was changed.",
            next=("quotey crm status",),
        )
    if wish.limit is not None and wish.limit < 1:
        raise UsageError("The limit is at least 1. Nothing was recorded.")
    try:
        taken = wish.folder.exists() and (not wish.folder.is_dir() or any(wish.folder.iterdir()))
    except OSError as error:
        raise UsageError(
            f"{shown(wish.folder.name)} cannot be used: {error.strerror}. Nothing was recorded."
        ) from error
    if taken:
        raise UsageError(f"{shown(wish.folder.name)} is not empty. Nothing was recorded.")


class _Opened:
    """A recording under way, and the key of its stand-ins."""

    def __init__(self, house: House, wish: RecordWish) -> None:
        open_recording = house.provider.record
        assert open_recording is not None, "checked before"
        self._path = house.settings.home / KEY_FILE
        self._key = _read_key(self._path)
        self._is_new = self._key is None
        self._key = self._key or secrets.token_bytes(KEY_BYTES)
        self.recording: Recording = open_recording(
            house.options,
            house.mapping,
            house.connection,
            home=house.settings.home,
            key=self._key,
            keep=frozenset(wish.keep),
        )

    def keep_key(self) -> None:
        """Keep the key in the home, so that the next recording has the same stand-ins."""
        if self._is_new and self._key is not None:
            _create(self._path, self._key.hex().encode())

    def close(self) -> None:
        """Give the connections back."""
        self.recording.adapter.close()


def _read_key(path: Path) -> bytes | None:
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path.name} in the home cannot be read. Remove it; recordings get other stand-ins "
            "then. Nothing was recorded."
        ) from error
    return key


# --- reading --------------------------------------------------------------------------------------


def _read_all(
    house: House,
    recording: Recording,
    limit: int | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[dict[Entity, _Read], RemoteFailure | None]:
    run = house.run()
    found = {entity: _Read() for entity in MIRRORED if entity in house.mapping.entities}
    for entity, read in found.items():
        try:
            for _page in _pages(run, recording, entity, read, limit):
                if progress:
                    progress(Progress(step="record", entity=entity.value, done=len(read.rows)))
        except RemoteFailure as failure:
            return found, failure
    return found, None


def _pages(
    run: Run, recording: Recording, entity: Entity, read: _Read, limit: int | None
) -> Iterator[None]:
    """Read page after page as a sync does, until the end or the limit."""
    from quotey.sync import door

    adapter, cursor, has_more = recording.adapter, "", True
    while has_more:
        size = adapter.capabilities.page_size
        room = size if limit is None else min(size, limit - len(read.rows))
        if room < 1:
            read.more = True
            return
        page = door.read(
            run,
            lambda call, at=cursor, most=room: adapter.sync_incremental(  # type: ignore[misc]
                entity, at, limit=most, call=call
            ),
        )
        gone = [one for one in page.records if one.deleted or one.merged_into]
        read.rows |= {one.crm_ref: one for one in page.records if one not in gone}
        read.left_out += len(gone) + len(page.failures)
        read.as_of = page.source_ts
        cursor, has_more = page.next_cursor, page.has_more
        yield


# --- files ----------------------------------------------------------------------------------------


def _files(
    house: House, recording: Recording, read: Mapping[Entity, _Read], exchanges: list[bytes]
) -> dict[str, bytes]:
    files = {f"{entity}s.json": _rows(recording, one) for entity, one in read.items()}
    files[HTTP] = b"".join(line + b"\n" for line in exchanges)
    files[MAPPING] = write_mapping(house.mapping).encode()
    files[DATA_SET] = _data_set(house, read).encode()
    files[ABOUT] = _about(house, recording)
    return files


def _rows(recording: Recording, read: _Read) -> bytes:
    from quotey.contract.dataset import Row
    from quotey.contract.rows import payload_of

    lines: list[bytes] = []
    for ref, one in read.rows.items():
        held = recording.record(one.payload)
        assert isinstance(held, dict), "an adapter's payload is an object"
        values = {**held, SOURCE_TS: one.source_ts.isoformat()}
        lines.append(payload_of(Row(crm_ref=ref, values=values, line=0)))
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _data_set(house: House, read: Mapping[Entity, _Read]) -> str:
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


def _refuse_leaks(recording: Recording, files: Mapping[str, bytes]) -> None:
    """Raise RefusedError when anything is left in that had to be replaced."""
    for name, content in files.items():
        for number, line in enumerate(content.splitlines(), start=1):
            if found := recording.left_in(line):
                raise RefusedError(
                    f"{' and '.join(found)} would have been left in {name} line {number}. "
                    "Nothing was written."
                )


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    """Write all files for their owner only, whole or not at all. Raises UsageError."""
    draft = target.with_name(f".{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        for name, content in files.items():
            _create(draft / name, content)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UsageError(
            f"{shown(target.name)} cannot be written: {error.strerror}. Nothing was recorded."
        ) from error


def _create(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _told(
    house: House,
    wish: RecordWish,
    recording: Recording,
    read: Mapping[Entity, _Read],
    failure: RemoteFailure | None,
    exchanges: list[bytes],
    files: Mapping[str, bytes],
) -> Recorded:
    return Recorded(
        folder=str(wish.folder),
        provider=house.provider.name,
        transport=recording.transport,
        dry_run=wish.dry_run,
        entities=tuple(
            RecordedEntity(
                entity=entity, records=len(one.rows), left_out=one.left_out, more=one.more
            )
            for entity, one in read.items()
        ),
        exchanges=len(exchanges),
        concealed=recording.concealed(),
        kept=tuple(sorted(set(wish.keep))),
        files=() if wish.dry_run else tuple(sorted(files)),
        stopped=failure.message if failure else "",
        exit_code=failure.exit_code if failure else ExitCode.DONE,
    )
