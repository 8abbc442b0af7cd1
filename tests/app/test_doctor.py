"""The doctor looks at everything, and one failing check never stops the next."""

from __future__ import annotations

from pathlib import Path

from quotey.app.facade import open_quotey


def results(folder: Path) -> dict[str, tuple[bool, int]]:
    with open_quotey(cwd=folder) as one:
        return {check.name: (check.ok, check.exit_code) for check in one.doctor().checks}


def test_all_is_well_in_an_empty_folder(tmp_path: Path) -> None:
    assert set(results(tmp_path).values()) == {(True, 0)}


def test_a_broken_mapping_is_one_finding_and_the_database_is_still_looked_at(
    tmp_path: Path,
) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "main.toml").write_text("[deal\n", encoding="utf-8")
    found = results(tmp_path)
    assert found["mapping"] == (False, 5)
    assert found["database"] == (True, 0)
    assert found["crm"] == (False, 5)
    with open_quotey(cwd=tmp_path) as one:
        (mapping,) = (check for check in one.doctor().checks if check.name == "mapping")
    assert mapping.sentence == "Mapping main.toml: 1 problem."
    assert [problem.line for problem in mapping.diagnostics] == [1]


def test_a_damaged_database_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / ".quotey").mkdir(mode=0o700)
    (tmp_path / ".quotey" / "quotey.db").write_bytes(b"no database at all" * 100)
    found = results(tmp_path)
    assert found["database"] == (False, 7)
    assert found["mapping"] == (True, 0)


def test_a_crm_that_refuses_us_is_a_finding_with_a_way_out(tmp_path: Path) -> None:
    with open_quotey(cwd=tmp_path) as one:
        one.stub.fail("auth")
        crm = one.doctor().failed[0]
        assert (crm.name, crm.exit_code) == ("crm", 4)
        stopped = one.doctor().failed[0]
        assert (stopped.name, stopped.next) == ("connection", ("quotey crm connect stub",))
