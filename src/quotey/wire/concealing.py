"""Taking personal values out of JSON documents: whatever is not known to be harmless is replaced.

Which keys hold what is the affair of the adapter that knows the wire; here is what is done with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from quotey.contract.errors import RefusedError
from quotey.wire.pseudonyms import Pseudonyms
from quotey.wire.reading import Unreadable, read_json

MAX_DEPTH = 64


class Kind(StrEnum):
    """What stands under a key. The first group is kept where it has the form, the others never.

    `word`: a word of the wire, as a status; `code`: a choice from a list, as a stage; `plain`: kept
    as it is, because a person asked for it. `account`: an id that opens something.
    """

    PLAIN = "plain"
    WORD = "word"
    ID = "id"
    MOMENT = "moment"
    NUMBER = "number"
    CODE = "code"
    EMAIL = "email"
    PHONE = "phone"
    NAME = "name"
    DOMAIN = "domain"
    URL = "url"
    ACCOUNT = "account"
    TEXT = "text"


_FORMS = {
    Kind.PLAIN: re.compile(r".*", re.DOTALL),
    Kind.WORD: re.compile(r"[A-Za-z0-9_.:/+-]{0,120}"),
    Kind.ID: re.compile(r"[A-Za-z0-9_.:=|+-]{0,120}"),
    Kind.MOMENT: re.compile(
        r"\d{10,13}|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
        r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    ),
    Kind.NUMBER: re.compile(r"[+-]?\d{0,18}(?:\.\d{0,12})?(?:[eE][+-]?\d{1,3})?"),
    Kind.CODE: re.compile(r"(?!.*\d{7})[\w .,;:=&/()'+-]{0,60}"),
}
_KEPT_NUMBERS = frozenset(_FORMS)
_KEY = re.compile(r"[A-Za-z_$][\w.:-]{0,120}|\d{1,20}")
_INHERITING = frozenset({"value", "values", "highValue"})

Hook = Callable[["Concealer", object], object]
"""Conceals what stands under a key that needs more than a kind: an address, a query."""


class Concealer:
    """Replaces what must not be seen, in any number of documents, and remembers what that was.

    `kinds` says what stands under a key, `hooks` what needs more than that. `named_by` is the key
    whose value names what the object's `value` is ("" where there is none). A key that nobody
    knows is concealed like a text.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        kinds: Mapping[str, Kind],
        hooks: Mapping[str, Hook],
        *,
        named_by: str = "",
    ) -> None:
        self.make = pseudonyms
        self._kinds = kinds
        self._hooks = hooks
        self._named_by = named_by
        self.replaced: dict[Kind, int] = {}
        self.originals: dict[Kind, set[str]] = {}

    def document(self, value: object, kind: Kind | None = None, depth: int = 0) -> object:
        """Conceal a document; `kind` is of the key that it stood under, None where unknown.

        Raises RefusedError for one that cannot be judged.
        """
        if depth > MAX_DEPTH:
            raise RefusedError("A document is nested too deeply to be judged. Nothing was written.")
        if isinstance(value, dict):
            return self._object(value, kind, depth)
        if isinstance(value, list):
            return [self.document(one, kind, depth + 1) for one in value]
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | Decimal):
            return value if kind in _KEPT_NUMBERS else self._number(value)
        assert isinstance(value, str), "JSON has no other"
        return self.scalar(value, kind or Kind.TEXT)

    def kind_of(self, key: str) -> Kind | None:
        """Say what stands under a key, None where nobody knows."""
        return self._kinds.get(key)

    def _object(self, value: dict[str, object], kind: Kind | None, depth: int) -> object:
        named = value.get(self._named_by)
        inner = self._kinds.get(named, Kind.TEXT) if isinstance(named, str) else kind
        return {
            self._key(key): self._under(key, one, inner, depth + 1) for key, one in value.items()
        }

    def _under(self, key: str, value: object, inner: Kind | None, depth: int) -> object:
        if hook := self._hooks.get(key):
            return hook(self, value)
        inherits = key in _INHERITING and inner is not None
        return self.document(value, inner if inherits else self._kinds.get(key), depth)

    def _key(self, key: str) -> str:
        return key if _KEY.fullmatch(key) else self.scalar(key, Kind.TEXT)

    def scalar(self, text: str, kind: Kind) -> str:
        """Conceal one text, or keep it where it has the form of what is kept."""
        form = _FORMS.get(kind)
        if not text.strip() or (form is not None and form.fullmatch(text)):
            return text
        if text.lstrip()[:1] in ("{", "["):
            inner = self._inner(text)
            if inner is not None:
                return inner
        self._note(text, Kind.TEXT if form else kind)
        return _MAKERS.get(kind, Pseudonyms.text)(self.make, text)

    def _inner(self, text: str) -> str | None:
        """Conceal a document that comes as a text; None for a text that is none."""
        try:
            found = read_json(text.encode("utf-8", "replace"))
        except Unreadable:
            return None
        return written(self.document(found)).decode()

    def _number(self, value: int | Decimal) -> int | Decimal:
        self._note(str(value), Kind.NUMBER)
        return self.make.number(value)

    def _note(self, text: str, kind: Kind) -> None:
        self.replaced[kind] = self.replaced.get(kind, 0) + 1
        self.originals.setdefault(kind, set()).add(text)


_MAKERS: dict[Kind, Callable[[Pseudonyms, str], str]] = {
    Kind.EMAIL: Pseudonyms.email,
    Kind.PHONE: Pseudonyms.phone,
    Kind.DOMAIN: Pseudonyms.url,
    Kind.URL: Pseudonyms.url,
    Kind.ACCOUNT: Pseudonyms.opaque,
}

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def written(document: object) -> bytes:
    """Write a document as JSON, numbers digit by digit."""
    return _ENCODER.encode(document)
