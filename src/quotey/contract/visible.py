"""Text as it may be shown: what would steer a terminal or turn a line around is written out."""

from __future__ import annotations

import re

_STEERS = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def written_out(text: str) -> str:
    r"""Give the text with control and bidi signs as their escapes; it is one line.

    >>> print(written_out("a" + chr(27) + "[31m"))
    a\x1b[31m
    """
    return _STEERS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - one byte
