"""The flags that every command takes, before or after its own words, and how they are found.

A command's own arguments are read by the tree; here is only what is common to all.
"""

from __future__ import annotations

import msgspec

from quotey.contract.errors import UsageError

FLAGS = {
    "--json": "as_json",
    "--no-color": "no_colour",
    "--debug": "debug",
    "--demo": "demo",
}
VALUES = {
    "--home": "home",
    "--config": "config",
    "--connection": "connection",
}
HELP = (
    ("--json", "one JSON document on stdout instead of text"),
    ("--home PATH", "where the database lives; default .quotey, or QUOTEY_HOME"),
    ("--config PATH", "the settings file; default quotey.toml, or QUOTEY_CONFIG"),
    ("--connection NAME", "which connection; default main"),
    ("--no-color", "no colour, also on a terminal"),
    ("--demo", "use the stub although credentials of a live CRM are set"),
    ("--debug", "tell every step on stderr, and show tracebacks"),
)


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """The common flags of one invocation."""

    as_json: bool = False
    no_colour: bool = False
    debug: bool = False
    demo: bool = False
    home: str | None = None
    config: str | None = None
    connection: str | None = None


def split_common(argv: list[str]) -> tuple[Common, list[str]]:
    """Take the common flags out of the words, wherever they stand before a `--`.

    Raises UsageError when a flag that needs a value has none.

    >>> split_common(["crm", "status", "--json"])[1]
    ['crm', 'status']
    """
    refuse_bytes(argv)
    found: dict[str, object] = {}
    rest: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
            break
        if word in FLAGS:
            found[FLAGS[word]] = True
        elif name in VALUES:
            found[VALUES[name]] = value if equals else _value(name, words)
        else:
            rest.append(word)
    return msgspec.convert(found, Common), rest


def refuse_bytes(argv: list[str]) -> None:
    """Raise UsageError for a word that is not UTF-8 text or holds a NUL; nobody means one."""
    for place, word in enumerate(argv, start=1):
        if "\0" in word or word.encode("utf-8", "replace").decode() != word:
            raise UsageError(f"Word {place} of the command is not text. Nothing was changed.")


def _value(name: str, words: list[str]) -> str:
    if not words or words[0].startswith("--"):
        raise UsageError(f"{name} needs a value. Nothing was changed.", next=("quotey --help",))
    return words.pop(0)
