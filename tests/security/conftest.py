"""A folder on a disk that costs nothing to sync, for tests with real processes."""

from __future__ import annotations

from tests.disk.conftest import ram

__all__ = ["ram"]
