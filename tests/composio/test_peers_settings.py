"""Settings of a live connection: what such clients are tested for (peers-behaviours.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.app.facade import open_quotey
from quotey.contract.errors import ConfigError

ENVIRON = {"QUOTEY_CONNECTIONS__MAIN__API_KEY": "ak_of_the_test"}


def opened(folder: Path, lines: str) -> None:
    """Open Quotey on a portal with these settings, and close it again."""
    (folder / "quotey.toml").write_text(f'[connections.main]\nprovider = "hubspot"\n{lines}\n')
    with open_quotey(cwd=folder, environ=ENVIRON) as quotey:
        quotey.mapping_show()


@pytest.mark.parametrize("version", ["latest", "", "20260915", "20260915_00 ", "2026-09-15_00"])
def test_a_version_that_is_no_dated_one_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(ConfigError) as refused:
        opened(tmp_path, f'toolkit_version = "{version}"')
    [told] = refused.value.diagnostics
    assert "toolkit_version" in told.message


def test_a_dated_version_is_taken(tmp_path: Path) -> None:
    opened(tmp_path, 'toolkit_version = "20251209_00"')


@pytest.mark.parametrize("patience", ["0", "0.0", "3", "2.5", "30"])
def test_a_span_is_a_number_whole_or_not(tmp_path: Path, patience: str) -> None:
    opened(tmp_path, f"patience = {patience}")


@pytest.mark.parametrize(
    "patience", ['""', '"3"', '"soon"', "-1", "31", "nan", "inf", "true", "[]"]
)
def test_a_span_that_is_no_number_or_out_of_bounds_is_refused_with_every_other_problem(
    tmp_path: Path, patience: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        opened(tmp_path, f'patience = {patience}\nedge_wait = -5\ntoolkit_version = "latest"')
    told = str(refused.value) + " ".join(one.message for one in refused.value.diagnostics)
    assert "patience" in told
    assert "edge_wait" in told
    assert "toolkit_version" in told
