"""Section 8 of the seed: the stub keeps the contract, is deterministic, and never pretends."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from quotey.adapters.stub import StubCrmAdapter
from quotey.contract.adapter import CrmAdapter
from quotey.contract.fields import MIRRORED, Entity, Need, fields_of
from quotey.contract.journal import OpState
from quotey.testing.conformance import AdapterConformance
from quotey.testing.world import World as ConformanceWorld
from tests.adapters.stub_world import StubWorld, open_stub
from tests.cli.terminal import Terminal
from tests.seed.house import CALL, operation_of, quoted, remap, terminal
from tests.seed.test_fields import STATUS_WORDS
from tests.sync.world import World

BANNER = "stub (offline): nothing leaves this machine"

# --- 8.1 the same interface ----------------------------------------------------------------------


class TestTheStubKeepsThePromisesOfEveryAdapter(AdapterConformance):
    """The suite that every adapter has to pass (seed 8.1)."""

    def make_world(self, folder: Path) -> ConformanceWorld:
        return StubWorld(folder)


def test_stub_mode_implements_the_same_adapter_interface() -> None:
    promised = [name for name in vars(CrmAdapter) if not name.startswith("_")]
    assert len(promised) == 14
    for name in promised:
        wanted = vars(CrmAdapter)[name]
        if inspect.isfunction(wanted):
            has = inspect.signature(getattr(StubCrmAdapter, name))
            assert str(has) == str(inspect.signature(wanted)), name


def test_stub_mode_keeps_the_required_field_contract(synced: World) -> None:
    """Whatever required field is missing in the stub, the record is refused, as a CRM's would."""
    for entity in (Entity.ACCOUNT, Entity.DEAL):
        for row in fields_of(entity):
            if row.need is not Need.REQUIRED or row.name == "id":
                continue
            ref = {Entity.ACCOUNT: "A-3", Entity.DEAL: "D-3"}[entity]
            before = synced.remote(str(entity), ref)
            synced.crm.set(str(entity), ref, {}, unset=[row.name])
            synced.sync()
            assert f"{row.path} missing" in {item.detail for item in synced.items()}
            synced.crm.set(str(entity), ref, {row.name: str(before[row.name])})
            synced.sync()
            assert synced.items() == (), row.path


# --- 8.2 deterministic fixtures ------------------------------------------------------------------


def test_fixture_data_has_deterministic_ids_and_stable_timestamps(tmp_path: Path) -> None:
    """Two machines that load the demo see the same CRM, to the byte and the millisecond."""
    seen = []
    for name in ("one", "two"):
        adapter = open_stub(tmp_path / name)
        pages = [adapter.sync_incremental(one, "", limit=500, call=CALL) for one in MIRRORED]
        seen.append([(page.records, page.source_ts, page.next_cursor) for page in pages])
        adapter.close()
    assert seen[0] == seen[1]
    assert len(seen[0][0][0]) > 20


def test_the_same_commands_make_the_same_ids_and_times_on_every_machine(tmp_path: Path) -> None:
    told = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        quotey = Terminal(tmp_path / name)
        quotey("crm", "sync")
        quotey("crm", "stub", "set", "deal/D-1001", "stage=won")
        quotey("crm", "deal", "create", "A-1001", "name=New", "stage=open")
        quotey("crm", "sync")
        deals = quotey.json("crm", "stub", "show", "deal")["items"]
        told.append([(one["ref"], one["at"], one["revision"]) for one in deals])
    assert told[0] == told[1]
    assert len(told[0]) > 50


# --- 8.3 no false success ------------------------------------------------------------------------


def test_offline_mode_does_not_mimic_successful_remote_sync_when_mapping_validation_failed(
    synced: World,
) -> None:
    remap(synced, STATUS_WORDS)
    answer = quoted(synced)
    before = synced.remote("deal", "D-1")
    report = synced.sync()
    assert (report.exit_code, report.outbound.delivered, report.outbound.held) == (5, 0, 1)
    assert operation_of(synced, answer).state is OpState.HELD
    assert synced.remote("deal", "D-1") == before, "no part of it landed"
    assert synced.effects("write_quote") == 0
    assert synced.events("operation.delivered") == ()


def test_a_deal_that_the_mapping_cannot_write_is_not_created_in_the_stub_either(
    tmp_path: Path,
) -> None:
    quotey = terminal(tmp_path)
    (tmp_path / "mappings").mkdir()
    words = '[deal.fields.stage.transform]\nkind = "value_map"\nvalues = { Gewonnen = "won" }\n'
    quotey("crm", "sync")
    made = quotey("crm", "deal", "create", "A-1", "name=New", "stage=prospecting")
    assert made.code == 0
    (tmp_path / "mappings" / "main.toml").write_text(f'provider = "stub"\n{words}')
    ran = quotey("crm", "sync")
    assert ran.code == 5
    assert "0 delivered" in ran.out
    assert len(quotey.json("crm", "stub", "show", "deal")["items"]) == 3


# --- 8.4 it says so ------------------------------------------------------------------------------

COMMANDS = (
    "crm status",
    "crm sync",
    "crm sync --dry-run",
    "crm plan",
    "crm explain deal/D-1 stage",
    "crm locks",
    "crm audit",
    "crm doctor",
    "crm connect stub",
    "crm reconcile list",
    "crm outbox list",
    "crm mapping show",
    "crm mapping check",
    "crm lookup account alder",
    "crm deal show D-1",
    "crm deal update D-1 name=Renamed",
    "crm account show A-1",
    "crm contact show C-1",
    "crm stub log",
    "quote create D-1 --total 90.00",
    "quote list",
    "db check",
    "crm deal show D-404",
)


@pytest.mark.parametrize("line", COMMANDS)
def test_output_messaging_clearly_indicates_the_stub_offline_provider_context(
    quotey: Terminal, line: str
) -> None:
    ran = quotey(*line.split())
    said = ran.out or ran.err
    assert said.splitlines()[0] == BANNER
    document = quotey(*line.split(), "--json").document
    assert (document["mode"], document["provider"]) == ("stub", "stub")


def test_every_audit_event_of_a_stub_says_stub(synced: World) -> None:
    quoted(synced)
    synced.sync()
    events = synced.store.audit.list(limit=1000)
    assert len(events) > 5
    assert {event.mode for event in events} == {"stub"}
