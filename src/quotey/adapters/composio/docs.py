"""Reading a provider's JSON without trusting its shape: what is not as expected is not there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Doc = dict[str, Any]

UNDATED = "it names no moment of its last change"
"""Why a document is no record: without that moment its revisions cannot be told apart."""


def as_doc(raw: object) -> Doc:
    """Give a JSON object, empty for anything else."""
    return raw if isinstance(raw, dict) else {}


def as_docs(raw: object) -> list[Doc]:
    """Give the objects of a list, empty for anything else."""
    return [one for one in raw if isinstance(one, dict)] if isinstance(raw, list) else []


def as_text(raw: object) -> str:
    """Give a text or a whole number as text; "" for anything else."""
    return str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else ""


def at_path(payload: Doc, path: str) -> object:
    """Give what stands at a dotted path; None for null and for what is not there."""
    here: object = payload
    for part in path.split("."):
        if not isinstance(here, dict):
            return None
        here = here.get(part)
    return here


def in_parts(refs: Iterable[str], size: int) -> list[tuple[str, ...]]:
    """Cut a list of ids into batches, each id once, in order.

    >>> in_parts(["a", "b", "a", "c"], 2)
    [('a', 'b'), ('c',)]
    """
    once = tuple(dict.fromkeys(refs))
    return [once[start : start + size] for start in range(0, len(once), size)]
