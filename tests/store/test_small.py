"""Sync state, quarantine, quotes, connections, tokens, undo: the smaller groups."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from quotey.contract.errors import Diagnostic, ErrorClass, LeaseLostError, Severity, StoreError
from quotey.contract.fields import Entity
from quotey.contract.journal import (
    ConnectionRow,
    ConnectionState,
    Counts,
    Quarantined,
    SyncDirection,
    SyncPhase,
    SyncState,
)
from quotey.contract.quote import QuoteLine, QuoteStatus
from quotey.store import Store
from tests.store.make import NOW, deal, item, later, quote, version

INBOUND = SyncDirection.INBOUND
PROBLEM = Diagnostic(code="blank", severity=Severity.ERROR, message="deal.stage is blank")


def state(epoch: int, **changes: object) -> SyncState:
    made = SyncState(connection="main", entity=Entity.DEAL, direction=INBOUND, epoch=epoch)
    return msgspec.structs.replace(made, **changes)


def test_a_sync_that_never_ran_is_idle(store: Store) -> None:
    assert store.sync_state.get("main", Entity.DEAL, INBOUND) == state(0)
    assert store.sync_state.all() == ()


def test_a_sync_state_is_read_back_whole(store: Store) -> None:
    full = state(
        3,
        phase=SyncPhase.ERROR,
        cursor="after:7",
        fingerprint="f",
        lease_until=later(seconds=40),
        counts=Counts(read=7, rejected=1),
        error_class=ErrorClass.AUTH,
        error="401",
        correlation_id="c_1",
        started_at=NOW,
        finished_at=later(seconds=1),
        succeeded_at=later(seconds=2),
        diagnostics=(PROBLEM,),
    )
    with store.transaction():
        store.sync_state.put(full)
    assert store.sync_state.get("main", Entity.DEAL, INBOUND) == full
    assert store.sync_state.all("main") == (full,)
    assert store.sync_state.all("other") == ()


def test_a_sync_that_lost_its_epoch_cannot_write(store: Store) -> None:
    with store.transaction():
        store.sync_state.put(state(2))
        store.sync_state.put(state(2, cursor="x"))
        store.sync_state.put(state(3))
    with pytest.raises(LeaseLostError, match="epoch 2 is over"), store.transaction():
        store.sync_state.put(state(2, cursor="stale"))
    assert store.sync_state.get("main", Entity.DEAL, INBOUND) == state(3)


def quarantined(ref: str, **changes: object) -> Quarantined:
    made = Quarantined(
        connection="main",
        entity=Entity.DEAL,
        crm_ref=ref,
        payload=b'{"a":1}',
        source_ts=NOW,
        source_version="1",
        fingerprint="f1",
        reasons=(PROBLEM,),
        first_seen=NOW,
        correlation_id="c_1",
    )
    return msgspec.structs.replace(made, **changes)


def test_quarantine_keeps_a_record_whole_and_when_it_was_first_seen(store: Store) -> None:
    with store.transaction():
        store.quarantine.put_many([quarantined("D1"), quarantined("D2", payload=None)])
        store.quarantine.put_many([quarantined("D1", first_seen=later(hours=1), fingerprint="f2")])
    assert store.quarantine.list("main") == (
        quarantined("D1", fingerprint="f2"),
        quarantined("D2", payload=None),
    )
    assert store.quarantine.by_refs("main", Entity.DEAL, ["D2", "D9"]) == {
        "D2": quarantined("D2", payload=None)
    }
    assert store.quarantine.unread("main", Entity.DEAL) == ("D2",)
    assert store.quarantine.count("main") == 2
    assert store.quarantine.count("main", Entity.ACCOUNT) == 0


def test_quarantine_finds_what_another_mapping_judged(store: Store) -> None:
    with store.transaction():
        store.quarantine.put_many([quarantined("D1"), quarantined("D2", fingerprint="f2")])
    stale = store.quarantine.stale("main", Entity.DEAL, "f2")
    assert [row.crm_ref for row in stale] == ["D1"]
    assert store.quarantine.stale("main", Entity.DEAL, "f3", limit=1) == (quarantined("D1"),)


def test_quarantine_finds_what_waits_for_a_parent(store: Store) -> None:
    waiting = quarantined("D1", parent_ref="A1")
    with store.transaction():
        store.quarantine.put_many([waiting, quarantined("D2"), quarantined("D3", parent_ref="A9")])
    assert store.quarantine.waiting_parents("main", Entity.DEAL, ["A1", "A2", ""]) == (waiting,)
    assert store.quarantine.waiting_parents("main", Entity.CONTACT, ["A1"]) == ()


def test_quarantine_lets_go_and_pages(store: Store) -> None:
    with store.transaction():
        store.quarantine.put_many([quarantined(f"D{n}") for n in range(5)])
        assert store.quarantine.remove("main", Entity.DEAL, ["D0", "D9"]) == 1
    page = store.quarantine.list("main", Entity.DEAL, limit=2)
    rest = store.quarantine.list("main", Entity.DEAL, after=page[-1].crm_ref)
    assert [row.crm_ref for row in (*page, *rest)] == ["D1", "D2", "D3", "D4"]


@pytest.fixture
def quoted(store: Store) -> Store:
    with store.transaction():
        store.records.put_many([deal()])
        store.quotes.add(quote())
    return store


def test_a_quote_is_read_with_its_newest_version(quoted: Store) -> None:
    second = version(
        2,
        status=QuoteStatus.PRICED,
        total=Decimal("1234567890.123456"),
        valid_until="2026-03-31",
        lines=(QuoteLine(name="Seat", total=Decimal(10), quantity=Decimal("2.5")),),
        approver="eve",
        note="n",
        price_trace="t",
        attachment_ref="offer.pdf",
        attachment_sha256="ab",
        attachment_bytes=7,
    )
    with quoted.transaction():
        quoted.quotes.add_version(second)
    found = quoted.quotes.get("q_1")
    assert found is not None
    assert found.current == second
    assert quoted.quotes.list() == (found,)
    assert quoted.quotes.versions("q_1") == (version(1), second)
    assert quoted.quotes.version("q_1", 1) == version(1)
    assert quoted.quotes.version("q_1", 3) is None
    assert quoted.quotes.get("nobody") is None


@pytest.mark.parametrize("number", [0, 1])
def test_quote_versions_only_grow(quoted: Store, number: int) -> None:
    with quoted.transaction():
        quoted.quotes.add_version(version(2))
    with pytest.raises(StoreError), quoted.transaction():
        quoted.quotes.add_version(version(number))


@pytest.mark.parametrize(
    "statement",
    ["UPDATE quote_version SET total = '1'", "DELETE FROM quote_version", "DELETE FROM quote"],
)
def test_a_quote_version_is_never_changed_nor_a_quote_deleted(
    quoted: Store, statement: str
) -> None:
    with pytest.raises(StoreError, match="never"):
        quoted._db.run(statement)


def test_a_quote_needs_its_deal(store: Store) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"), store.transaction():
        store.quotes.add(quote())


def test_a_deal_has_one_published_quote(quoted: Store) -> None:
    with quoted.transaction():
        quoted.quotes.add(quote("q_2", published=False))
    assert quoted.quotes.published("deal_1") == quote()
    with quoted.transaction():
        quoted.quotes.set_published("deal_1", "q_2")
        quoted.quotes.set_published("deal_1", "q_2")
    assert quoted.quotes.published("deal_1") == quote("q_2")
    assert [q.published for q in quoted.quotes.list("deal_1")] == [False, True]
    assert quoted.quotes.published("deal_2") is None
    with pytest.raises(StoreError, match="UNIQUE"), quoted.transaction():
        quoted.quotes.add(quote("q_3", published=True))


def test_publishing_a_quote_of_another_deal_is_refused_and_changes_nothing(quoted: Store) -> None:
    with pytest.raises(StoreError, match="is not of deal"), quoted.transaction():
        quoted.quotes.set_published("deal_1", "q_9")
    assert quoted.quotes.published("deal_1") == quote()


def test_quotes_are_paged_by_id(quoted: Store) -> None:
    with quoted.transaction():
        quoted.quotes.add(quote("q_2", published=False))
    assert [q.id for q in quoted.quotes.list(limit=1, after="q_1")] == ["q_2"]
    assert quoted.quotes.list("deal_2") == ()


def test_a_connection_row_is_replaced_whole(store: Store) -> None:
    stopped = ConnectionRow(
        name="main",
        provider="stub",
        state=ConnectionState.AUTH_STOPPED,
        rate_limited_until=NOW,
        fingerprint="f",
        identity="portal 7",
        default_currency="EUR",
    )
    with store.transaction():
        store.connections.put(ConnectionRow(name="main", provider="stub"))
        store.connections.put(stopped)
        store.connections.put(ConnectionRow(name="a", provider="stub"))
    assert store.connections.get("main") == stopped
    assert store.connections.get("nobody") is None
    assert [row.name for row in store.connections.all()] == ["a", "main"]


def test_the_first_answer_to_a_client_token_stands(store: Store) -> None:
    assert store.tokens.find("t") is None
    with store.transaction():
        assert store.tokens.once("t", "first") == "first"
        assert store.tokens.once("t", "second") == "first"
    assert store.tokens.find("t") == "first"


def test_what_stood_before_a_resolution_is_remembered_and_forgotten(store: Store) -> None:
    before: dict[str, object] = {"value": None, "rev": 1, "ops": ["op_1"]}
    with store.transaction():
        store.items.record(item())
        store.requests.put("r_1", {"value": "older"})
        store.requests.put("r_1", before)
    assert store.requests.get("r_1") == before
    with store.transaction():
        assert store.requests.remove("r_1")
        assert not store.requests.remove("r_1")
    assert store.requests.get("r_1") is None
