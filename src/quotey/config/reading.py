"""Reading the settings from file, environment and flags, with all problems at once.

Which keys there are is said by `keys`; what the values mean, by `settings`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

import msgspec

from quotey.config.keys import KEYS, NAME, PATHS, actor
from quotey.config.settings import Connection, Limits, Log, Settings
from quotey.contract.errors import ConfigError, Diagnostic, Severity
from quotey.contract.secret import Secret

PREFIX = "QUOTEY_"
FILE_NAME = "quotey.toml"
FLAG = "a flag"


def load_settings(
    *,
    environ: Mapping[str, str],
    cwd: Path,
    config: Path | None = None,
    flags: Mapping[str, str] | None = None,
) -> Settings:
    """Read the file, lay the environment over it and `flags` over that.

    `flags` has the keys of the file, dotted (`log.level`). `config` names the file; else
    QUOTEY_CONFIG; else `quotey.toml` in `cwd`, when there is one. Paths in the file are relative
    to the file, others to `cwd`. Raises ConfigError with every problem at once.
    """
    reading = _Reading(cwd)
    path = _config_path(environ, cwd, config)
    if path is not None:
        reading.file(path)
    reading.environment(environ)
    for key, value in (flags or {}).items():
        reading.take(key, value, place=FLAG)
    settings = reading.settings(path, environ)
    if reading.problems:
        raise ConfigError(_sentence(reading.problems), diagnostics=tuple(reading.problems))
    return settings


def _config_path(environ: Mapping[str, str], cwd: Path, config: Path | None) -> Path | None:
    named = config or (Path(environ["QUOTEY_CONFIG"]) if environ.get("QUOTEY_CONFIG") else None)
    if named is not None:
        return cwd / named
    usual = cwd / FILE_NAME
    # A link that leads nowhere is told, too: without its file the stub would take the CRM's place.
    return usual if usual.exists() or usual.is_symlink() else None


def _sentence(problems: list[Diagnostic]) -> str:
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"The configuration has {count}. Nothing was changed."


class _Reading:
    """Gathers values and problems from all sources; later sources win."""

    def __init__(self, cwd: Path) -> None:
        self.base = cwd
        self.cwd = cwd
        self.values: dict[str, object] = {}
        self.connections: dict[str, dict[str, object]] = {}
        self.problems: list[Diagnostic] = []

    def problem(self, code: str, field: str, message: str, *, line: int = 0, fix: str = "") -> None:
        self.problems.append(
            Diagnostic(
                code=f"config.{code}",
                severity=Severity.ERROR,
                message=message,
                field=field,
                line=line,
                fix=fix,
            )
        )

    def file(self, path: Path) -> None:
        """Read quotey.toml; a broken or missing file is one problem."""
        if path == self.cwd / FILE_NAME and path.exists() and not path.is_file():
            self.problem("unreadable", "", f"{path.name} is not a plain file.")
            return
        try:
            text = path.read_text(encoding="utf-8")
            table = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            self.problem("unreadable", "", f"{path.name} cannot be read: {reason}.")
            return
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found[1]) if found else 0
            self.problem("syntax", "", f"{path.name} is not TOML: {error}.", line=line)
            return
        except (ValueError, RecursionError):
            told = "it is nested too deeply, or holds a number of too many digits"
            self.problem("syntax", "", f"{path.name} is not read: {told}.")
            return
        self.base = path.parent
        connections = table.pop("connections", {})
        for key, value in _flatten(table):
            self.take(key, value, place=path.name, line=_line_of(text, key))
        self._connection_tables(connections, path.name, text)

    def _connection_tables(self, tables: object, place: str, text: str) -> None:
        if not isinstance(tables, dict):
            self.problem(
                "value", "connections", "connections must be tables, as [connections.main]"
            )
            return
        for name, table in tables.items():
            line = _line_of(text, f"connections.{name}")
            if not NAME.fullmatch(name) or not isinstance(table, dict):
                message = f"{place}: connections.{name} must be a table with a lower-case name"
                self.problem("value", f"connections.{name}", message, line=line)
                continue
            self.connections[name] = dict(table)

    def environment(self, environ: Mapping[str, str]) -> None:
        """Lay QUOTEY_* over the file; `__` separates levels. What is set here may be secret."""
        self.base = self.cwd
        for variable in sorted(environ):
            key = variable.removeprefix(PREFIX).lower().replace("__", ".")
            if not variable.startswith(PREFIX) or variable in _OTHER_VARIABLES:
                continue
            if key.startswith("connections.") and key.count(".") == 2:  # noqa: PLR2004 - a.b.c
                _, name, option = key.split(".")
                if not NAME.fullmatch(name):
                    told = f"{variable}: connections.{name} must have a lower-case name"
                    self.problem("value", f"connections.{name}", told)
                    continue
                value = environ[variable]
                table = self.connections.setdefault(name, {})
                table[option] = value if option == "provider" else Secret(value)
            else:
                self.take(key, environ[variable], place=variable)

    def take(self, key: str, raw: object, *, place: str, line: int = 0) -> None:
        """Check one value and keep it; a wrong one becomes a problem."""
        if key not in KEYS:
            self._unknown(key, place, line)
            return
        try:
            value = KEYS[key][0](raw)
            self.values[key] = self.base / expanded(str(value)) if key in PATHS else value
        except ValueError as error:
            self.problem("value", key, f"{place}: {key} {error}", line=line)

    def _unknown(self, key: str, place: str, line: int) -> None:
        table, dot, rest = key.partition(".")
        if dot and get_close_matches(table, ("connections",), cutoff=0.8):
            near = [f"connections.{rest}"]
        else:
            near = get_close_matches(key, KEYS, n=1, cutoff=0.6)
        fix = f"Did you mean {near[0]}?" if near else f"Known keys: {', '.join(KEYS)}"
        self.problem("unknown_key", key, f"{place}: there is no setting {key}", line=line, fix=fix)

    def settings(self, path: Path | None, environ: Mapping[str, str]) -> Settings:
        """Build the frozen value; what is not set has its default."""
        home = self._path("home", self.cwd / ".quotey")
        root = path.parent if path else self.cwd
        connections = self._connections(root)
        chosen = str(self.values.get("connection", "main"))
        if chosen not in connections:
            near = get_close_matches(chosen, connections, n=1, cutoff=0.5)
            fix = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(connections)}"
            self.problem("connection", "connection", f"there is no connection {chosen}", fix=fix)
        return Settings(
            home=home,
            mappings=self._path("mappings", root / "mappings"),
            attachments=self._path("attachments", home / "attachments"),
            connection=chosen,
            connections=connections,
            actor=str(self.values.get("actor") or _login(environ)),
            limits=msgspec.convert(self._group("limits"), Limits),
            log=msgspec.convert(self._group("log"), Log),
            source=path,
            allow_network_fs=bool(self.values.get("allow_network_fs", False)),
            allow_root=bool(self.values.get("allow_root", False)),
            demo=bool(self.values.get("demo", False)),
            variables=frozenset(name for name, value in environ.items() if value),
        )

    def _path(self, key: str, default: Path) -> Path:
        value = self.values.get(key)
        return value if isinstance(value, Path) else default

    def _group(self, name: str) -> dict[str, object]:
        start = f"{name}."
        return {k.removeprefix(start): v for k, v in self.values.items() if k.startswith(start)}

    def _connections(self, folder: Path) -> dict[str, Connection]:
        read: dict[str, Connection] = {}
        for name, table in self.connections.items():
            provider = table.pop("provider", "stub")
            if not isinstance(provider, str) or not NAME.fullmatch(provider):
                where = f"connections.{name}.provider"
                self.problem("value", where, f"{where} must be the name of a provider, as stub")
                continue
            read[name] = Connection(provider=provider, options=table, folder=folder)
        return read or {"main": Connection(folder=folder)}


def expanded(path: str) -> Path:
    """Put a home in the place of `~`. Raises ValueError where it names a user who is not here."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError("names the home of a user who is not here") from error


def _login(environ: Mapping[str, str]) -> str:
    try:
        return actor(environ.get("USER"))
    except ValueError:
        return "operator"


_OTHER_VARIABLES = ("QUOTEY_CONFIG", "QUOTEY_DEBUG")


def _flatten(table: dict[str, object], start: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{start}{key}.")
        else:
            yield f"{start}{key}", value


def _line_of(text: str, key: str) -> int:
    """Find the line on which a dotted key is set, or its table begins; 0 when it is not plain."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.fullmatch(r"\s*\[([^\[\]]+)\]\s*(#.*)?", line)
        if header:
            table = f"{header[1].strip()}."
            if table == f"{key}.":
                return number
            continue
        word = line.partition("=")[0].strip()
        if "=" in line and f"{table}{word}" == key:
            return number
    return 0
