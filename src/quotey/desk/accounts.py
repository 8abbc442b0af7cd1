"""Accounts and contacts as they are mirrored here: change what flows out, find, search.

Asking the CRM itself is not done here; a command never waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from quotey.contract.dto import Value
from quotey.contract.errors import UsageError
from quotey.contract.fields import Entity
from quotey.contract.journal import MirrorRecord
from quotey.desk import changing
from quotey.desk.ports import DeskPorts
from quotey.desk.record_writes import RecordAnswer

MOST = 200
"""The most hits that a search gives."""


def update(desk: DeskPorts, account_id: str, values: MappingOf[str, Value]) -> RecordAnswer:
    """Change fields of an account that flow out (segment, x_…); see `changing.update`."""
    return changing.update(desk, Entity.ACCOUNT, account_id, values)


def search(desk: DeskPorts, text: str, *, limit: int = 20) -> tuple[MirrorRecord, ...]:
    """Find mirrored accounts by part of name or domain, best first."""
    return search_records(desk, Entity.ACCOUNT, text, limit=limit)


def search_contacts(desk: DeskPorts, text: str, *, limit: int = 20) -> tuple[MirrorRecord, ...]:
    """Find mirrored contacts by part of name or e-mail, best first."""
    return search_records(desk, Entity.CONTACT, text, limit=limit)


def search_records(
    desk: DeskPorts, entity: Entity, text: str, *, limit: int = 20
) -> tuple[MirrorRecord, ...]:
    """Find mirrored records of one entity in all connections, in the order of these."""
    wanted = text.strip()
    if not wanted:
        raise UsageError("Nothing was asked for: name a part of what you look for.")
    most = min(max(limit, 1), MOST)
    with desk.store.snapshot():
        hits = (
            record
            for name in desk.connections
            for record in desk.store.records.search(name, entity, wanted, most)
        )
        return tuple(hits)[:most]
