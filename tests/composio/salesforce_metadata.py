"""Deploying the shipped metadata to a simulated org: its fields, and its rules word by word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

from quotey.testing.simulators.salesforce import Field, SalesforceCore, ValidationRule
from quotey.testing.simulators.salesforce.rules import Save

NS = "{http://soap.sforce.com/2006/04/metadata}"
FOLDER = files("quotey.adapters.composio.salesforce") / "metadata"
KINDS = {"Text": "string", "Number": "double", "Date": "date"}
TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z_]\w*)|(?P<number>\d+)|(?P<sign><>|<|>|=|\(|\)|,))")


def document(path: str) -> ET.Element:
    return ET.fromstring((FOLDER / path).read_text(encoding="utf-8"))  # noqa: S314 - our own file


def text_of(node: ET.Element, name: str, default: str = "") -> str:
    return node.findtext(f"{NS}{name}", default)


def fields_of(sobject: str) -> list[Field]:
    return [
        Field(
            text_of(one, "fullName"),
            KINDS[text_of(one, "type")],
            length=int(text_of(one, "length", "0")),
            precision=int(text_of(one, "precision", "0")),
            scale=int(text_of(one, "scale", "0")),
            external_id=text_of(one, "externalId") == "true",
            unique=text_of(one, "unique") == "true",
            case_sensitive=text_of(one, "caseSensitive") == "true",
        )
        for one in document(f"objects/{sobject}.object").iter(f"{NS}fields")
    ]


def rules_of(sobject: str) -> list[ValidationRule]:
    return [
        ValidationRule(
            text_of(one, "fullName"),
            sobject,
            text_of(one, "errorDisplayField"),
            text_of(one, "errorMessage"),
            formula(text_of(one, "errorConditionFormula")),
            active=text_of(one, "active") == "true",
        )
        for one in document(f"objects/{sobject}.object").iter(f"{NS}validationRules")
    ]


def deploy(core: SalesforceCore, *, rules: bool = True) -> None:
    for sobject in ("Account", "Opportunity"):
        for field in fields_of(sobject):
            core.define(sobject, field)
        if rules:
            core.validations += rules_of(sobject)


Asked = Callable[[Save], Any]


def formula(text: str) -> Callable[[Save], bool]:
    """Compile a validation formula; only the words that our rules use are known."""
    words = _Words(text)
    asked = words.expression()
    assert words.at_end, text
    return lambda save: bool(asked(save))


class _Words:
    def __init__(self, text: str) -> None:
        self._found = list(_tokens(text))
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place == len(self._found)

    def expression(self) -> Asked:
        left = self._operand()
        if self.at_end or self._found[self._place] not in ("<", ">", "=", "<>"):
            return left
        sign, right = self._next(), self._operand()
        compare: dict[str, Callable[[Any, Any], bool]] = {
            "<": lambda a, b: a < b,
            ">": lambda a, b: a > b,
            "=": lambda a, b: a == b,
            "<>": lambda a, b: a != b,
        }
        return lambda save: compare[sign](left(save), right(save))

    def _operand(self) -> Asked:
        word = self._next()
        if word.isdigit():
            return lambda _: Decimal(word)
        if self.at_end or self._found[self._place] != "(":
            return lambda save: save.values.get(word)
        self._next()
        if word in ("PRIORVALUE", "ISCHANGED"):
            name = self._next()
            assert self._next() == ")"
            if word == "PRIORVALUE":
                return lambda save: save.prior_value(name)
            return lambda save: save.is_changed(name)
        return self._function(word, self._arguments())

    def _arguments(self) -> list[Asked]:
        if self._found[self._place] == ")":
            self._next()
            return []
        arguments = [self.expression()]
        while self._next() == ",":
            arguments.append(self.expression())
        return arguments

    @staticmethod
    def _function(word: str, arguments: list[Asked]) -> Asked:
        known: dict[str, Asked] = {
            "AND": lambda save: all(one(save) for one in arguments),
            "NOT": lambda save: not arguments[0](save),
            "ISNEW": lambda save: save.is_new,
            "ISBLANK": lambda save: arguments[0](save) in (None, ""),
            "BLANKVALUE": lambda save: _first(arguments[0](save), arguments[1](save)),
        }
        return known[word]

    def _next(self) -> str:
        self._place += 1
        return self._found[self._place - 1]


def _first(value: object, otherwise: object) -> object:
    return otherwise if value in (None, "") else value


def _tokens(text: str) -> Iterator[str]:
    place, text = 0, text.strip()
    while place < len(text):
        found = TOKEN.match(text, place)
        assert found is not None, text[place:]
        yield found[found.lastgroup or ""]
        place = found.end()
