"""Two real processes sync one database and one CRM at once, and people work meanwhile (G9, G17)."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.machine.shop import DEALS, Shop, furnish

Document = dict[str, Any]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(furnish(tmp_path, latency=0.05))


def _end(process: subprocess.Popen[str]) -> Document:
    out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 3, 6), (process.returncode, out, err)
    document = json.loads(out)
    assert isinstance(document, dict)
    return document


def _both(shop: Shop) -> tuple[Document, Document]:
    pair = [shop.start("crm", "sync", "--json", plain=True) for _ in range(2)]
    first, second = (_end(process) for process in pair)
    return first, second


def _elsewhere(document: Document) -> list[str]:
    warnings = [failure["warning"] for failure in document["data"]["failures"]]
    return [warning for warning in warnings if "Another run" in warning]


def test_two_first_loads_at_once_read_every_record_once_and_say_who_holds_it(shop: Shop) -> None:
    first, second = _both(shop)
    told = [*_elsewhere(first), *_elsewhere(second)]
    assert told, "nobody was told that another run reads"
    assert {first["exit_code"], second["exit_code"]} <= {0, 6}
    shop.sync_until_done()
    shop.check()
    read = _read_by(shop)
    assert {entity: len(found) for entity, found in read.items()} == {
        "account": 8,
        "contact": 8,
        "deal": DEALS,
    }
    for entity, found in read.items():
        assert len(set(found.values())) == 1, f"pages of {entity} were interleaved: {found}"


def _read_by(shop: Shop) -> dict[str, dict[str, str]]:
    """Give by entity and record the run that created it; each record is created once."""
    read: dict[str, dict[str, str]] = defaultdict(dict)
    for entity, entity_id, run in shop.rows(
        "SELECT entity, entity_id, correlation_id FROM audit_event WHERE kind = 'record.created'"
    ):
        assert entity_id not in read[entity], f"{entity_id} was created twice"
        read[entity][entity_id] = run
    return read


def test_two_drains_at_once_write_every_quote_once_while_people_go_on_quoting(shop: Shop) -> None:
    shop.run("crm", "sync", plain=True)
    for number in range(1, 9):
        _quote(shop, number)
    pair = [shop.start("crm", "sync", "--json", plain=True) for _ in range(2)]
    number = 9
    while any(process.poll() is None for process in pair) and number < DEALS:
        _quote(shop, number)
        number += 1
    documents = [_end(process) for process in pair]
    assert number > 10, "nobody could quote while they ran"
    assert sum(one["data"]["outbound"]["delivered"] for one in documents) >= 8
    shop.check()
    shop.sync_until_done(plain=True)
    shop.check()
    shop.nothing_is_left()


def _quote(shop: Shop, number: int) -> None:
    code, document = shop.run("quote", "create", f"D-{number}", "--total", str(number), plain=True)
    assert code == 0, document
    shop.acknowledge(document)
