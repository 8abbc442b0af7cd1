"""A real Tryton passes the suite of all adapters, over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.testing.conformance import AdapterConformance
from quotey.testing.world import World
from tests.e2e.server import Tryton
from tests.e2e.world import TrytonWorld

pytestmark = pytest.mark.e2e


class TestTryton(AdapterConformance):
    """Sales stay drafts here: a quotation converts its deal, which is Tryton's own doing."""

    @pytest.fixture(autouse=True)
    def _server(self, tryton: Tryton) -> None:
        self._tryton = tryton

    def make_world(self, folder: Path) -> World:
        return TrytonWorld(self._tryton)
