"""Pages of Tryton, over a server that searches as Tryton does: records of one moment (R3, R6)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quotey.adapters.tryton import TrytonSettings, shipped_mapping
from quotey.adapters.tryton.pages import Pages
from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.shape import MODIFIED, shape_of
from quotey.adapters.tryton.sight import Sight
from quotey.adapters.tryton.values import Doc, from_wire, to_wire
from quotey.contract.dto import CrmSyncResultDto
from quotey.contract.fields import Entity
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.secret import Secret
from quotey.testing.world import CALL
from tests.wire.server import Server, answering, plain

AT = datetime(2026, 1, 15, 12, 0, 0, 7, tzinfo=UTC)
DEAL = shape_of(parse_mapping(shipped_mapping(), name="tryton.toml"), Entity.DEAL)
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda held, asked: bool(held > asked),
    "=": lambda held, asked: bool(held == asked),
}


def holds(domain: list[Any], doc: Doc) -> bool:
    """Whether a record is in a domain, of which we send a few forms only."""
    if domain and domain[0] == "OR":
        return any(holds(one, doc) for one in domain[1:])
    if domain and isinstance(domain[0], str):
        field, sign, value = domain
        return SIGNS[sign](doc[field], value)
    return all(holds(one, doc) for one in domain)


def found(docs: list[Doc], domain: list[Any], limit: int, order: list[list[str]]) -> list[Doc]:
    """Search as Tryton does: what is in the domain, in the order that was asked for."""
    assert [way for _, way in order] == ["ASC", "ASC"]
    names = [name for name, _ in order]
    inside = [doc for doc in docs if holds(domain, doc)]
    return sorted(inside, key=lambda doc: [doc[name] for name in names])[:limit]


@contextmanager
def tryton(docs: list[Doc]) -> Iterator[Pages]:
    """Open the pages of a database with these opportunities."""
    heard: list[Server] = []

    def answer(line: socket.socket) -> None:
        asked = json.loads(heard[0].heard[-1].partition(b"\r\n\r\n")[2])
        params = from_wire(asked["params"])
        if asked["method"] == "common.db.login":
            result: object = [7, "token"]
        elif asked["method"].endswith("get_preferences"):
            result = {}
        else:
            result = to_wire(found(docs, params[0], params[2], params[3]))
        line.sendall(plain(json.dumps({"result": result}).encode(), "connection: close"))

    with answering(answer) as server:
        heard.append(server)
        settings = TrytonSettings(
            base_url=server.url.removesuffix("/x"),
            database="demo",
            user="quotey",
            password=Secret("canary"),
            loopback=True,
        )
        with closing(Rpc(settings)) as rpc:
            yield Pages(rpc, Sight(rpc), settings, "tryton")


def opportunities(numbers: range, at: datetime = AT) -> list[Doc]:
    return [{"id": number, MODIFIED: at} for number in numbers]


def run(pages: Pages, cursor: str = "", limit: int = 100) -> Iterator[CrmSyncResultDto]:
    """Read to the end."""
    more = True
    while more:
        page = pages.page(DEAL, cursor, limit, CALL)
        yield page
        cursor, more = page.next_cursor, page.has_more


def met(found: list[CrmSyncResultDto]) -> list[int]:
    return [int(one.crm_ref) for page in found for one in page.records]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_hundreds_of_records_of_one_moment_come_once_each(limit: int) -> None:
    count = 230 if limit > 1 else 12
    with tryton(opportunities(range(1, count + 1))) as pages:
        assert met(list(run(pages, limit=limit))) == list(range(1, count + 1))


def test_records_of_one_moment_on_both_sides_of_a_page_border_are_all_met() -> None:
    docs = [
        *opportunities(range(1, 6)),
        *opportunities(range(6, 11), AT + timedelta(microseconds=1)),
    ]
    with tryton(docs[::-1]) as pages:
        assert met(list(run(pages, limit=3))) == list(range(1, 11))


def test_a_change_while_it_is_read_moves_a_record_behind_the_cursor_and_it_is_met_again() -> None:
    docs = opportunities(range(1, 8))
    with tryton(docs) as pages:
        first = pages.page(DEAL, "", 3, CALL)
        docs[0][MODIFIED] = AT + timedelta(seconds=1)
        rest = list(run(pages, first.next_cursor, limit=3))
        assert met([first, *rest]) == [1, 2, 3, 4, 5, 6, 7, 1]


def test_a_commit_that_came_late_below_the_cursor_is_met_by_the_overlap() -> None:
    docs = opportunities(range(1, 4))
    with tryton(docs) as pages:
        ended = list(run(pages))[-1].next_cursor
        docs.extend(opportunities(range(4, 5), AT - timedelta(seconds=200)))
        assert 4 in met(list(run(pages, ended)))
