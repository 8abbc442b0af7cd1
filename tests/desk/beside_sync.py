"""A desk on the files and the clock of a world that syncs."""

from __future__ import annotations

from quotey.desk.ports import DeskPorts
from tests.sync.world import World


def desk_of(world: World) -> DeskPorts:
    """Give what a local command gets there."""
    return DeskPorts(
        store=world.desk,
        mapping_of=lambda _connection: world.mapping,
        now=world.clock.now,
        ids=world.next_id,
        actor="ann",
        correlation_id="c_desk",
        mode="stub",
        attachments=world.home / "attachments",
        home=world.home,
    )
