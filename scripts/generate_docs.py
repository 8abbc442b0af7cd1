"""Writes the pages that are generated from the code; those of commands, errors, settings are here.

With --check nothing is written, and a page that is not fresh ends the script with exit code 1.
"""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console

import quotey
from quotey.cli.tree import COMMANDS, EXIT_WORDS, GROUPS, build, summary_of
from quotey.cli.words import HELP
from quotey.config import KEYS, Limits, Log
from quotey.contract.errors import QuoteyError

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.answers import json_schema  # noqa: E402 - found from the root
from scripts.error_words import CLASSES, CODES, REMEDIES  # noqa: E402 - found from the root
from scripts.pages.markdown import MADE, table  # noqa: E402 - found from the root
from scripts.pages.more import MORE  # noqa: E402 - found from the root
from scripts.pages.parity import parity_lacks  # noqa: E402 - found from the root

REFERENCE = ROOT / "docs" / "reference"

CERTIFY = "Next: quotey crm certify --out docs/reference"

ANSWER = """\
stdout is the answer, stderr the talk. The first line says where changes go; under `--json` that is
the key `mode`.
"""
FAILED = """\
A failed command says what happened, that nothing was changed or what was kept, the correlation id,
and the next command. Under `--json` the code is `error.code`.
"""
DIAGNOSTICS = """\
`diagnostics` names every problem that was found: `code`, `severity` (an `error` rejects, a
`warning` or `note` only tells), entity and field, line where there is one, message and fix.
"""
SOURCES = """\
`quotey.toml` in the working directory (or `--config`, or `QUOTEY_CONFIG`), then `QUOTEY_*`
variables, then flags; the later wins. With none of them Quotey is the offline stub with its demo
data, and keeps its state in `.quotey/`. Every problem is told at once, with its line and the near
match.
"""
CONNECTIONS = """\
`[connections.<name>]` holds `provider` (default `stub`) and what the provider takes. The connection
`main` is used unless `connection` or `--connection` says otherwise.
"""
SECRETS = """\
A secret never stands in quotey.toml. Set `QUOTEY_CONNECTIONS__MAIN__API_KEY`, or name a file that
only you can read: `api_key_file = "key.txt"` (mode 600). Secrets are hidden in logs, errors and
`repr`.
"""
EXAMPLE = """\
```toml
home = "data"
actor = "sales-desk"

[connections.main]
provider = "stub"
dataset = "my-data"

[log]
level = "info"
```
"""


# --- commands -------------------------------------------------------------------------------------


def commands_page() -> str:
    """Describe every command with its help, and what all of them share."""
    parts = [
        "# Commands\n",
        MADE,
        ANSWER,
        "## With every command\n",
        table(("flag", "what it does"), [(f"`{flag}`", text) for flag, text in HELP]),
        "## Exit codes\n",
        table(("code", "meaning"), [(str(int(code)), text) for code, text in EXIT_WORDS.items()]),
        "## The JSON document\n",
        "`--json` prints one document, also on failure. New keys may come, none change.\n",
        _envelope_table(),
        "[commands.schema.json](commands.schema.json) is its JSON Schema, with every `data`.\n",
        "## Overview\n",
        table(
            ("command", "what it does"),
            [
                (f"[`{words}`](#{words.replace(' ', '-')})", summary_of(words))
                for words in every_command()
            ],
        ),
    ]
    for group, text in GROUPS.items():
        parts.append(f"## quotey {group}\n")
        parts.append(f"{text}\n")
        for command in COMMANDS[group]:
            words = f"quotey {group} {command}"
            parts.append(f"### {words}\n")
            parts.append(f"```text\n{help_of(words)}\n```\n")
    return "\n".join(parts)


def _envelope_table() -> str:
    return table(
        ("key", "what it holds"),
        [
            ("`schema`", "`quotey.<command words>/<version>`, as `quotey.crm.status/1`"),
            (
                "`mode`",
                "`stub` or `live`; null when no connection was opened",
            ),
            ("`provider`", "the provider's name, or null"),
            ("`correlation_id`", "the id of this command, on all that it left behind"),
            ("`ok`", "whether the exit code is 0"),
            ("`exit_code`", "as above"),
            ("`data`", "the answer; null when the command failed"),
            (
                "`diagnostics`",
                "a list: code, severity, entity, field, crm_ref, line, message, fix",
            ),
            ("`next`", "commands that can be copied"),
            ("`error`", "only on failure: `code` (see errors.md), `message`, `error_class`"),
        ],
    )


def every_command() -> Iterator[str]:
    """Give every command as it is typed."""
    for group, names in COMMANDS.items():
        yield from (f"quotey {group} {name}" for name in names)


def help_of(words: str) -> str:
    """Give a command's help page without what all pages share."""
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False, color_system=None)
    build().help_print(words.split()[1:], console=console)
    return out.getvalue().partition("With every command:")[0].rstrip()


# --- errors ---------------------------------------------------------------------------------------


def errors_page() -> str:
    """List every error code, and every code of a diagnostic."""
    rows = [(f"`{code}`", exits, text, REMEDIES[code]) for code, exits, text in error_codes()]
    return "\n".join(
        [
            "# Errors\n",
            MADE,
            FAILED,
            table(("code", "exit", "meaning", "what to do"), rows),
            "## Classes of a CRM failure\n",
            "`error.error_class` and the states of `crm status` use these words.\n",
            table(("class", "exit", "what happens"), CLASSES),
            "## Codes of diagnostics\n",
            DIAGNOSTICS,
            table(
                ("code", "meaning", "what to do"), [(f"`{code}`", *rest) for code, *rest in CODES]
            ),
        ]
    )


def error_codes() -> list[tuple[str, str, str]]:
    """Give code, exit code and first line of the docstring of every error class."""
    import_all(quotey.__path__, "quotey.")
    found: dict[str, tuple[str, str, str]] = {}
    for kind in _kinds(QuoteyError):
        text = " ".join((kind.__doc__ or kind.__name__).split("\n\n")[0].split())
        exits = "by class" if kind.code == "remote" else str(int(kind.exit_code))
        found.setdefault(kind.code, (kind.code, exits, text))
    found["interrupted"] = ("interrupted", "130", "Somebody pressed Ctrl-C.")
    found["unexpected"] = ("unexpected", "1", "A fault of Quotey itself.")
    return [found[code] for code in sorted(found)]


def import_all(path: Iterable[str], prefix: str) -> None:
    """Import every module, so that every error class is known; the test kit raises none."""
    for module in pkgutil.iter_modules(path, prefix):
        if module.name in ("quotey.testing", "quotey.__main__"):
            continue
        imported = importlib.import_module(module.name)
        if module.ispkg:
            import_all(imported.__path__, f"{module.name}.")


def _kinds(kind: type[QuoteyError]) -> Iterator[type[QuoteyError]]:
    yield kind
    for child in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
        yield from _kinds(child)


# --- settings -------------------------------------------------------------------------------------


def config_page() -> str:
    """List every key of quotey.toml with its variable and its default."""
    rows = [
        (f"`{key}`", f"`QUOTEY_{key.upper().replace('.', '__')}`", default_of(key), text)
        for key, (_, text) in KEYS.items()
    ]
    return "\n".join(
        [
            "# Settings\n",
            MADE,
            SOURCES,
            table(("key", "variable", "default", "what it is"), rows),
            "## Connections\n",
            CONNECTIONS,
            table(("key of a stub connection", "default", "what it is"), _stub_rows()),
            "Relative paths count from the folder of quotey.toml.\n",
            "## Secrets\n",
            SECRETS,
            "## An example\n",
            EXAMPLE,
        ]
    )


def default_of(key: str) -> str:
    """Give a key's default as it would be written."""
    group, _, name = key.rpartition(".")
    holder = {"limits": Limits(), "log": Log()}.get(group)
    if holder is not None:
        return f"`{getattr(holder, name)}`"
    plain = {"home": ".quotey", "connection": "main", "mappings": "mappings"}
    return f"`{plain[key]}`" if key in plain else "see right"


def _stub_rows() -> list[tuple[str, ...]]:
    from quotey.adapters import discover

    kind = discover()["stub"].settings
    text = kind.__doc__ or ""
    names = "|".join(kind.__struct_fields__)
    pieces = re.split(rf"`({names})`: ", " ".join(text.split()))
    told = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return [
        (f"`{name}`", f"`{default}`", told.get(name, "").strip(" ."))
        for name, default in zip(kind.__struct_fields__, kind.__struct_defaults__, strict=True)
    ]


def schema_page() -> str:
    """Write the JSON Schema of every document."""
    return f"{json.dumps(json_schema(), indent=1, ensure_ascii=False)}\n"


# --- writing --------------------------------------------------------------------------------------


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "errors.md": errors_page,
    "config.md": config_page,
    "commands.schema.json": schema_page,
    **MORE,
}
"""Page of docs/reference to the function that writes it."""


def main(argv: list[str]) -> int:
    """Write all pages, or with --check name those that are not fresh."""
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if "--check" in argv and stale:
        print(f"Not fresh: {', '.join(stale)}. Next: make docs")
        return 1
    lacks = parity_lacks() if "--check" in argv else []
    if lacks:
        print(f"parity.json lacks {', '.join(lacks)}. {CERTIFY}")
    return 1 if lacks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
