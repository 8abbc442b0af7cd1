"""The query language: text in, a tree out.

A subset: SELECT fields or COUNT() FROM one object WHERE comparisons, LIKE, IN, AND, OR, NOT;
ORDER BY, LIMIT, OFFSET. Source: crm-semantics.md 2S "SOQL", 1L, 4S for the errors.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from quotey.testing.simulators.salesforce.errors import Fault, SalesforceError

MAX_QUERY, MAX_LITERAL = 100_000, 4_000
COMPARISONS = ("=", "!=", "<>", "<=", ">=", "<", ">")


_Item = TypeVar("_Item")


class Text(Struct, frozen=True):
    """A literal in quotes, still escaped: LIKE needs to know which signs were."""

    raw: str

    @property
    def plain(self) -> str:
        """The text that was meant."""
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), self.raw)


class Moment(Struct, frozen=True):
    """A date or a moment, unquoted."""

    text: str


Literal = Text | Moment | Decimal | bool | None


class Comparison(Struct, frozen=True):
    """Field, operator, and one value or several."""

    field: str
    operator: str
    values: tuple[Literal, ...]


class Combined(Struct, frozen=True):
    """AND, OR or NOT over other conditions."""

    word: str
    parts: tuple["Condition", ...]


Condition = Comparison | Combined


class Order(Struct, frozen=True):
    """One sort."""

    field: str
    down: bool = False
    nulls_last: bool = False


class Query(Struct, frozen=True):
    """A parsed query; `fields` is empty for COUNT()."""

    text: str
    fields: tuple[str, ...]
    sobject: str
    where: Condition | None
    orders: tuple[Order, ...]
    limit: int | None
    offset: int


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:\\.|[^'\\])*')
    | (?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)


class _Token(Struct, frozen=True):
    kind: str
    text: str


def malformed(message: str) -> SalesforceError:
    """400 of a query that cannot be read."""
    return SalesforceError(400, Fault("MALFORMED_QUERY", message))


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        SalesforceError: 400 MALFORMED_QUERY.
    """
    if len(text) > MAX_QUERY:
        raise malformed("SOQL statements cannot be longer than 100000 characters.")
    return _Parser(text, _tokens(text)).query()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            raise malformed(f"unexpected token: '{text[place:].strip()[:10]}'")
        kind = found.lastgroup or ""
        tokens.append(_Token(kind, found[kind]))
        place = found.end()
    return tokens


class _Parser:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._place = 0

    def query(self) -> Query:
        self._need("SELECT")
        fields = self._fields()
        self._need("FROM")
        sobject = self._take("word")
        where = self._any() if self._took("WHERE") else None
        orders = self._orders() if self._took("ORDER") else ()
        limit = self._count() if self._took("LIMIT") else None
        offset = self._count() if self._took("OFFSET") else 0
        if self._place < len(self._tokens):
            raise self._unexpected()
        return Query(self._text, fields, sobject, where, orders, limit, offset)

    def _count(self) -> int:
        text = self._take("number")
        if not text.isdigit():
            raise malformed(f"unexpected token: '{text}'")
        return int(text)

    def _fields(self) -> tuple[str, ...]:
        if self._took("COUNT"):
            self._need("(")
            self._need(")")
            return ()
        return tuple(self._listed(lambda: self._take("word")))

    def _orders(self) -> tuple[Order, ...]:
        self._need("BY")
        return tuple(self._listed(self._order))

    def _order(self) -> Order:
        field = self._take("word")
        down = self._took("DESC")
        if not down:
            self._took("ASC")
        if not self._took("NULLS"):
            return Order(field, down)
        last = self._took("LAST")
        if not last:
            self._need("FIRST")
        return Order(field, down, last)

    def _any(self) -> Condition:
        """Conditions joined by one word; the vendor refuses AND and OR side by side."""
        parts = [self._one()]
        word = "AND" if self._peek("AND") else "OR"
        while self._took(word):
            parts.append(self._one())
        if self._peek("AND") or self._peek("OR"):
            raise self._unexpected()
        return parts[0] if len(parts) == 1 else Combined(word, tuple(parts))

    def _one(self) -> Condition:
        if self._took("NOT"):
            return Combined("NOT", (self._one(),))
        if self._took("("):
            inner = self._any()
            self._need(")")
            return inner
        field = self._take("word")
        return self._comparison(field)

    def _comparison(self, field: str) -> Comparison:
        if self._took("LIKE"):
            return Comparison(field, "LIKE", (self._literal(),))
        for operator in ("IN", "NOT IN"):
            if operator == "NOT IN" and self._took("NOT"):
                self._need("IN")
            elif operator == "NOT IN" or not self._took("IN"):
                continue
            self._need("(")
            values = tuple(self._listed(self._literal))
            self._need(")")
            return Comparison(field, operator, values)
        operator = self._take("sign")
        if operator not in COMPARISONS:
            raise malformed(f"unexpected token: '{operator}'")
        return Comparison(field, "!=" if operator == "<>" else operator, (self._literal(),))

    def _literal(self) -> Literal:
        token = self._next()
        match token.kind:
            case "text":
                if len(token.text) > MAX_LITERAL:
                    raise malformed("string literal is too long")
                return Text(token.text[1:-1])
            case "moment":
                return Moment(token.text)
            case "number":
                return Decimal(token.text)
            case "word" if token.text.upper() in _WORDS:
                return _WORDS[token.text.upper()]
            case _:
                raise malformed(f"unexpected token: '{token.text}'")

    def _listed(self, one: Callable[[], _Item]) -> list[_Item]:
        items = [one()]
        while self._took(","):
            items.append(one())
        return items

    def _next(self) -> _Token:
        if self._place >= len(self._tokens):
            raise malformed("unexpected end of query")
        self._place += 1
        return self._tokens[self._place - 1]

    def _take(self, kind: str) -> str:
        if self._place < len(self._tokens) and self._tokens[self._place].kind != kind:
            raise self._unexpected()
        return self._next().text

    def _peek(self, word: str) -> bool:
        more = self._place < len(self._tokens)
        return more and self._tokens[self._place].text.upper() == word

    def _took(self, word: str) -> bool:
        taken = self._peek(word)
        self._place += taken
        return taken

    def _need(self, word: str) -> None:
        if not self._took(word):
            raise self._unexpected()

    def _unexpected(self) -> SalesforceError:
        if self._place >= len(self._tokens):
            return malformed("unexpected end of query")
        return malformed(f"unexpected token: '{self._tokens[self._place].text}'")


_WORDS: dict[str, Literal] = {"NULL": None, "TRUE": True, "FALSE": False}
