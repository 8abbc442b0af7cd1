"""Servers for the tests of this folder, each started once a run, when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.server import NO_POSTGRES, Tryton, on_postgres, on_sqlite, postgres_programs

FIXTURE_OF = {"sqlite": "tryton_on_sqlite", "postgresql": "tryton_on_postgres"}
HERE = ("sqlite", "postgresql") if postgres_programs() else ("sqlite",)
ON = tuple(os.environ.get("E2E_DATABASE", " ".join(HERE)).split())
"""The databases under all tests but those that name theirs."""


@pytest.fixture(scope="session", params=ON)
def tryton(request: pytest.FixtureRequest) -> Tryton:
    running: Tryton = request.getfixturevalue(FIXTURE_OF[request.param])
    return running


@pytest.fixture(scope="session")
def tryton_on_sqlite() -> Iterator[Tryton]:
    with on_sqlite() as running:
        yield running


@pytest.fixture(scope="session")
def tryton_on_postgres() -> Iterator[Tryton]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip(NO_POSTGRES)
    with on_postgres(programs) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the figures that were measured."""
    for report in terminalreporter.stats.get("passed", []):
        for name, figure in getattr(report, "user_properties", []):
            terminalreporter.write_line(f"{name}: {figure}")
