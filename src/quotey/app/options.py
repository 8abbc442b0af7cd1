"""Decodes a connection's own table into the Settings of its provider, with all problems at once.

Secrets come from the environment or a secret file and from nowhere else (guarantee G8).
"""

from __future__ import annotations

import os
import stat
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import FieldInfo, fields

from quotey.config import Connection, expanded
from quotey.contract.errors import ConfigError, Diagnostic, Severity
from quotey.contract.secret import Secret

S = TypeVar("S", bound=msgspec.Struct)
FILE_SUFFIX = "_file"


def read_options(name: str, connection: Connection, kind: type[S]) -> S:
    """Turn the opaque table of `[connections.<name>]` into the provider's Settings.

    Texts from the environment are converted to the type that is wanted; paths are relative to the
    folder of quotey.toml. Raises ConfigError with every problem.
    """
    known = {info.encode_name: info for info in fields(kind)}
    values: dict[str, object] = {}
    problems: list[Diagnostic] = []
    for option, raw in connection.options.items():
        try:
            key, value = _read(option, raw, known, connection.folder)
            values[key] = value
        except ValueError as error:
            problems.append(_problem(f"connections.{name}.{option}", str(error)))
    problems += [
        _problem(f"connections.{name}.{key}", "is needed and not set")
        for key, info in known.items()
        if info.required and not {key, f"{key}{FILE_SUFFIX}"} & connection.options.keys()
    ]
    if problems:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(
            f"The settings of connection {name} have {count}. Nothing was changed.",
            diagnostics=tuple(problems),
        )
    return kind(**values)


def _problem(field: str, message: str) -> Diagnostic:
    return Diagnostic(
        code="config.option", severity=Severity.ERROR, field=field, message=f"{field} {message}"
    )


def _read(
    option: str, raw: object, known: dict[str, FieldInfo], folder: Path
) -> tuple[str, object]:
    bare = option.removesuffix(FILE_SUFFIX)
    if option not in known and bare in known and known[bare].type is Secret:
        return bare, _secret_file(raw, folder)
    if option not in known:
        near = get_close_matches(option, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known) or 'none'}"
        raise ValueError(f"is unknown; {hint}")
    return option, _value(option, raw, known[option], folder)


def _value(option: str, raw: object, info: FieldInfo, folder: Path) -> object:
    if info.type is Secret:
        if isinstance(raw, Secret):
            return raw
        raise ValueError(
            "is a secret and may not stand in the file; "
            f"set it in the environment, or name a file with {option}{FILE_SUFFIX}"
        )
    plain = raw.reveal() if isinstance(raw, Secret) else raw
    if info.type in (Path, Path | None) and isinstance(plain, str):
        return folder / expanded(plain)
    try:
        return msgspec.convert(plain, info.type, strict=not isinstance(raw, Secret))
    except msgspec.ValidationError as error:
        raise ValueError(f"is wrong: {error}") from error


def _secret_file(raw: object, folder: Path) -> Secret:
    """Read a secret from a file that nobody else may read."""
    path = folder / expanded(str(raw.reveal() if isinstance(raw, Secret) else raw))
    try:
        text = _content(path).decode().strip()
    except (OSError, UnicodeError) as error:
        raise ValueError("names a file that cannot be read") from error
    if not text:
        raise ValueError("names a file that is empty")
    return Secret(text)


def _content(path: Path) -> bytes:
    """Open first, then judge what was opened: it can no longer be swapped (SEC-1)."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("names what is not a plain file")
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ValueError("names a file that others may read; chmod 600 it")
        if found.st_uid not in (os.geteuid(), ROOT):
            raise ValueError("names a file of another user, who can change it; chown it")
        content = file.read(LONGEST_SECRET + 1)
    if len(content) > LONGEST_SECRET:
        raise ValueError(f"names a file of more than {LONGEST_SECRET:,} bytes")
    return content


ROOT = 0
LONGEST_SECRET = 65_536


def secrets_of(options: msgspec.Struct) -> tuple[str, ...]:
    """Give every secret of a provider's Settings, wherever it came from, to be hidden in logs."""
    values = (getattr(options, info.name) for info in fields(options))
    return tuple(value.reveal() for value in values if isinstance(value, Secret))
