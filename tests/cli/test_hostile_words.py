"""Whatever is typed, one clear answer comes: never a crash, never a broken document."""

from __future__ import annotations

import pytest

from tests.cli.terminal import Terminal

LINES = [
    ["quote", "show", "?"],
    ["quote", "create", "D-1001", "--total", "?"],
    ["quote", "create", "D-1001", "--total", "1", "--note", "?"],
    ["quote", "create", "D-1001", "--total", "1", "--token", "?"],
    ["quote", "create", "D-1001", "--total", "1", "--currency", "?"],
    ["quote", "create", "D-1001", "--total", "1", "--valid-until", "?"],
    ["quote", "create", "D-1001", "--line", "?=1"],
    ["quote", "attach", "q_1", "?"],
    ["crm", "explain", "?"],
    ["crm", "explain", "deal/?"],
    ["crm", "explain", "deal/D-1001", "?"],
    ["crm", "deal", "update", "D-1001", "name=?"],
    ["crm", "deal", "update", "D-1001", "?=1"],
    ["crm", "lookup", "account", "?"],
    ["crm", "lookup", "contact", "?", "--crm"],
    ["crm", "lock", "deal/D-1001", "?", "--for", "1h", "--reason", "?"],
    ["crm", "lock", "deal/D-1001", "stage", "--for", "?", "--reason", "?"],
    ["crm", "reconcile", "apply", "?", "--policy", "crm_wins"],
    ["crm", "reconcile", "list", "--cause", "?"],
    ["crm", "reconcile", "list", "--type", "?"],
    ["crm", "stub", "set", "deal/D-1002", "name=?"],
    ["crm", "stub", "show", "deal/?"],
    ["crm", "audit", "--kind", "?"],
    ["crm", "audit", "?"],
    ["crm", "outbox", "discard", "op", "--reason", "?"],
    ["crm", "outbox", "list", "--record", "?"],
    ["crm", "watch", "--rounds", "1", "--every", "?"],
    ["crm", "mapping", "test", "?", "--entity", "deal"],
    ["db", "backup", "?"],
    ["crm", "status", "--connection", "?"],
    ["crm", "status", "--config", "?"],
    ["crm", "?"],
    ["?"],
]
WORDS = [
    "\udcff",
    "a\x00b",
    "a\x1b[31mb",
    "\u202ex",
    "x" * 5000,
    "日本",
    "",
    " ",
    "'; drop table quote; --",
    "../../etc/passwd",
    "9" * 40,
]


@pytest.mark.parametrize("word", WORDS)
def test_any_word_gets_a_clear_answer(synced: Terminal, word: str) -> None:
    for line in LINES:
        argv = [part.replace("?", word) for part in line]
        ran = synced(*argv)
        assert ran.code in (0, 2, 3, 7), (argv, ran.err[-500:])
        for text in (ran.out, ran.err):
            text.encode()
            assert not set(text) & {"\x1b", "\x00", "\u202e"}, argv
        if "json" not in word and ran.code != 0:
            document = synced(*argv, "--json").document
            assert document["exit_code"] in (2, 3, 7), argv
