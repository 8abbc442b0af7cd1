"""Reading an answer: unpacked within a limit, and JSON by a strict grammar with exact numbers."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

import msgspec

from quotey.contract.errors import QuoteyError

GZIP = 31
"""What zlib calls "gzip, and nothing else"."""

MAX_EXPONENT = 400
"""No amount needs more; a number like 1e999999999 would fill the memory once it is written out."""

MAX_DIGITS = 4_300
"""Signs of one number, as Python itself reads of a whole one (reliability SEC-12)."""

MAX_DEPTH = 64
"""Objects and lists within each other: who walks through an answer meets no end of the stack."""


class Unreadable(QuoteyError):  # noqa: N818 - a finding about an answer, never shown by itself
    """An answer that cannot be taken: too long, packed in an unknown way, or not JSON."""


def unpacked(chunks: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """Join and unpack a body. Raises `Unreadable` as soon as it is longer than `limit` bytes."""
    plain = chunks
    if encoding.strip().lower() == "gzip":
        plain = _inflated(chunks, limit)
    elif encoding.strip().lower() not in ("", "identity"):
        raise Unreadable(f"it is packed as {encoding[:20]!r}")
    body = bytearray()
    for chunk in plain:
        body += chunk
        if len(body) > limit:
            raise Unreadable(f"it is longer than {limit:,} bytes")
    return bytes(body)


def _inflated(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Unpack piece by piece, never more than `limit` at once: a bomb is seen before it goes off."""
    machine = zlib.decompressobj(GZIP)
    try:
        for chunk in chunks:
            yield machine.decompress(chunk, limit + 1)
            if machine.unconsumed_tail:
                raise Unreadable(f"it is longer than {limit:,} bytes")
    except zlib.error as error:
        raise Unreadable("it is not packed as it says") from error
    if not machine.eof:
        raise Unreadable("it ends too early")


def _exact(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise InvalidOperation
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_EXPONENT:
        raise InvalidOperation
    return number


_DECODER = msgspec.json.Decoder(float_hook=_exact)


def read_json(body: bytes) -> object:
    """Decode JSON. Numbers with a fraction are Decimal; NaN and Infinity are refused.

    Raises `Unreadable`.

    >>> read_json(b'{"amount": 1.10}')
    {'amount': Decimal('1.10')}
    """
    try:
        decoded: object = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("it is not JSON") from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    except InvalidOperation as error:
        raise Unreadable("it holds a number that is too large") from error
    _refuse_depth(decoded)
    return decoded


def _refuse_depth(decoded: object) -> None:
    """Go down level by level; what is below the last that is allowed is too deep."""
    level = [decoded]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _within(one)]
        if not level:
            return
    raise Unreadable("it is nested too deeply")


def _within(one: object) -> Iterable[object]:
    """Give what stands within an object or a list, less what can hold nothing."""
    found = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return (inner for inner in found if inner.__class__ in (dict, list))
