"""The tools that the gateway knows: arguments, and the provider call that each makes.

Source: composio-tools/*.json (`arguments`, `native_inferred`); composio.md section 2.
"""

from functools import cache

from msgspec import Struct

from quotey.testing.simulators.composio.catalog_tables import HUBSPOT, SALESFORCE
from quotey.testing.simulators.exchange import Doc

_KINDS = {"[]": "array", "{}": "object", "#": "integer", "?": "boolean", "%": "number"}


class Argument(Struct, frozen=True):
    """One argument of a tool; `sent_as` is its name in the provider's call."""

    name: str
    kind: str = "string"
    required: bool = False
    sent_as: str = ""


class Tool(Struct, frozen=True):
    """One tool. `style` says how arguments become the provider's call."""

    slug: str
    toolkit: str
    method: str
    path: str
    style: str
    arguments: dict[str, Argument]

    @property
    def schema(self) -> Doc:
        """The JSON Schema of the arguments (1.9)."""
        return {
            "type": "object",
            "properties": {a.name: {"type": a.kind} for a in self.arguments.values()},
            "required": [a.name for a in self.arguments.values() if a.required],
        }


def _argument(word: str) -> Argument:
    word, _, sent_as = word.partition(">")
    required = word.endswith("*")
    word = word.removesuffix("*")
    for mark, kind in _KINDS.items():
        if word.endswith(mark):
            name = word.removesuffix(mark)
            return Argument(name, kind, required, sent_as or name)
    return Argument(word, "string", required, sent_as or word)


def _tool(toolkit: str, line: str) -> Tool:
    slug, method, path, style, *words = line.split()
    arguments = {a.name: a for a in map(_argument, words)}
    return Tool(f"{toolkit.upper()}_{slug}", toolkit, method, path, style, arguments)


@cache
def tools() -> dict[str, Tool]:
    """Every known tool by slug."""
    listed = [("hubspot", HUBSPOT), ("salesforce", SALESFORCE)]
    made = [
        _tool(toolkit, line) for toolkit, table in listed for line in table.splitlines() if line
    ]
    return {tool.slug: tool for tool in made}
