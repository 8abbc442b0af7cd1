"""The stub passes the suite that every adapter has to pass, in each of its shapes."""

from __future__ import annotations

from pathlib import Path

from quotey.adapters.stub.adapter import StubCrmAdapter
from quotey.adapters.stub.drawer import Stored
from quotey.contract.dto import MarkerState, QuoteMarker
from quotey.contract.fields import Entity
from quotey.testing.conformance import AdapterConformance
from quotey.testing.conformance.quotes import reading, write
from quotey.testing.world import CALL, World, a_deal, a_summary
from tests.adapters.stub_world import StubWorld

QUOTE_RECORD = """
[quote]
object = "quotes"
target = "quote_record"
"""


class TestStub(AdapterConformance):
    def make_world(self, folder: Path) -> World:
        return StubWorld(folder)


class TestStubThatOnlyHasUniqueKeys(AdapterConformance):
    def make_world(self, folder: Path) -> World:
        return StubWorld(folder, tier=2)


class TestStubWithSmallPages(AdapterConformance):
    def make_world(self, folder: Path) -> World:
        return StubWorld(folder, page_size=3)


class QuoteRecordWorld(StubWorld):
    """Each quote has a record of its own, so another desk's writing goes there too."""

    def write_marker(self, deal: str, marker: QuoteMarker) -> None:
        other = self.reopen()
        token = other.get_quote_marker(deal, marker.quote_id, call=CALL).token
        summary = a_summary(version=marker.version, quote_id=marker.quote_id)
        other.write_quote(deal, summary, None, marker=marker, token=token, call=CALL)

    def scribble(self, deal: str) -> None:
        adapter = self.reopen()
        assert isinstance(adapter, StubCrmAdapter)
        payload = '{"quote_version": "the second one"}'
        slot = Stored(entity=Entity.QUOTE, ref=f"{deal}/q_conformance", payload=payload)
        with adapter._drawer.transaction():
            adapter._drawer.put(slot)


class TestStubWithQuoteRecords(AdapterConformance):
    def make_world(self, folder: Path) -> World:
        return QuoteRecordWorld(folder, extra=QUOTE_RECORD)

    def test_two_quotes_of_a_deal_do_not_meet(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            deal = a_deal(world)
            write(world, deal, a_summary(version=3, quote_id="q_one"))
            assert reading(world, deal, "q_two").state is MarkerState.NONE
            assert reading(world, deal, "q_one").state is MarkerState.OURS
