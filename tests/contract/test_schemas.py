"""The published JSON Schemas: a change of one is a change of what others rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from quotey.contract.mapping_schema import mapping_schema
from quotey.contract.schema import contract_schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "schema"


@pytest.mark.parametrize(
    ("name", "give"), [("mapping.json", mapping_schema), ("contract.json", contract_schema)]
)
def test_the_published_schema_is_what_the_code_gives(
    name: str, give: Callable[[], dict[str, object]]
) -> None:
    published = json.loads((PUBLISHED / name).read_text(encoding="utf-8"))
    assert json.loads(json.dumps(give())) == published
