"""Where a home's files may lie, and the notes that its processes share."""

from __future__ import annotations

from quotey.config import Settings
from quotey.store import Place, SharedNotes
from quotey.sync.clock import Clock

NOTES = "shared.db"
"""Knowledge that may be lost: who deletes it while nothing runs loses what is left of budgets."""


def place_of(settings: Settings) -> Place:
    """Say which places are allowed for the files of the home."""
    return Place(allow_network=settings.allow_network_fs)


def shared_notes(settings: Settings, clock: Clock) -> SharedNotes:
    """Give what all processes of the home see; the file is made when it is first used."""
    return SharedNotes(
        settings.home / NOTES,
        now=lambda: clock.now().timestamp(),
        sleep=clock.sleep,
        place=place_of(settings),
    )
