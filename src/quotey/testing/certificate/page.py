"""A certificate as one HTML page: no script, nothing loaded, readable in light and in dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from itertools import groupby

from quotey.testing.certificate.certificate import Certificate, Promise, State
from quotey.testing.certificate.words import (
    COLUMNS,
    MEANINGS,
    NOTHING,
    SIGNS,
    TITLE,
    Row,
    column_name,
    declared,
    rows,
    summary,
)

WHOLE = "the operation"


def html_of(certificate: Certificate) -> str:
    """Draw the page."""
    names = [one.name for one in certificate.candidates]
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    parts = [
        f"<h1>{TITLE}</h1>",
        f"<p>{escape(summary(certificate))} Quotey {escape(certificate.quotey)}.</p>",
        _legend(),
        *_findings(certificate),
        _candidates(certificate),
        _matrix(certificate, names),
        _promises(certificate, names),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{TITLE}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _legend() -> str:
    items = [f"<li>{_sign(state)} {escape(text)}</li>" for state, text in MEANINGS.items()]
    return f'<ul class="legend">{"".join(items)}<li>{escape(NOTHING)}</li></ul>'


def _sign(state: State) -> str:
    word = str(state).replace("_", " ")
    return (
        f'<span class="{state}" title="{word}" role="img" aria-label="{word}">{SIGNS[state]}</span>'
    )


def _findings(certificate: Certificate) -> list[str]:
    if not certificate.findings:
        return []
    items = [
        f"<li><strong>{escape(name)}</strong>: {escape(promise.sentence)}. "
        f"<code>{escape(result.reason)}</code></li>"
        for name, promise, result in certificate.findings
    ]
    return ["<h2>What failed</h2>", f"<ul>{''.join(items)}</ul>"]


def _candidates(certificate: Certificate) -> str:
    columns = [dict(declared(one)) for one in certificate.candidates]
    labels = list(columns[0]) if columns else []
    body = [_row(label, (escape(column[label]) for column in columns)) for label in labels]
    return _table(
        "What each adapter says of itself, as confirmed, and how its tests ended",
        f"<tr><th></th>{_heads(one.name for one in certificate.candidates)}</tr>",
        [f"<tbody>{''.join(body)}</tbody>"],
    )


def _matrix(certificate: Certificate, names: list[str]) -> str:
    groups = "".join(
        f'<th scope="colgroup" colspan="{len(names)}">{column_name(one)}</th>' for one in COLUMNS
    )
    heads = "".join(
        f'<th scope="col" class="turned{"" if place else " first"}">'
        f"<span>{escape(name)}</span></th>"
        for _ in COLUMNS
        for place, name in enumerate(names)
    )
    group = f'<colgroup span="{len(names)}"></colgroup>'
    spans = f'<colgroup span="2"></colgroup>{group * len(COLUMNS)}'
    bodies = [_operation(name, fields, names) for name, fields in rows(certificate)]
    head = (
        f'<tr><th scope="col" rowspan="2">operation</th><th scope="col" rowspan="2">field</th>'
        f"{groups}</tr><tr>{heads}</tr>"
    )
    title = "Operation, field and error class: did the value arrive, and which refusals were seen"
    return _table(title, head, bodies, spans=spans, kind="matrix")


def _operation(name: str, fields: list[tuple[str, Row]], names: list[str]) -> str:
    lines = []
    for place, (field, row) in enumerate(fields):
        first = (
            f'<th scope="rowgroup" rowspan="{len(fields)}"><code>{escape(name)}</code></th>'
            if not place
            else ""
        )
        label = f"<code>{escape(field)}</code>" if field else WHOLE
        cells = "".join(_cells(row, names))
        lines.append(f'<tr>{first}<th scope="row">{label}</th>{cells}</tr>')
    return f"<tbody>{''.join(lines)}</tbody>"


def _cells(row: Row, names: list[str]) -> Iterable[str]:
    for column in COLUMNS:
        cell = row.get(column)
        for place, name in enumerate(names):
            kind = ' class="first"' if not place else ""
            yield f"<td{kind}>{_sign(cell.results[name]) if cell else ''}</td>"


def _promises(certificate: Certificate, names: list[str]) -> str:
    bodies = []
    for part, group in groupby(certificate.promises, key=lambda one: one.part):
        head = f'<tr><th scope="rowgroup" colspan="{len(names) + 2}">{escape(part)}</th></tr>'
        bodies.append(f"<tbody>{head}{''.join(_promise(one, names) for one in group)}</tbody>")
    heads = _heads(("the contract says", *names, "why not"))
    return _table("Every test of the suite", f"<tr>{heads}</tr>", bodies, kind="promises")


def _promise(promise: Promise, names: list[str]) -> str:
    signs = "".join(f"<td>{_sign(promise.results[name].state)}</td>" for name in names)
    reasons = "; ".join(
        f"{name}: {result.reason}" for name, result in promise.results.items() if result.reason
    )
    return (
        f'<tr><th scope="row">{escape(promise.sentence)}</th>{signs}<td>{escape(reasons)}</td></tr>'
    )


def _heads(names: Iterable[str]) -> str:
    return "".join(f'<th scope="col">{escape(name)}</th>' for name in names)


def _row(label: str, cells: Iterable[str]) -> str:
    return f'<tr><th scope="row">{escape(label)}</th>{"".join(f"<td>{c}</td>" for c in cells)}</tr>'


def _table(caption: str, head: str, bodies: list[str], *, spans: str = "", kind: str = "") -> str:
    """Draw a table that scrolls by itself when the page is narrow."""
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0">\n'
        f'<table class="{kind}"><caption>{escape(caption)}</caption>{spans}\n'
        f"<thead>{head}</thead>\n" + "\n".join(bodies) + "\n</table></div>"
    )
