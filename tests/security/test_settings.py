"""Settings and mappings from a hostile hand: refused in a sentence, and never passed over."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from quotey.wire import Door, NotSent, Request
from tests.cli.terminal import Ran, Terminal

TEXTS = {
    "nested": "a = " + "[" * 5000 + "]" * 5000,
    "digits": "[limits]\nattempts = " + "9" * 5000,
    "no such user": 'home = "~nosuchuserhere/x"',
    "nul": 'home = "a\\u0000b"',
    "long path": 'home = "' + "a/" * 3000 + '"',
    "long part": 'attachments = "' + "a" * 300 + '"',
    "huge actor": 'actor = "' + "a" * 201 + '"',
    "hidden actor": 'actor = "kim\\u202e"',
    "actor of two lines": 'actor = "kim\\nroot"',
}


@pytest.fixture
def quotey(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def refused(ran: Ran, code: int = 2) -> None:
    assert ran.code == code, ran
    assert "Nothing was changed" in ran.err
    assert not [word for word in ("Traceback", "did not foresee") if word in ran.err]


@pytest.mark.parametrize("text", TEXTS)
def test_what_no_setting_can_be_is_told_and_nothing_is_made(quotey: Terminal, text: str) -> None:
    (quotey.cwd / "quotey.toml").write_text(TEXTS[text], encoding="utf-8")
    refused(quotey("crm", "sync"))
    assert [one.name for one in quotey.cwd.iterdir()] == ["quotey.toml"]


@pytest.mark.parametrize("name", ["HOME", "ACTOR", "ATTACHMENTS"])
def test_bytes_that_are_no_text_are_no_setting(quotey: Terminal, name: str) -> None:
    quotey.environ[f"QUOTEY_{name}"] = "a\udcffb"
    refused(quotey("crm", "sync"))


@pytest.mark.parametrize("user", ["\udcff", "a\nb", "x" * 300, "\u202eroot", " "])
def test_a_login_name_that_cannot_be_shown_is_nobodys(quotey: Terminal, user: str) -> None:
    quotey.environ["USER"] = user
    quotey("crm", "sync")
    assert {one["actor"] for one in quotey.json("crm", "audit")["items"]} == {"operator"}


@pytest.mark.parametrize("name", ["../X", "A/B", "A B", "\u202e", ""])
def test_a_variable_makes_no_connection_whose_name_is_a_path(quotey: Terminal, name: str) -> None:
    (quotey.cwd / "quotey.toml").write_text('[connections.main]\nprovider = "stub"\n')
    quotey.environ[f"QUOTEY_CONNECTIONS__{name}__PROVIDER"] = "stub"
    refused(quotey("crm", "sync"))


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_nowhere(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def a_circle(path: Path) -> None:
    path.symlink_to(path.name)


ODD: tuple[Callable[[Path], None], ...] = (Path.mkdir, a_pipe, a_link_to_nowhere, a_circle)


@pytest.mark.parametrize("make", ODD)
def test_settings_that_are_no_plain_file_do_not_quietly_begin_the_demo(
    quotey: Terminal, make: Callable[[Path], None]
) -> None:
    make(quotey.cwd / "quotey.toml")
    refused(quotey("crm", "sync"))
    assert not (quotey.cwd / ".quotey").exists()


@pytest.mark.parametrize("make", [*ODD, lambda path: path.symlink_to("/dev/zero")])
def test_a_mapping_that_is_no_plain_file_does_not_quietly_let_another_decide(
    quotey: Terminal, make: Callable[[Path], None]
) -> None:
    (quotey.cwd / "mappings").mkdir()
    make(quotey.cwd / "mappings" / "main.toml")
    refused(quotey("crm", "sync"), 5)
    assert quotey("crm", "mapping", "check").code == 5


def test_a_mapping_without_end_is_refused_before_it_fills_the_memory(quotey: Terminal) -> None:
    ran = quotey("crm", "mapping", "check", "/dev/zero")
    assert ran.code == 5
    assert "longer than" in ran.out


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "a" * 5000, "-", "*"])
def test_a_host_that_is_no_name_is_not_found_and_no_steps_are_shown(
    host: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(name: str, *_words: object, **_more: object) -> object:
        name.encode("idna")  # where the library itself fails; what is a name is not asked for
        raise socket.gaierror("offline")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    door = Door(frozenset({host}))
    outcome = door.send(Request(method="GET", url=f"https://{host}/", timeout=2.0))
    assert isinstance(outcome, NotSent)
    assert capfd.readouterr() == ("", "")
