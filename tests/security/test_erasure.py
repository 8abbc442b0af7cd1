"""A person is erased from every byte, and the audit chain still holds (SEC-39)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

PERSON = (b"bjorn.tanaka@bluefinmarine", b"bjorn's title", b"555 0101")
ERASE = ("crm", "contact", "erase", "C-1002", "--reason", "request of 3 May")


@pytest.fixture
def quotey(tmp_path: Path) -> Terminal:
    """A contact that was changed, asked about and deleted in the CRM."""
    made = Terminal(tmp_path)
    made("crm", "sync")
    made("crm", "stub", "set", "contact/C-1002", "title=Bjorn's title")
    made("crm", "sync")
    made("crm", "stub", "set", "contact/C-1002", "first_name=", "last_name=", "phone=+1 555 0101")
    made("crm", "sync")
    return made


def bytes_of(home: Path) -> bytes:
    """Every byte of the database and of what SQLite keeps beside it."""
    files = [one for one in home.iterdir() if one.name.startswith("quotey.db")]
    assert files
    return b"".join(one.read_bytes() for one in files).lower()


def deleted(quotey: Terminal) -> None:
    quotey("crm", "stub", "delete", "contact/C-1002")
    assert quotey("crm", "sync").code in {0, 3}


def test_what_is_still_in_the_crm_is_not_erased(quotey: Terminal) -> None:
    ran = quotey(*ERASE)
    assert ran.code == 3
    assert "would bring it back" in ran.err
    assert PERSON[0] in bytes_of(quotey.cwd / ".quotey")


def test_a_preview_erases_nothing(quotey: Terminal) -> None:
    deleted(quotey)
    before = quotey.json("crm", "audit")
    assert "Would erase" in quotey(*ERASE, "--dry-run").out
    assert quotey.json("crm", "audit") == before


def test_an_erased_person_is_in_no_byte_and_the_chain_holds(quotey: Terminal) -> None:
    deleted(quotey)
    assert any(word in bytes_of(quotey.cwd / ".quotey") for word in PERSON)
    ran = quotey(*ERASE)
    assert ran.code == 0, ran.err
    left = bytes_of(quotey.cwd / ".quotey")
    assert [word for word in PERSON if word in left] == []
    assert quotey("crm", "audit", "--verify").code == 0
    assert quotey("db", "check").code == 0
    assert quotey("crm", "contact", "show", "C-1002").code == 0


def test_the_next_sync_does_not_bring_it_back_and_erasing_again_is_harmless(
    quotey: Terminal,
) -> None:
    deleted(quotey)
    quotey(*ERASE)
    quotey("crm", "sync")
    assert PERSON[0] not in bytes_of(quotey.cwd / ".quotey")
    assert quotey(*ERASE).code == 0


def test_an_erasure_without_a_reason_is_wrong_usage(quotey: Terminal) -> None:
    assert quotey(*ERASE[:-1], " ").code == 2
