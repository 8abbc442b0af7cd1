"""`crm_sync_state`: where each half of a sync stands (seed 6.2). Moves are decided elsewhere."""

from __future__ import annotations

from quotey.contract.errors import LeaseLostError
from quotey.contract.fields import Entity
from quotey.contract.journal import SyncDirection, SyncState
from quotey.store.database import Database
from quotey.store.shapes import Shape

SYNC_STATE = Shape(SyncState, "counts", "diagnostics")


class SyncStates:
    """One row per connection, entity and direction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, connection: str, entity: Entity, direction: SyncDirection) -> SyncState:
        """Give the row, or a fresh idle one with epoch 0 when there is none yet."""
        params = {"connection": connection, "entity": entity, "direction": direction}
        row = self._db.row("sync_state_get", params)
        if row is None:
            return SyncState(connection=connection, entity=entity, direction=direction)
        return SYNC_STATE.read(row)

    def all(self, connection: str | None = None) -> tuple[SyncState, ...]:
        """Give every row that was ever put."""
        return SYNC_STATE.read_all(self._db.rows("sync_state_all", {"connection": connection}))

    def put(self, state: SyncState) -> None:
        """Store the row. LeaseLostError when the stored epoch is newer than `state.epoch`."""
        if self._db.write("sync_state_put", SYNC_STATE.write(state)) == 0:
            raise LeaseLostError(
                f"Another process has taken over the {state.direction} sync of {state.entity} on "
                f"{state.connection} (epoch {state.epoch} is over). Nothing was changed."
            )
