"""`crm record`: a live CRM's traffic, concealed, as a stub data set and as HTTP fixtures.

It only reads. Either the whole recording is written, or nothing: what cannot be concealed for sure
is not written at all. What is personal is known by the provider's own folder.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quotey.adapters import Concealed, Recording
from quotey.app.recorded_files import EntityRead, create, files_of, refuse_leaks, write_all
from quotey.app.reports import Progress
from quotey.app.wiring import House
from quotey.contract.errors import ExitCode, RemoteFailure, UsageError
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.values import shown

if TYPE_CHECKING:
    from quotey.sync.ports import Run

KEY_FILE = "record.key"
KEY_BYTES = 32


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
        files = files_of(house, opened.recording, read, exchanges)
        refuse_leaks(opened.recording, files)
        if not wish.dry_run:
            write_all(target, files)
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
            create(self._path, self._key.hex().encode())

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
) -> tuple[dict[Entity, EntityRead], RemoteFailure | None]:
    run = house.run()
    found = {entity: EntityRead() for entity in MIRRORED if entity in house.mapping.entities}
    for entity, read in found.items():
        try:
            for _page in _pages(run, recording, entity, read, limit):
                if progress:
                    progress(Progress(step="record", entity=entity.value, done=len(read.rows)))
        except RemoteFailure as failure:
            return found, failure
    return found, None


def _pages(
    run: Run, recording: Recording, entity: Entity, read: EntityRead, limit: int | None
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


def _told(
    house: House,
    wish: RecordWish,
    recording: Recording,
    read: Mapping[Entity, EntityRead],
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
