"""Who sets a key means to go live: with the stub nothing is done, unless the stub is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.app.facade import open_quotey
from quotey.contract.errors import ConfigError
from tests.cli.terminal import Terminal

KEY = "COMPOSIO_API_KEY"
VALUE = "ak_canary"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal(tmp_path)
    made.environ[KEY] = VALUE
    return made


def test_with_a_key_the_stub_refuses_to_start_and_says_why(terminal: Terminal) -> None:
    ran = terminal("crm", "sync")
    assert ran.code == 2
    assert KEY in ran.err
    assert "--demo" in ran.err
    assert VALUE not in ran.err
    assert not (terminal.cwd / ".quotey").exists()


def test_help_is_given_all_the_same(terminal: Terminal) -> None:
    assert terminal("crm", "--help").code == 0


def test_demo_says_that_the_stub_is_meant(terminal: Terminal) -> None:
    ran = terminal("--demo", "crm", "sync")
    assert ran.code != 2
    assert "stub (offline)" in ran.out


def test_demo_may_stand_in_the_settings(terminal: Terminal) -> None:
    (terminal.cwd / "quotey.toml").write_text("demo = true\n", encoding="utf-8")
    assert "stub (offline)" in terminal("crm", "status").out


def test_a_key_for_another_connection_counts_too(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    text = '[connections.main]\nprovider = "stub"\n[connections.sales]\nprovider = "hubspot"\n'
    (tmp_path / "quotey.toml").write_text(text, encoding="utf-8")
    terminal.environ["QUOTEY_CONNECTIONS__SALES__API_KEY"] = VALUE
    ran = terminal("crm", "status")
    assert ran.code == 2
    assert "QUOTEY_CONNECTIONS__SALES__API_KEY" in ran.err
    assert terminal("crm", "status", "--connection", "sales").code == 0


def test_an_empty_variable_is_none(terminal: Terminal) -> None:
    terminal.environ[KEY] = ""
    assert terminal("crm", "status").code == 0


def test_a_library_is_refused_as_the_command_line_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=KEY):
        open_quotey(cwd=tmp_path, environ={KEY: VALUE})
    open_quotey(cwd=tmp_path, environ={KEY: VALUE, "QUOTEY_DEMO": "true"}).close()
