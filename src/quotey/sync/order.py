"""Which of two revisions of one record is the newer one, within what a CRM answered at once.

Against the mirror this is judged by `quotey.decide`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from quotey.contract.dto import RemoteRecord


def newest(records: Iterable[RemoteRecord]) -> dict[str, RemoteRecord]:
    """Keep one revision of each record, the newest; of equal ones the one that came last.

    Versions that are plain numbers are compared; all others are opaque, and the source's time
    decides.
    """
    kept: dict[str, RemoteRecord] = {}
    for record in records:
        before = kept.get(record.crm_ref)
        if before is None or not is_older(record, before):
            kept[record.crm_ref] = record
    return kept


class Revision(Protocol):
    """What tells revisions of one record apart; records and quarantined ones have it."""

    @property
    def source_version(self) -> str:
        """Orders revisions where the source has such a thing."""

    @property
    def source_ts(self) -> datetime:
        """The moment of the source."""


def is_older(one: Revision, other: Revision) -> bool:
    """Say whether the one is an older revision of the same record than the other."""
    ours, theirs = one.source_version, other.source_version
    if _is_number(ours) and _is_number(theirs):
        return int(ours) < int(theirs)
    return one.source_ts < other.source_ts


def _is_number(version: str) -> bool:
    return version.isascii() and version.isdigit() and len(version) <= 30  # noqa: PLR2004
