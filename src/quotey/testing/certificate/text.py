"""A certificate as Markdown, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from quotey.testing.certificate.certificate import Certificate
from quotey.testing.certificate.words import (
    COLUMNS,
    MEANINGS,
    NOTHING,
    SIGNS,
    TITLE,
    column_name,
    declared,
    rows,
    summary,
)

MADE = "<!-- Written by `quotey crm certify --out docs/reference`. Do not edit. -->\n"
WHOLE = "*the operation*"


def markdown_of(certificate: Certificate) -> str:
    """Draw the certificate as one page; the HTML beside it is easier to read."""
    names = [one.name for one in certificate.candidates]
    order = ", ".join(names)
    parts = [
        f"# {TITLE}\n",
        MADE,
        f"{summary(certificate)}\n",
        "The same as a [page to look at](parity.html) and as [JSON](parity.json).\n",
        "\n".join(f"- {SIGNS[state]} {text}" for state, text in MEANINGS.items())
        + f"\n- {NOTHING}\n",
        *_findings(certificate),
        "## The adapters\n",
        _candidates(certificate),
        "## Operation, field and error class\n",
        f"In each cell the adapters stand in this order: {order}.\n",
        _matrix(certificate, names),
        "## Every test of the suite\n",
        _promises(certificate, names),
    ]
    return "\n".join(parts)


def _findings(certificate: Certificate) -> list[str]:
    if not certificate.findings:
        return []
    lines = [
        f"- **{name}**: {promise.sentence}. `{result.reason.replace('`', '')}`"
        for name, promise, result in certificate.findings
    ]
    return ["## What failed\n", "\n".join(lines) + "\n"]


def _candidates(certificate: Certificate) -> str:
    columns = [dict(declared(one)) for one in certificate.candidates]
    labels = list(columns[0]) if columns else []
    heads = ("", *(one.name for one in certificate.candidates))
    return _table(heads, ([label, *(column[label] for column in columns)] for label in labels))


def _matrix(certificate: Certificate, names: Sequence[str]) -> str:
    lines: list[list[str]] = []
    for operation, fields in rows(certificate):
        for place, (field, row) in enumerate(fields):
            cells = [
                " ".join(SIGNS[row[one].results[name]] for name in names) if one in row else ""
                for one in COLUMNS
            ]
            label = f"`{field}`" if field else WHOLE
            lines.append([f"`{operation}`" if not place else "", label, *cells])
    return _table(("operation", "field", *map(column_name, COLUMNS)), lines)


def _promises(certificate: Certificate, names: Sequence[str]) -> str:
    parts: list[str] = []
    for part, group in groupby(certificate.promises, key=lambda one: one.part):
        lines = [
            [
                one.sentence,
                *(SIGNS[one.results[name].state] for name in names),
                "; ".join(f"{name}: {r.reason}" for name, r in one.results.items() if r.reason),
            ]
            for one in group
        ]
        parts.append(f"### {part}\n")
        parts.append(_table(("the contract says", *names, "why not"), lines))
    return "\n".join(parts)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    drawn = [f"| {' | '.join(_cell(one) for one in line)} |" for line in lines]
    rule = f"|{'---|' * len(heads)}"
    return "\n".join([f"| {' | '.join(heads)} |", rule, *drawn]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
