"""A mass change stops the run and asks a person (law 11); here the question is kept.

When it is too much is decided in `quotey.decide`. Called inside a transaction.
"""

from __future__ import annotations

from quotey.contract.fields import Entity
from quotey.contract.journal import SyncState
from quotey.contract.reconciliation import ConflictKey, ConflictType
from quotey.decide.items import WHOLE_RECORD
from quotey.decide.plan import ItemDraft
from quotey.sync import items
from quotey.sync.ports import Run

MOOT = "The entity could be read without it."


def ask(run: Run, state: SyncState, why: str) -> None:
    """Leave the question as an item of the whole entity; asked twice it is one item."""
    items.record(
        run,
        ItemDraft(
            entity_type=state.entity,
            entity_id=WHOLE_RECORD,
            field_name=WHOLE_RECORD,
            conflict_type=ConflictType.MASS_CHANGE,
            local_value=None,
            remote_value=why,
            key=ConflictKey(
                entity_id=WHOLE_RECORD,
                field_name=str(state.entity),
                local_version=run.connection,
                remote_version_or_timestamp=f"{state.cursor}|{why}",
            ),
            detail=why,
        ),
    )


def settled(run: Run, entity: Entity, *, accepted: bool) -> None:
    """Close the question: the run went through, with a person's yes or without need of one."""
    waiting = run.store.items.list(
        connection=run.connection, conflict_type=ConflictType.MASS_CHANGE, entity_type=entity
    )
    for item in waiting:
        items.resolve(run, item, f"Accepted by {run.actor}." if accepted else MOOT)
