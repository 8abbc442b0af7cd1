"""Text as it may be shown: what steers a terminal, turns a line around or hides is written out."""

from __future__ import annotations

import re

UNSEEN = (
    "\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
"""Ranges of signs that nobody sees: control and bidi signs above ASCII, and what takes no place.

By them two names that are not the same look alike, and a text holds words that only machines read.
Source: Unicode 15.1, Default_Ignorable_Code_Point less the variation selectors of emoji.
"""
_STEERS = re.compile(f"[\u0000-\u001f{UNSEEN}\ud800-\udfff]")


def written_out(text: str) -> str:
    r"""Give the text with control, bidi and unseen signs as their escapes; it is one line.

    >>> print(written_out("a" + chr(27) + "[31m"))
    a\x1b[31m
    """
    return _STEERS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:  # noqa: PLR2004 - one byte
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - two bytes
