"""`quotey crm record` on the simulators: the recording is the CRM again, without anybody in it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from quotey import open_quotey
from quotey.app.facade import Quotey
from quotey.app.lookup import FoundRecord
from quotey.app.record import RecordWish
from quotey.app.simulator import Simulation, Wishes
from quotey.contract.errors import ExitCode, NotConnectedError, RefusedError, UsageError
from quotey.contract.fields import Entity
from quotey.testing.names import SIMULATED, Simulated
from quotey.testing.replay import RecordingError, read_recording, replay
from tests.cli.terminal import Terminal

EVERY = [(provider, way) for provider in SIMULATED for way in ("proxy", "tools")]
PEOPLE = ("Amara", "Okafor", "Tanaka", "Alderpoint", "Bluefin", "555 0101")
KEPT = ("amount", "stage", "close_date", "currency", "segment")


class Desk(NamedTuple):
    """A folder whose Quotey is connected to a simulator."""

    folder: Path
    told: Simulation

    @contextmanager
    def open(self) -> Iterator[Quotey]:
        with open_quotey(cwd=self.folder, environ=self.told.environment) as quotey:
            yield quotey

    def terminal(self) -> Terminal:
        made = Terminal(self.folder)
        made.environ |= self.told.environment
        return made


@contextmanager
def desk(
    folder: Path, provider: Simulated = "hubspot", way: str = "proxy", *faults: str
) -> Iterator[Desk]:
    wishes = Wishes(provider=provider, faults=faults)
    with open_quotey(home=folder / "sim") as made, made.simulator(wishes) as running:
        told = running.told
        text = f'{told.quotey_toml}transport = "{way}"\n'
        (folder / "quotey.toml").write_text(text, encoding="utf-8")
        (folder / "mappings").mkdir()
        (folder / "mappings" / "main.toml").write_text(told.mapping_toml, encoding="utf-8")
        yield Desk(folder, told)


def mirrored(quotey: Quotey) -> dict[str, FoundRecord]:
    """Sync, and give all that is mirrored by the CRM's ids."""
    quotey.sync()
    deals, accounts = quotey.deal_list(limit=500), quotey.account_list(limit=500)
    people = quotey.lookup_contact("example", limit=500)
    found = (*deals.records, *accounts.records, *people.records)
    return {f"{one.entity} {one.crm_ref}": one for one in found}


def stub_of(recording: Path, folder: Path) -> dict[str, FoundRecord]:
    """Sync the recording as the data of a stub in a fresh home."""
    folder.mkdir()
    text = f'[connections.main]\nprovider = "stub"\ndataset = {json.dumps(str(recording))}\n'
    (folder / "quotey.toml").write_text(text, encoding="utf-8")
    with open_quotey(cwd=folder, environ={}) as quotey:
        return mirrored(quotey)


def replayed(recording: Path, folder: Path) -> dict[str, FoundRecord]:
    """Sync from the recording's own exchanges, through the adapter."""
    (folder / "mappings").mkdir(parents=True)
    mapping = (recording / "mapping.toml").read_text(encoding="utf-8")
    (folder / "mappings" / "main.toml").write_text(mapping, encoding="utf-8")
    with replay(recording) as served:
        (folder / "quotey.toml").write_text(served.quotey_toml, encoding="utf-8")
        environ = {"QUOTEY_CONNECTIONS__MAIN__API_KEY": "replay"}
        with open_quotey(cwd=folder, environ=environ) as quotey:
            return mirrored(quotey)


@pytest.mark.parametrize(("provider", "way"), EVERY)
def test_data_set_and_replay_are_the_crm_again_without_its_people(
    provider: Simulated, way: str, tmp_path: Path
) -> None:
    recording = tmp_path / "recording"
    with desk(tmp_path, provider, way) as live, live.open() as quotey:
        told = quotey.record(RecordWish(folder=recording))
        there = mirrored(quotey)
    assert (told.provider, told.transport, told.exit_code) == (provider, way, ExitCode.DONE)
    assert {one.entity.value: one.records for one in told.entities} == live.told.records
    stub, again = stub_of(recording, tmp_path / "fresh"), replayed(recording, tmp_path / "again")
    assert stub == again, "the same DTOs, whichever way they come"
    assert stub.keys() == there.keys()
    for ref, one in there.items():
        for name in (*KEPT, "account_id"):
            assert one.values.get(name) == stub[ref].values.get(name), (ref, name)
    _same_joins(there, stub)
    whole = b"".join(path.read_bytes() for path in recording.iterdir()).decode()
    for word in (*PEOPLE, live.told.api_key, live.told.connected_account_id, '"user-1"'):
        assert word not in whole, word
    assert "acme.my" not in whole


def _same_joins(there: dict[str, FoundRecord], here: dict[str, FoundRecord]) -> None:
    """Equal names, addresses and phones are still equal, different ones still different."""
    for name in ("name", "email", "phone", "domain"):
        pairs = {(one.values.get(name), here[ref].values.get(name)) for ref, one in there.items()}
        assert all((mine is None) == (theirs is None) for mine, theirs in pairs)
        assert len({mine for mine, _ in pairs}) == len({theirs for _, theirs in pairs}), name
        changed = [mine for mine, theirs in pairs if mine and mine == theirs]
        assert not [one for one in changed if one != "(no name)"], name


@pytest.mark.parametrize("provider", SIMULATED)
def test_a_recording_fills_a_simulator_too(provider: Simulated, tmp_path: Path) -> None:
    with desk(tmp_path, provider) as live, live.open() as quotey:
        quotey.record(RecordWish(folder=tmp_path / "out"))
    wishes = Wishes(provider=provider, dataset=tmp_path / "out")
    with open_quotey(home=tmp_path / "again") as made, made.simulator(wishes) as running:
        assert running.told.records == live.told.records, running.told.left_out


def test_files_are_for_their_owner_only_and_the_next_recording_has_the_same_stand_ins(
    tmp_path: Path,
) -> None:
    with desk(tmp_path) as live, live.open() as quotey:
        told = [quotey.record(RecordWish(folder=tmp_path / name)) for name in ("one", "two")]
    for path in (tmp_path / "one").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o700
    for name in ("accounts.json", "contacts.json", "mapping.toml"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert told[0].concealed
    assert set(told[0].files) == {path.name for path in (tmp_path / "one").iterdir()}


def test_a_dry_run_reads_and_counts_and_writes_nothing(tmp_path: Path) -> None:
    with desk(tmp_path) as live:
        ran = live.terminal()("crm", "record", "out", "--dry-run", "--json")
    assert ran.code == 0
    assert ran.data["dry_run"]
    assert ran.data["exchanges"] > 0
    assert ran.data["files"] == []
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("record.key"))


def test_a_limit_bounds_each_entity_and_says_that_there_is_more(tmp_path: Path) -> None:
    with desk(tmp_path) as live, live.open() as quotey:
        told = quotey.record(RecordWish(folder=tmp_path / "out", limit=7))
    assert {(one.records, one.more) for one in told.entities} == {(7, True)}
    assert len(json.loads((tmp_path / "out" / "deals.json").read_bytes())) == 7


def test_a_field_can_be_kept_but_never_who_somebody_is(tmp_path: Path) -> None:
    with desk(tmp_path) as live, live.open() as quotey:
        quotey.record(RecordWish(folder=tmp_path / "out", keep=("contact.title",)))
        for keep, why in [
            ("contact.email", "never kept"),
            ("deal.nme", "no such field"),
        ]:
            with pytest.raises(UsageError, match=why):
                quotey.record(RecordWish(folder=tmp_path / "no", keep=(keep,)))
    assert "Head of Procurement" in (tmp_path / "out" / "contacts.json").read_text()
    assert not (tmp_path / "no").exists()


def test_a_field_that_shares_its_property_with_a_concealed_one_cannot_be_kept(
    tmp_path: Path,
) -> None:
    with desk(tmp_path, "salesforce") as live, live.open() as quotey:
        with pytest.raises(UsageError, match="stands under Name too"):
            quotey.record(RecordWish(folder=tmp_path / "no", keep=("deal.name",)))
        both = ("deal.name", "account.name")
        told = quotey.record(RecordWish(folder=tmp_path / "out", keep=both))
    assert told.kept == ("account.name", "deal.name")


def test_nothing_is_written_when_something_would_be_left_in(tmp_path: Path) -> None:
    with desk(tmp_path) as live, live.open() as quotey:
        quotey.sync()
        deal = quotey.lookup_deal("Kestrel").records[0].id
        quotey.deal_update(deal, {"name": "Ask ann.smith@acme.com"})
        quotey.sync()
        quotey.record(RecordWish(folder=tmp_path / "without"))
        with pytest.raises(RefusedError, match="e-mail address would have been") as refused:
            quotey.record(RecordWish(folder=tmp_path / "out", keep=("deal.name",)))
    assert refused.value.exit_code == ExitCode.NEEDS_PERSON
    assert "acme.com" not in str(refused.value)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
    assert "acme.com" not in (tmp_path / "without" / "http.jsonl").read_text()


def test_a_folder_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with desk(tmp_path) as live:
        ran = live.terminal()("crm", "record", "out")
    assert (ran.code, "is not empty" in ran.err) == (2, True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_stub_and_an_unconnected_crm_have_nothing_to_record(tmp_path: Path) -> None:
    with open_quotey(home=tmp_path / "h") as quotey, pytest.raises(UsageError, match="no traffic"):
        quotey.record(RecordWish(folder=tmp_path / "out"))
    with desk(tmp_path) as live:
        path = tmp_path / "quotey.toml"
        lines = path.read_text().splitlines()
        path.write_text("\n".join(one for one in lines if "connected_account_id" not in one))
        with live.open() as quotey, pytest.raises(NotConnectedError):
            quotey.record(RecordWish(folder=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_crm_that_fails_half_way_is_recorded_with_its_failure(tmp_path: Path) -> None:
    fault = "status,status=403,operation=hubspot GET */objects/deals*,times=9"
    with desk(tmp_path, "hubspot", "proxy", fault) as live:
        ran = live.terminal()("crm", "record", "out", "--json")
        assert ran.code not in {0, 1, 2}
        assert ran.data["stopped"]
        assert {one["entity"]: one["records"] > 0 for one in ran.data["entities"]} == {
            "account": True,
            "contact": True,
            "deal": False,
        }
    statuses = [
        one.answer and one.answer.body["status"]
        for one in read_recording(tmp_path / "out").exchanges
    ]
    assert 403 in statuses


def test_a_request_that_was_not_recorded_is_refused_with_a_clear_error(tmp_path: Path) -> None:
    with desk(tmp_path) as live, live.open() as quotey:
        quotey.record(RecordWish(folder=tmp_path / "out"))
    with pytest.raises(RecordingError, match="1 requests are not in the recording"):
        _ask_for_more(tmp_path / "out", tmp_path / "fresh")


def _ask_for_more(recording: Path, folder: Path) -> None:
    folder.mkdir()
    with replay(recording) as served:
        (folder / "quotey.toml").write_text(served.quotey_toml)
        ran = Terminal(folder)
        ran.environ["QUOTEY_CONNECTIONS__MAIN__API_KEY"] = "replay"
        answer = ran("crm", "lookup", "account", "Nobody", "--crm")
        assert answer.code == 3
        assert "The recording has no answer" in answer.err + answer.out


@pytest.mark.parametrize(
    ("line", "why"),
    [(b"{", "line 2 cannot be read"), (b'{"seq":1}', "line 2 cannot be read")],
)
def test_a_recording_that_was_damaged_names_the_line(line: bytes, why: str, tmp_path: Path) -> None:
    with desk(tmp_path) as live, live.open() as quotey:
        quotey.record(RecordWish(folder=tmp_path / "out", limit=1))
    path = tmp_path / "out" / "http.jsonl"
    first = path.read_bytes().splitlines()[0]
    path.write_bytes(first + b"\n" + line + b"\n")
    with pytest.raises(RecordingError, match=why):
        read_recording(tmp_path / "out")
    (tmp_path / "out" / "recording.json").write_text('{"schema":"x/9"}')
    with pytest.raises(RecordingError):
        read_recording(tmp_path / "out")


def test_every_entity_has_a_file_even_when_it_is_empty(tmp_path: Path) -> None:
    fault = "status,status=403,operation=hubspot *,times=99"
    with desk(tmp_path, "hubspot", "proxy", fault) as live, live.open() as quotey:
        told = quotey.record(RecordWish(folder=tmp_path / "out"))
    assert told.stopped
    assert {one.entity for one in told.entities} == {Entity.ACCOUNT, Entity.CONTACT, Entity.DEAL}
    assert stub_of(tmp_path / "out", tmp_path / "fresh") == {}
