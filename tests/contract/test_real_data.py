"""The two real data sets, where they are present (set QUOTEY_TEST_DATA to their folder)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from quotey.contract.dataset import DataSet, DataSetSpec, Rows, parse_dataset_toml
from quotey.contract.dto import RemoteRecord
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, Mapper, Rejected, cause
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.rows import payload_of, read_data_set

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("QUOTEY_TEST_DATA", ROOT.parent / "shared" / "data"))


def _data_set(example: str, folder: str) -> tuple[DataSet, Mapper]:
    home = ROOT / "examples" / example
    spec = parse_dataset_toml((home / "dataset.toml").read_text(), name="dataset.toml")
    missing = [one.file for one in spec.files.values() if not (DATA / folder / one.file).is_file()]
    if missing:
        pytest.skip(f"{folder}/{missing[0]} is not here")
    contents = {one.file: (DATA / folder / one.file).read_bytes() for one in spec.files.values()}
    mapping = parse_mapping((home / "mapping.toml").read_text(), name="mapping.toml")
    return read_data_set(spec, contents), Mapper(mapping, "main")


def _answers(mapper: Mapper, spec: DataSetSpec, rows: Rows) -> list[Mapped | Rejected]:
    return [
        mapper.read(
            rows.entity,
            RemoteRecord(
                crm_ref=row.crm_ref,
                source_ts=row.modified or spec.as_of,
                source_version="1",
                payload=payload_of(row),
            ),
        )
        for row in rows.rows
    ]


def _causes(answers: list[Mapped | Rejected]) -> Counter[str]:
    return Counter(
        cause(problem)
        for answer in answers
        if isinstance(answer, Rejected)
        for problem in answer.problems
    )


def test_the_maven_set_is_read_and_its_orphans_are_rejected() -> None:
    data, mapper = _data_set("maven", "maven_crm_sales")
    assert data.broken == ()
    accounts = _answers(mapper, data.spec, data.entities[Entity.ACCOUNT])
    assert len(accounts) == 85
    assert not _causes(accounts)
    segments = Counter(one.values["segment"] for one in accounts if isinstance(one, Mapped))
    assert segments["technology"] == 12
    assert "technolgy" not in segments

    deals = _answers(mapper, data.spec, data.entities[Entity.DEAL])
    assert len(deals) == 8_800
    assert _causes(deals) == {"deal.account_id missing": 1_425}
    kept = [one for one in deals if isinstance(one, Mapped)]
    names = {row.crm_ref for row in data.entities[Entity.ACCOUNT].rows}
    assert {one.values["account_id"] for one in kept} <= names
    assert {one.values["currency"] for one in kept} == {"USD"}
    assert {one.values["stage"] for one in kept} == {"prospecting", "engaging", "won", "lost"}
    assert any(one.values["amount"] is None for one in kept)
    first = next(one for one in kept if one.dto.crm_ref == "1C1I7A6R")
    assert first.values["close_date"] == "2017-03-01"
    assert first.values["amount"] == "1054"


def test_the_tree_set_is_read_whole() -> None:
    data, mapper = _data_set("minlopro", "salesforce_tree_minlopro")
    assert data.broken == ()
    answers = {entity: _answers(mapper, data.spec, rows) for entity, rows in data.entities.items()}
    assert {entity: len(found) for entity, found in answers.items()} == {
        Entity.ACCOUNT: 50, Entity.CONTACT: 50, Entity.DEAL: 50,
    }  # fmt: skip
    assert not any(_causes(found) for found in answers.values())
    keys = {row.crm_ref for row in data.entities[Entity.ACCOUNT].rows}
    children = answers[Entity.CONTACT] + answers[Entity.DEAL]
    assert {one.values["account_id"] for one in children if isinstance(one, Mapped)} <= keys
    stages = {one.values["stage"] for one in answers[Entity.DEAL] if isinstance(one, Mapped)}
    assert stages == {
        "needs_analysis", "negotiation", "prospecting", "value_proposition", "qualification",
    }  # fmt: skip
