"""Data sets: the bundled demo, real ones where they are, broken ones; the file that they fill."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from quotey.adapters.stub import PROVIDER, StubSettings
from quotey.adapters.stub import files as stub_files
from quotey.adapters.stub.adapter import StubCrmAdapter
from quotey.contract.dto import CrmSyncResultDto
from quotey.contract.errors import ConfigError, DataSetError, MappingError, RemoteFailure
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.mapper import Mapper, Rejected
from quotey.contract.mapping import Mapping
from quotey.testing.conformance.pages import pages
from quotey.testing.world import CALL
from tests.adapters.stub_world import EMPTY, empty_data_set, mapping_of, open_stub, open_stub_tools

ROOT = Path(__file__).parents[2]
REAL = {
    "maven": ("maven_crm_sales", {Entity.ACCOUNT: 85, Entity.DEAL: 8800}, 1425),
    "minlopro": (
        "salesforce_tree_minlopro",
        {Entity.ACCOUNT: 50, Entity.CONTACT: 50, Entity.DEAL: 50},
        0,
    ),
}
PRESENT = [name for name in REAL if (ROOT / "../shared/data" / REAL[name][0]).is_dir()]


def read_all(
    adapter: StubCrmAdapter, mapping: Mapping
) -> tuple[Counter[Entity], Counter[str], int]:
    """Read everything: records by entity, problems by field and code, rows that are broken."""
    mapper = Mapper(mapping, "main")
    counts: Counter[Entity] = Counter()
    problems: Counter[str] = Counter()
    broken = 0
    for entity in (one for one in MIRRORED if one in mapping.entities):
        page: CrmSyncResultDto
        for page in pages(adapter, entity, limit=200):
            broken += len(page.failures)
            counts[entity] += len(page.records)
            for record in page.records:
                found = mapper.read(entity, record)
                if isinstance(found, Rejected):
                    problems.update(
                        f"{one.entity}.{one.field} {one.code}" for one in found.problems
                    )
    return counts, problems, broken


def test_the_demo_has_a_few_rejects_on_purpose(tmp_path: Path) -> None:
    adapter = open_stub(tmp_path)
    counts, problems, broken = read_all(adapter, mapping_of(StubSettings()))
    assert counts == {Entity.ACCOUNT: 31, Entity.CONTACT: 40, Entity.DEAL: 60}
    assert broken == 1
    assert problems == {
        "account.segment unknown_value": 1,
        "account.name missing": 1,
        "contact.name missing": 1,
        "deal.account_id missing": 1,
        "deal.amount malformed": 1,
        "deal.stage missing": 1,
        "deal.currency malformed": 1,
        "deal.close_date malformed": 1,
    }
    adapter.close()


def test_the_same_data_set_makes_the_same_crm_to_the_byte(tmp_path: Path) -> None:
    one, two = open_stub(tmp_path / "one"), open_stub(tmp_path / "two")
    for entity in MIRRORED:
        pages_of = [list(pages(adapter, entity, limit=7)) for adapter in (one, two)]
        assert pages_of[0] == pages_of[1]
    one.close()
    two.close()


@pytest.mark.parametrize("name", PRESENT)
def test_a_real_data_set_loads_with_no_python_written(name: str, tmp_path: Path) -> None:
    folder, expected, rejected = REAL[name]
    example = ROOT / "examples" / name
    data = (ROOT / "../shared/data" / folder).resolve()
    own = tmp_path / "set"
    own.mkdir()
    text = (example / "dataset.toml").read_text()
    (own / "dataset.toml").write_text(f"root = {str(data)!r}\n{text}")
    (own / "mapping.toml").write_text((example / "mapping.toml").read_text())
    settings = StubSettings(dataset=own)
    adapter = open_stub(tmp_path / "home", settings)
    counts, problems, broken = read_all(adapter, mapping_of(settings))
    assert counts == expected
    assert sum(problems.values()) == rejected
    assert broken == 0
    adapter.close()


def data_set(folder: Path, deals: str, toml: str = EMPTY) -> StubSettings:
    """Write a data set with these deals."""
    empty_data_set(folder)
    (folder / "dataset.toml").write_text(toml)
    (folder / "deals.csv").write_text(deals)
    return StubSettings(dataset=folder)


def test_broken_rows_hold_nothing_up_and_are_told_line_by_line(tmp_path: Path) -> None:
    settings = data_set(tmp_path / "data", "id,name\nD1,One\nD2\nD1,Twice\n,Nameless\nD3,Three\n")
    adapter = open_stub(tmp_path / "home", settings)
    page = adapter.sync_incremental(Entity.DEAL, "", limit=10, call=CALL)
    assert [one.crm_ref for one in page.records] == ["D1", "D3"]
    assert [one.crm_ref for one in page.failures] == ["deals.csv:3", "deals.csv:4", "deals.csv:5"]
    assert all(one.message for one in page.failures)
    again = adapter.read_records(Entity.DEAL, ("deals.csv:3",), call=CALL)
    assert [one.crm_ref for one in again.failures] == ["deals.csv:3"]
    with pytest.raises(RemoteFailure, match="breaks the contract"):
        adapter.get_deal("deals.csv:3", call=CALL)
    adapter.close()


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        (EMPTY.replace("deals.csv", "missing.csv"), "missing.csv is missing"),
        (EMPTY.replace("deals.csv", "link.csv"), "outside the folder"),
        (EMPTY.replace("deals.csv", "../secret.csv"), "must stay below"),
        (EMPTY.replace('"id"', '"number"'), "no column 'number'"),
        ("as_of = 5", "as_of must be a moment"),
        ("this is not toml", "not TOML"),
    ],
)
def test_a_data_set_that_cannot_be_read_is_told(tmp_path: Path, toml: str, told: str) -> None:
    (tmp_path / "secret.csv").write_text("id\nsecret\n")
    settings = data_set(tmp_path / "data", "id\n", toml)
    (tmp_path / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataSetError, match=told) as caught:
        stub_files.read_data(settings.dataset)
    assert caught.value.diagnostics


def test_every_missing_file_is_told_at_once(tmp_path: Path) -> None:
    folder = empty_data_set(tmp_path)
    (folder / "deals.csv").unlink()
    (folder / "accounts.csv").unlink()
    with pytest.raises(DataSetError) as caught:
        stub_files.read_data(folder)
    assert [one.entity for one in caught.value.diagnostics] == ["account", "deal"]


def test_a_data_set_that_cannot_be_read_leaves_an_empty_file_that_loads_later(
    tmp_path: Path,
) -> None:
    settings = data_set(tmp_path / "data", "id\n")
    (tmp_path / "data" / "deals.csv").unlink()
    mapping = mapping_of(settings)
    with pytest.raises(DataSetError):
        PROVIDER.open(settings, mapping, "main", home=tmp_path / "home")
    (tmp_path / "data" / "deals.csv").write_text("id,name\nD1,One\n")
    adapter = open_stub(tmp_path / "home", settings)
    assert len(adapter.sync_incremental(Entity.DEAL, "", limit=5, call=CALL).records) == 1
    adapter.close()


def test_a_file_that_is_too_long_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = empty_data_set(tmp_path)
    monkeypatch.setattr(stub_files, "MAX_BYTES", 2)
    with pytest.raises(DataSetError, match="longer than 2 bytes"):
        stub_files.read_data(folder)


def test_a_file_that_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    folder = empty_data_set(tmp_path)
    (folder / "deals.csv").unlink()
    (folder / "deals.csv").mkdir()
    with pytest.raises(DataSetError, match="no plain file"):
        stub_files.read_data(folder)


def test_a_folder_without_dataset_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"dataset\.toml cannot be read"):
        stub_files.read_data(tmp_path)


def test_another_data_set_is_not_mixed_into_a_file(tmp_path: Path) -> None:
    open_stub(tmp_path / "home").close()
    settings = data_set(tmp_path / "data", "id\n")
    with pytest.raises(ConfigError, match="another data set") as caught:
        open_stub(tmp_path / "home", settings)
    assert caught.value.next == ("quotey crm stub reset",)
    tools = open_stub_tools(tmp_path / "home", settings)
    assert tools.reset().removed == 132
    tools.close()
    open_stub(tmp_path / "home", settings).close()


def test_a_row_that_changed_in_the_files_is_an_edit_after_a_reset(tmp_path: Path) -> None:
    settings = data_set(tmp_path / "data", "id,name\nD1,One\nD2,Two\n")
    tools = open_stub_tools(tmp_path / "home", settings)
    before = tools.show("deal", "D2").revision
    (tmp_path / "data" / "deals.csv").write_text("id,name\nD1,One\nD2,Second\nD3,Three\n")
    assert tools.reset().restored == 2
    assert tools.show("deal", "D2").payload["name"] == "Second"
    assert tools.show("deal", "D2").revision > before
    tools.close()


def test_the_stub_goes_on_when_its_data_set_is_taken_away(tmp_path: Path) -> None:
    settings = data_set(tmp_path / "data", "id,name\nD1,One\n")
    mapping = mapping_of(settings)
    PROVIDER.open(settings, mapping, "main", home=tmp_path / "home").close()
    (tmp_path / "data" / "dataset.toml").unlink()
    PROVIDER.open(settings, mapping, "main", home=tmp_path / "home").close()


def test_the_mapping_is_the_one_set_then_the_data_sets_then_the_shipped_one(
    tmp_path: Path,
) -> None:
    folder = empty_data_set(tmp_path / "data")
    settings = StubSettings(dataset=folder)
    assert PROVIDER.shipped_mapping(settings) == PROVIDER.shipped_mapping()
    (folder / "mapping.toml").write_text("# the data set's own")
    assert PROVIDER.shipped_mapping(settings) == "# the data set's own"
    chosen = tmp_path / "chosen.toml"
    chosen.write_text("# the one set")
    assert PROVIDER.shipped_mapping(StubSettings(dataset=folder, mapping=chosen)) == "# the one set"


def test_a_mapping_file_that_is_not_there_is_a_mapping_error(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"gone\.toml cannot be read"):
        PROVIDER.shipped_mapping(StubSettings(mapping=tmp_path / "gone.toml"))


def test_a_currency_that_is_set_comes_before_the_data_sets(tmp_path: Path) -> None:
    folder = empty_data_set(tmp_path)
    assert PROVIDER.default_currency(StubSettings(dataset=folder)) == "USD"
    assert PROVIDER.default_currency(StubSettings(dataset=folder, default_currency="EUR")) == "EUR"
