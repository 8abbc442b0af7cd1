"""Words that would end a statement are only words, wherever they are typed (SEC-25)."""

from __future__ import annotations

import pytest

from tests.cli.terminal import Terminal

WORDS = [
    "' OR '1'='1",
    "'; DROP TABLE quote; --",
    '" OR ""="',
    "x' UNION SELECT key, value, 1, 1 FROM meta --",
    "x') OR (1=1",
    "\\' OR 1=1 --",
    "x'||(SELECT hex(randomblob(9)))||'",
    ":token",
    "?1",
    "[x]",
    "x'; ATTACH 'other.db' AS other; --",
]
QUIET = [
    "crm lookup account ?",
    "crm lookup contact ?",
    "crm lookup deal ?",
    "crm audit --kind ?",
    "crm audit --correlation-id ?",
    "crm reconcile list --cause ?",
]
"""What asks for something; none of the words is the name of anything."""
SHARP = [
    "crm explain deal/?",
    "crm deal show ?",
    "crm deal list --after ?",
    "crm audit deal/?",
    "crm contact erase ? --reason asked",
    "crm lock deal/? stage --for 1h --reason x",
    "crm unlock deal/D-1001 ?",
    "crm outbox show ?",
    "crm outbox discard ? --reason x",
    "crm reconcile show ?",
    "crm reconcile undo ?",
    "quote show ?",
    "quote list --deal ?",
    "quote revise ? --total 1",
    "quote create ? --total 1",
    "quote create D-1001 --total 5 --token ?",
    "quote create D-1001 --total 5 --note ?",
    "crm account update A-1001 name=?",
]


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    made = Terminal(tmp_path_factory.mktemp("shop"))
    made("crm", "sync")
    return made


def typed(shop: Terminal, line: str, word: str) -> str:
    """Type a line with the word in it; gives what came, which is no failure of the database."""
    ran = shop(*(part.replace("?", word) for part in line.split()))
    assert ran.code in (0, 2, 3), (line, ran)
    return ran.out


@pytest.mark.parametrize("word", WORDS)
def test_a_word_never_ends_a_statement(shop: Terminal, word: str) -> None:
    for line in (*QUIET, *SHARP):
        typed(shop, line, word)
    assert shop("db", "check").code == 0
    assert len(shop.json("crm", "deal", "list", "--limit", "100")["records"]) == 54
    assert not list(shop.cwd.rglob("other.db"))


@pytest.mark.parametrize("word", WORDS[:6])
def test_a_word_never_finds_more_than_itself(shop: Terminal, word: str) -> None:
    for line in QUIET[:3]:
        assert shop.json(*(part.replace("?", word) for part in line.split()))["records"] == []
    for line in QUIET[3:]:
        answer = shop.json(*(part.replace("?", word) for part in line.split()))
        assert not answer.get("items")
        assert not answer.get("groups")


def test_a_token_is_found_by_itself_only(shop: Terminal) -> None:
    """The first answer stands under its own token, however another is written."""
    first = shop.json("quote", "create", "D-1001", "--total", "5", "--token", "t-1")
    again = shop.json("quote", "create", "D-1001", "--total", "5", "--token", "t-1")
    assert first["quote"]["id"] == again["quote"]["id"]
    for word in WORDS:
        other = shop("quote", "create", "D-1001", "--total", "5", "--token", word, "--json")
        assert other.code in (0, 2, 3)
        if other.code == 0:
            assert other.data["quote"]["id"] != first["quote"]["id"]
