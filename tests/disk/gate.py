"""Stands between the sellers and a simulated CRM, and holds a request when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable

from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Broken, Request, Response

Wanted = Callable[[Request], bool]


class Gate:
    """Stands before the CRM and holds one request, before it is carried out or before its answer.

    `wanted` says which; everybody else passes. Armed anew for each stop.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.prefixes = core.prefixes
        self.caught = threading.Event()
        self._free = threading.Event()
        self._armed = threading.Lock()
        self._wanted: Wanted | None = None
        self._carried_first = True
        self._dropped = False

    def arm(self, wanted: Wanted, *, carried_first: bool, dropped: bool = False) -> None:
        """Hold the next such request; one that is dropped never reaches the CRM."""
        self._dropped = dropped
        self.caught.clear()
        self._free.clear()
        self._carried_first = carried_first
        self._wanted = wanted

    def release(self) -> None:
        """Let it go on."""
        self._free.set()

    def exchange(self, request: Request) -> Response | Broken:
        """Pass it on, or hold it."""
        with self._armed:
            held = self._wanted is not None and self._wanted(request)
            self._wanted = None if held else self._wanted
        if held and not self._carried_first:
            self._hold()
            if self._dropped:
                return Broken()
        outcome = self._core.exchange(request)
        if held and self._carried_first:
            self._hold()
        return outcome

    def _hold(self) -> None:
        self.caught.set()
        self._free.wait(30)
