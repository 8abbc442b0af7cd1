"""The newest revision of each record, within what a CRM answered at once.

Which of two is the newer one is decided in `quotey.decide.order`.
"""

from __future__ import annotations

from collections.abc import Iterable

from quotey.contract.dto import RemoteRecord
from quotey.decide.order import Revision, ahead


def newest(records: Iterable[RemoteRecord]) -> dict[str, RemoteRecord]:
    """Keep one revision of each record, the newest; of equal ones the one that came last."""
    kept: dict[str, RemoteRecord] = {}
    for record in records:
        before = kept.get(record.crm_ref)
        if before is None or not is_older(record, before):
            kept[record.crm_ref] = record
    return kept


def is_older(one: Revision, other: Revision) -> bool:
    """Say whether the one is an older revision of the same record than the other."""
    return ahead(other, one) < 0
