"""Client tokens: a command that is sent twice is carried out once (reliability CP-2).

The answer is remembered in the transaction that earned it, so a crash leaves both or neither.
"""

from __future__ import annotations

import hashlib
import json

import msgspec

from quotey.contract.errors import UsageError
from quotey.contract.quote import Quote
from quotey.contract.values import NAME_BYTES, read_text, shown
from quotey.desk.ports import DeskPorts
from quotey.desk.quote_writes import QuoteAnswer


class Request(msgspec.Struct, frozen=True):
    """A command, the client's token for it (None: none was given), and what it asked."""

    command: str
    token: str | None
    asked: tuple[object, ...]

    @property
    def digest(self) -> str:
        """Tell this request from another one, whatever characters it holds."""
        plain = msgspec.to_builtins((self.command, self.asked))
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode("ascii")).hexdigest()


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    request: str
    quote_id: str
    version: int


def answer(desk: DeskPorts, request: Request) -> QuoteAnswer | None:
    """Give the old answer to a repeated request; None when it is new.

    Raises `UsageError` when the token is no token, or was used for something else.
    """
    if request.token is None:
        return None
    found = desk.store.tokens.find(_checked(request.token))
    if found is None:
        return None
    old = msgspec.json.decode(found, type=_Answer)
    if old.request != request.digest:
        raise UsageError(
            f"The token {shown(request.token)} was used for another command "
            f"(quote {old.quote_id}). Nothing was changed.",
            next=(f"quotey quote show {old.quote_id}",),
        )
    return QuoteAnswer(quote=_as_answered(desk, old), changed=False)


def remember(desk: DeskPorts, request: Request, given: QuoteAnswer) -> QuoteAnswer:
    """Keep the answer under the request's token, in the transaction that is open."""
    if request.token is not None:
        kept = _Answer(
            request=request.digest,
            quote_id=given.quote.id,
            version=given.quote.current.version,
        )
        desk.store.tokens.once(request.token, msgspec.json.encode(kept).decode())
    return given


def _as_answered(desk: DeskPorts, old: _Answer) -> Quote:
    quote = desk.store.quotes.get(old.quote_id)
    version = desk.store.quotes.version(old.quote_id, old.version)
    assert quote is not None, "quotes are never deleted"
    assert version is not None, "versions are never deleted"
    return msgspec.structs.replace(quote, current=version)


def _checked(token: str) -> str:
    try:
        text = read_text(token, NAME_BYTES)
    except ValueError as error:
        raise UsageError(f"The token cannot be used: {error}. Nothing was changed.") from None
    if text != token or not text:
        raise UsageError("The token is blank or padded. Nothing was changed.")
    return text
