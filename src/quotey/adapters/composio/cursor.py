"""The cursor of inbound reading: a text that says in which lane, window and place we are.

Only this text lasts between two pages; the adapter itself remembers nothing. Moments are whole
milliseconds since 1970 on the provider's clock, never on ours.
Source: crm-semantics section 2.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec

from quotey.adapters.composio.settings import ComposioSettings
from quotey.contract.refusals import foreign_cursor

FORMAT = 1
HOUR = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Lane(StrEnum):
    """Which list is being read. REST is between two runs.

    FULL lists everything, CHANGES the window of what was modified, GONE the recycle bin.
    """

    REST = "rest"
    FULL = "full"
    CHANGES = "changes"
    GONE = "gone"


class Lost(msgspec.Struct, frozen=True, array_like=True):
    """A record that was merged away and is still to be told of, with its survivor's moment."""

    crm_ref: str
    survivor: str
    at: int


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where reading stands.

    `low` and `high` bound the window under way; `place` is the last id or page token of the lane.
    `read_to`, `gone_at`, `full_at` say up to when changes, recycle bin and everything have been
    read; `started` is the server's time at the beginning of the run. `lost` waits to be told.
    `account` is whose records they are, where the provider tells.
    """

    format: int = FORMAT
    lane: Lane = Lane.REST
    low: int = 0
    high: int = 0
    place: str = ""
    started: int = 0
    read_to: int = 0
    gone_at: int = 0
    full_at: int = 0
    lost: tuple[Lost, ...] = ()
    account: str = ""

    @property
    def is_first(self) -> bool:
        """Whether nothing was read before this run."""
        return self.full_at == 0


def milliseconds(at: datetime) -> int:
    """Give whole milliseconds since 1970.

    >>> milliseconds(datetime(2026, 3, 10, 12, 0, 0, 123000, tzinfo=UTC))
    1773144000123
    """
    return (at - EPOCH) // timedelta(milliseconds=1)


def at_milliseconds(number: int) -> datetime:
    """Give the moment of whole milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=number)


def read_cursor(text: str) -> Cursor:
    """Decode a cursor; "" is the beginning. Raises RemoteFailure for one that is not ours."""
    if not text:
        return Cursor()
    try:
        cursor = msgspec.json.decode(text, type=Cursor)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise foreign_cursor() from error
    if cursor.format != FORMAT:
        raise foreign_cursor()
    return cursor


def write_cursor(cursor: Cursor) -> str:
    """Encode a cursor.

    >>> read_cursor(write_cursor(Cursor(read_to=5))) == Cursor(read_to=5)
    True
    """
    return msgspec.json.encode(cursor).decode()


def begin(cursor: Cursor, now: int, settings: ComposioSettings) -> Cursor:
    """Begin a run at the server's time `now`: everything where that is due, else what changed.

    The window is fixed for the whole run: from what was read less the overlap, to now less the
    safety (rules 3 and 5 of crm-semantics section 0). Raises RemoteFailure for a cursor that is
    ahead of the server's clock: nothing would be read until that has caught up.
    """
    overlap = settings.overlap_seconds * 1000
    if cursor.read_to - overlap > now:
        raise foreign_cursor()
    started = msgspec.structs.replace(cursor, started=now, place="")
    full_after = settings.full_every_hours * HOUR
    if cursor.is_first or (full_after and now - cursor.full_at >= full_after):
        return msgspec.structs.replace(started, lane=Lane.FULL)
    return msgspec.structs.replace(
        started,
        lane=Lane.CHANGES,
        low=cursor.read_to - overlap,
        high=now - settings.safety_seconds * 1000,
    )


def left_behind(text: str, settings: ComposioSettings) -> LeftBehind:
    """Say what no window to come will show any more, by the cursor at which reading stands."""
    cursor, overlap = read_cursor(text), settings.overlap_seconds * 1000
    return LeftBehind(changes=cursor.read_to - overlap, deletions=cursor.gone_at - overlap)


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True):
    """Changes and deletions before these moments must have been read: the next windows begin there.

    What is newer, the overlap still brings (crm-semantics 2H "Coverage invariant").
    """

    changes: int
    deletions: int


def end_lane(cursor: Cursor, settings: ComposioSettings) -> Cursor:
    """End the lane under way: on to the recycle bin where that is due, else to rest."""
    read = _noted(cursor)
    due = cursor.started - read.gone_at >= settings.gone_every_hours * HOUR
    bin_next = cursor.lane is not Lane.GONE and read.gone_at < cursor.started and due
    return msgspec.structs.replace(
        read, lane=Lane.GONE if bin_next else Lane.REST, low=0, high=0, place=""
    )


def _noted(cursor: Cursor) -> Cursor:
    """Note up to when the lane under way has been read."""
    match cursor.lane:
        case Lane.FULL:
            # Nothing can have been deleted that was never read, so a first load skips the bin.
            gone_at = cursor.started if cursor.is_first else cursor.gone_at
            return msgspec.structs.replace(
                cursor, read_to=cursor.started, full_at=cursor.started, gone_at=gone_at
            )
        case Lane.CHANGES:
            return msgspec.structs.replace(cursor, read_to=max(cursor.read_to, cursor.high))
        case Lane.GONE:
            return msgspec.structs.replace(cursor, gone_at=cursor.started)
        case Lane.REST:
            return cursor
        case _ as never:
            assert_never(never)
