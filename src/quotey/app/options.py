"""Decodes a connection's own table into the Settings of its provider, with all problems at once.

Secrets come from the environment or a secret file and from nowhere else (guarantee G8).
"""

from __future__ import annotations

import stat
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import FieldInfo, fields

from quotey.config import Connection
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
        return folder / Path(plain).expanduser()
    try:
        return msgspec.convert(plain, info.type, strict=not isinstance(raw, Secret))
    except msgspec.ValidationError as error:
        raise ValueError(f"is wrong: {error}") from error


def _secret_file(raw: object, folder: Path) -> Secret:
    """Read a secret from a file that nobody else may read."""
    path = folder / Path(str(raw.reveal() if isinstance(raw, Secret) else raw)).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("names a file that cannot be read") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError("names a file that others may read; chmod 600 it")
    return Secret(text)
