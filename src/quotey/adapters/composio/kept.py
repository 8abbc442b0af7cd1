"""Which account a connection uses: the one that is set, or the one that was connected from here.

The latter is kept in the home, in a file that nobody else may read. The key is never in it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from quotey.adapters.composio.settings import ComposioSettings
from quotey.contract.errors import ConfigError, NotConnectedError, StoreError

S = TypeVar("S", bound=ComposioSettings)


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account that was connected: of which CRM, and for which user of the service."""

    toolkit: str
    user_id: str
    connected_account_id: str


def file_of(connection: str, home: Path) -> Path:
    """Say where the account of a connection is kept."""
    return home / f"composio-{connection}.json"


def read_kept(path: Path, toolkit: str, user_id: str) -> str:
    """Give the account that was connected for this CRM and user; "" when none was.

    Raises ConfigError for a file that is not ours to read.
    """
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return ""
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"{path.name} in the home cannot be read. Remove it and connect again.",
            next=(f"quotey crm connect {toolkit}",),
        ) from error
    mine = (kept.toolkit, kept.user_id) == (toolkit, user_id)
    return kept.connected_account_id if mine else ""


def keep(path: Path, kept: Kept) -> None:
    """Keep an account in the place of the one before, whole or not at all. Raises StoreError."""
    draft = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{path.name} cannot be written: {error.strerror}.") from error


def with_account(settings: S, toolkit: str, connection: str, home: Path) -> S:
    """Give the settings with the account that they are about.

    Raises NotConnectedError while there is none, ConfigError as `read_kept`.
    """
    if settings.connected_account_id:
        return settings
    account_id = read_kept(file_of(connection, home), toolkit, settings.user_id)
    if not account_id:
        raise NotConnectedError(
            f"Connection {connection} has no account of {toolkit} yet. Nothing was changed.",
            next=(f"quotey crm connect {toolkit}",),
        )
    return msgspec.structs.replace(settings, connected_account_id=account_id)
