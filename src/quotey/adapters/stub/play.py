"""A script of later edits in the CRM, played step by step so that a demo has something to show.

An edit is one of the tools, with its arguments; the file is TOML beside the data set.
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from quotey.adapters.stub.files import toml_of
from quotey.contract.errors import UsageError

FILE_NAME = "edits.toml"
MAX_BYTES = 1_000_000


class Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step: `set` (with `add`: make the record), `delete`, or `merge` (`ref` into `into`).

    `fields` are contract fields or the CRM's own properties, in the CRM's own words; `clear` are
    those set to null. `at` is the moment that the record then carries. `why` is told while playing.
    """

    action: Literal["set", "add", "delete", "merge"]
    entity: str
    ref: str
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    clear: tuple[str, ...] = ()
    into: str = ""
    at: datetime | None = None
    why: str = ""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One step that was played, and how many the script has."""

    step: int
    of: int
    entity: str
    ref: str
    action: str
    why: str


class _Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    edit: tuple[Edit, ...] = ()


def read_edits(dataset: Path | None, script: Path | None = None) -> tuple[Edit, ...]:
    """Read the script: the given file, or `edits.toml` beside the data set.

    Raises UsageError when there is none, or when it cannot be read.
    """
    path = script or toml_of(dataset).parent / FILE_NAME
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path.name} is longer than {MAX_BYTES:,} bytes. Nothing was played.")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(table, _Script).edit
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Nothing was played.") from error
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(f"{path.name} is no script: {error}. Nothing was played.") from error
