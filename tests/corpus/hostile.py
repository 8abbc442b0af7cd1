"""Hostile values: named ones of every class that has hurt somebody, and the well-known list.

Each is a JSON value as a CRM, a file or a person may send it. Source: reliability 2.F.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[3] / "shared" / "data"

NUMBERS: dict[str, Any] = {
    "nan as text": "NaN", "infinity as text": "Infinity", "minus infinity": "-inf",
    "minus zero": Decimal("-0"), "minus zero text": "-0", "1e400": "1e400", "1e5": "1e5",
    "1E+3 exact": Decimal("1E+3"), "exponent of a million": Decimal("1E+400"),
    "5000 digits": "9" * 5000, "2**63": 2**63, "2**63 text": str(2**63), "2**53+1": 2**53 + 1,
    "underscore": "1_000", "comma": "1,000.00", "decimal comma": "1.000,00", "space": "1 000",
    "thin space": "1\u2009000", "full width": "\uff11\uff12.\uff15", "arabic": "\u0661\u0662",
    "roman": "\u2167", "superscript": "\u00b2", "fraction": "\u00bd", "hex": "0x10", "octal": "010",
    "plus": "+5", "double minus": "--5", "trailing point": "5.", "leading point": ".5",
    "seven decimals": "1.1234567", "sixteen digits": "1234567890123456", "currency": "$5",
    "percent": "5%", "unit": "5 EUR", "empty exponent": "5e", "float 0.1": Decimal("0.1"),
    "three decimals": "1.005", "trailing zeros": "5.000000", "leading zeros": "0000005",
    "zero": 0, "negative": -1, "huge": 10**30, "true": True, "false": False,
}  # fmt: skip

DATES: dict[str, Any] = {
    "year one": "0001-01-01", "year 9999": "9999-12-31", "epoch": "1970-01-01",
    "2038": "2038-01-19",
    "30 february": "2026-02-30", "29 february": "2025-02-29", "leap day": "2024-02-29",
    "month 13": "2026-13-01", "day 0": "2026-01-00", "hour 24": "2026-01-01T24:00:00Z",
    "second 60": "2026-06-30T23:59:60Z", "no zone": "2026-01-01T00:00:00", "week": "2026-W01-1",
    "ordinal": "2026-001", "american": "01/31/2026", "two digits": "26-01-01",
    "epoch s": 1767225600,
    "epoch ms": 1767225600000, "epoch us": 1767225600000000, "epoch text": "1767225600000",
    "negative epoch": -1, "full width digits": "\uff12026-01-01", "slash": "2026/01/01",
    "range": "2026-01-01/2026-02-01", "1969": "1969-12-31", "2101": "2101-01-01",
}  # fmt: skip

WORDS: dict[str, Any] = {
    "empty": "", "space": " ", "tab": "\t", "no-break space": "\u00a0", "zero width": "\u200b",
    "nul": "a\x00b", "bell": "a\x07b", "escape": "a\x1b[31mb", "c1": "a\x9bb", "del": "a\x7fb",
    "cr lf": "a\r\nb", "line separator": "a\u2028b", "right to left": "a\u202eb", "bom": "\ufeffa",
    "isolate": "a\u2066b\u2069", "lone high surrogate": "a\ud800b", "lone low": "a\udc00b",
    "noncharacter": "a\ufffeb", "private use": "a\ue000b", "emoji": "\U0001f468\u200d\U0001f469",
    "nfd": "e\u0301", "nfc": "\u00e9", "combining": "a" + "\u0301" * 10_000, "turkish": "\u0130i",
    "sharp s": "STRA\u1e9eE", "ligature": "\ufb01", "1 KB": "x" * 1024, "1 KB and 1": "x" * 1025,
    "1 MB": "x" * 2**20, "1 MB of e acute": "\u00e9" * 2**19, "32 KB": "x" * 32768,
    "script": "<script>alert(1)</script>", "sql": "'; DROP TABLE record; --", "formula": "=1+1",
    "formula at": "@SUM(A1)", "template": "{{7*7}}", "percent s": "%s%n", "shell": "$(id)`id`",
    "path": "../../etc/passwd", "null word": "null", "none word": "None", "undefined": "undefined",
    "true word": "true", "na": "N/A", "dash": "-", "quote": '"', "backslash": "\\", "brace": "{",
    "json": '{"a":1}', "id with slash": "a/b", "id with blank": "a b", "id case": "aBc",
    "salesforce 15": "001A0000006Vm9r", "salesforce 18": "001A0000006Vm9rIAC", "zero id": "0",
    "url": "https://u:p@x.example/a?b#c", "mail": "a@b", "mail name": "A <a@b.example>",
    "idn": "b\u00fccher.example", "punycode": "xn--bcher-kva.example", "dotless": "localhost",
    "port": "x.example:80", "dots": "a..b", "usd": "usd", "euro": "EURO", "dem": "DEM",
    "xxx": "XXX",
    "stage": "nonsense stage",
}  # fmt: skip

SHAPES: dict[str, Any] = {
    "null": None, "list": [], "list of one": ["x"], "object": {}, "nested": {"value": "x"},
    "deep": [[[[[[[[[[["x"]]]]]]]]]]], "list of null": [None],
    "many keys": {str(n): n for n in range(500)},
    "mixed": [1, "a", None, {"b": []}],
}  # fmt: skip


def well_known() -> dict[str, Any]:
    """Give the Big List of Naughty Strings."""
    texts = json.loads((SHARED / "strings" / "blns.json").read_text(encoding="utf-8"))
    return {f"blns {place}": text for place, text in enumerate(texts)}


EVERY: dict[str, Any] = {
    f"{kind}: {name}": value
    for kind, values in {
        "number": NUMBERS,
        "date": DATES,
        "word": WORDS,
        "shape": SHAPES,
        "list": well_known(),
    }.items()
    for name, value in values.items()
}
