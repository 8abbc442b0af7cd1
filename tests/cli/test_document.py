"""The JSON document: one, the same shape for every command, also when it fails."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scripts.answers import ANSWERS, choices
from scripts.generate_docs import every_command
from tests.cli.terminal import Terminal

KEYS = [
    "schema",
    "mode",
    "provider",
    "correlation_id",
    "ok",
    "exit_code",
    "data",
    "diagnostics",
    "next",
]
DIAGNOSTIC = {"code", "severity", "message", "entity", "field", "crm_ref", "line", "fix"}

COMMANDS = [
    "crm status",
    "crm sync",
    "crm plan",
    "crm watch --rounds 1",
    "crm explain deal/D-1001",
    "crm lock deal/D-1001 stage --for 2h --reason x",
    "crm unlock deal/D-1005 stage",
    "crm locks",
    "crm audit",
    "crm audit --verify",
    "crm connect stub",
    "crm doctor",
    "crm reconcile list",
    "crm reconcile list --each",
    "crm outbox list",
    "crm outbox list --all --record deal/D-1001",
    "crm mapping show",
    "crm mapping check",
    "crm lookup account a",
    "crm lookup account a --crm",
    "crm lookup contact a",
    "crm lookup contact a --crm",
    "crm lookup deal a",
    "crm explain deal/D-1022",
    "crm deal list --limit 3",
    "crm account list",
    "crm deal show D-1001",
    "crm deal update D-1001 amount=10",
    "crm deal create A-1001 name=x stage=won",
    "crm account show A-1001",
    "crm account update A-1001 segment=smb",
    "crm contact show C-1001",
    "crm contact erase C-1002 --reason asked",
    "crm stub show",
    "crm stub show deal",
    "crm stub show deal/D-1001",
    "crm stub set deal/D-1002 stage=won",
    "crm stub add account/A-9001 name=x segment=SMB",
    "crm stub delete deal/D-1003",
    "crm stub merge account/A-1002 A-1001",
    "crm stub fail server_error",
    "crm stub define deal.stage --gone",
    "crm stub define deal.stage --restore",
    "crm stub heal",
    "crm stub play",
    "crm stub log",
    "crm stub reset",
    "quote create D-1001 --total 10",
    "quote list",
    "db check",
    "db backup backup.db",
    "db restore spare.db --dry-run",
    "db upgrade",
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_answers_with_one_document(synced: Terminal, line: str) -> None:
    synced("crm", "lock", "deal/D-1005", "stage", "--for", "48h", "--reason", "legal")
    synced("db", "backup", "spare.db")
    if "erase" in line:
        synced("crm", "stub", "delete", "contact/C-1002")
        synced("crm", "sync", "--entity", "contact")
    ran = synced(*line.split(), "--json")
    words = ".".join(_words(line))
    document = ran.document
    assert list(document) == KEYS, ran.out
    assert document["schema"] == f"quotey.{words}/1"
    assert (document["mode"], document["provider"]) == ("stub", "stub")
    assert document["exit_code"] == ran.code
    assert document["ok"] == (ran.code == 0)
    assert fits(document["data"], ANSWERS[" ".join(_words(line))])
    assert ran.err == "" or line.startswith("crm watch"), "only a watch tells what it does"


def fits(data: object, answer: Any) -> bool:  # noqa: ANN401 - a type as a value
    """Whether the data can be read back into one of the command's types, keys and all."""
    for kind in choices(answer):
        try:
            back = msgspec.to_builtins(msgspec.convert(data, kind, strict=True))
        except msgspec.ValidationError:
            continue
        if not isinstance(back, dict) or not isinstance(data, dict) or data.keys() <= back.keys():
            return True
    return False


def test_every_command_has_its_type_in_the_schema() -> None:
    assert [f"quotey {command}" for command in ANSWERS] == list(every_command())


def _words(line: str) -> list[str]:
    from quotey.cli.tree import COMMANDS as GROUPS

    words = line.split()
    depth = 3 if " ".join(words[:2]) in GROUPS else 2
    return words[:depth]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_draws_its_answer(synced: Terminal, line: str) -> None:
    synced("db", "backup", "spare.db")
    if "erase" in line:
        synced("crm", "stub", "delete", "contact/C-1002")
        synced("crm", "sync", "--entity", "contact")
    synced("crm", "lock", "deal/D-1005", "stage", "--for", "48h", "--reason", "legal")
    ran = synced(*line.split())
    assert ran.out.startswith("stub (offline): nothing leaves this machine\n")
    assert ran.out.count("\n") >= 2
    assert ran.err == "" or line.startswith("crm watch"), "only a watch tells what it does"


def test_a_failure_is_a_document_too(synced: Terminal) -> None:
    ran = synced("crm", "deal", "create", "A-1001", "nam=x", "--json")
    document = ran.document
    assert list(document) == [*KEYS, "error"]
    assert (ran.code, document["exit_code"], document["ok"]) == (2, 2, False)
    assert document["data"] is None
    assert document["error"]["code"] == "usage"
    assert document["diagnostics"]
    assert all(set(one) == DIAGNOSTIC for one in document["diagnostics"])
    assert ran.err == ""


def test_wrong_usage_is_a_document_too(quotey: Terminal) -> None:
    document = quotey("crm", "status", "--nope", "--json").document
    assert (document["schema"], document["exit_code"]) == ("quotey.crm.status/1", 2)
    assert document["mode"] is None
    assert not list(quotey.cwd.iterdir())


def test_a_dry_run_answers_with_the_plan(synced: Terminal) -> None:
    assert synced("crm", "sync", "--dry-run", "--json").document["schema"] == "quotey.crm.plan/1"


def test_the_correlation_id_leads_to_the_audit(synced: Terminal) -> None:
    document = synced("quote", "create", "D-1001", "--total", "10", "--json").document
    events = synced.json("crm", "audit", "--correlation-id", document["correlation_id"])["items"]
    assert [event["kind"] for event in events] == ["quote.created"]
    assert events[0]["mode"] == "stub"
    assert events[0]["actor"] == "kim"


def test_money_is_text_and_times_are_utc(synced: Terminal) -> None:
    current = synced.json("quote", "create", "D-1001", "--total", "12000.50")["quote"]["current"]
    assert current["total"] == "12000.50"
    assert current["created_at"].endswith("Z")
