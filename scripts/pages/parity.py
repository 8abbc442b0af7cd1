"""The parity pages, drawn from the certificate beside them; and what that certificate lacks.

The certificate itself is made by `quotey crm certify --out docs/reference`, which takes a while.
"""

from __future__ import annotations

from pathlib import Path

from quotey.testing.certificate import Certificate, read_certificate
from quotey.testing.certificate.page import html_of
from quotey.testing.certificate.running import every_test
from quotey.testing.certificate.text import markdown_of
from quotey.testing.names import CERTIFIED

CERTIFICATE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "parity.json"


def parity_page() -> str:
    """Give the certificate as Markdown."""
    return markdown_of(_certificate())


def parity_html() -> str:
    """Give the certificate as a page to look at."""
    return html_of(_certificate())


def parity_lacks() -> list[str]:
    """Name every test of the suite and every provider that the certificate does not hold."""
    held = _certificate()
    tests = {one.name for one in held.promises}
    providers = {one.name for one in held.candidates}
    return [
        *(name for name in CERTIFIED if name not in providers),
        *(name for _part, name in every_test() if name not in tests),
    ]


def _certificate() -> Certificate:
    return read_certificate(CERTIFICATE.read_text(encoding="utf-8"))
