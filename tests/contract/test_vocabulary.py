"""The written vocabulary: dictionary, ownership, errors, journal; and the published schemas."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from quotey.contract.dto import CrmDealDto, CrmQuoteWriteDto
from quotey.contract.errors import (
    EXIT_OF_CLASS,
    ErrorClass,
    ExitCode,
    IllegalMoveError,
    NotFoundError,
    Outcome,
    QuoteyError,
    RemoteFailure,
)
from quotey.contract.fields import (
    BY_PATH,
    FIELDS,
    OWNERSHIP,
    Direction,
    Entity,
    Need,
    Owner,
    Policy,
    Strategy,
    fields_of,
)
from quotey.contract.journal import Counts
from quotey.contract.mapping_file import TOP_KEYS
from quotey.contract.mapping_parse import FIELD_KEYS, TRANSFORMS
from quotey.contract.mapping_schema import mapping_schema
from quotey.contract.reconciliation import ConflictKey
from quotey.contract.schema import contract_schema
from quotey.contract.secret import Secret

SEED_3_2 = {
    "account.id": True, "account.name": True, "account.domain": False, "account.segment": True,
    "deal.id": True, "deal.account_id": True, "deal.name": True, "deal.stage": True,
    "deal.amount": False, "deal.close_date": False, "quote.id": True, "quote.version": True,
    "quote.status": True, "quote.total": True, "quote.currency": True,
    "quote.valid_until": False, "quote.attachment_ref": False,
}  # fmt: skip


def test_every_row_of_the_required_field_map_is_in_the_dictionary() -> None:
    needs = {path: BY_PATH[path].need is Need.REQUIRED for path in SEED_3_2}
    assert needs == SEED_3_2


def test_the_dictionary_has_each_field_once() -> None:
    assert len(BY_PATH) == len(FIELDS)
    assert [row for entity in Entity for row in fields_of(entity)] == list(FIELDS)


def test_ids_are_immutable_after_bind_and_quotes_are_local() -> None:
    for row in FIELDS:
        if row.name == "id":
            assert row.policy is Policy.IMMUTABLE_AFTER_BIND
        elif row.entity is Entity.QUOTE:
            assert (row.policy, row.owner) == (Policy.LOCAL_WINS, Owner.QUOTEY)
            assert row.direction is Direction.OUTBOUND


def test_policies_and_the_ownership_matrix_are_the_seeds() -> None:
    assert [str(policy) for policy in Policy] == [
        "crm_wins", "local_wins", "merge_with_audit", "immutable_after_bind",
    ]  # fmt: skip
    assert len(OWNERSHIP) == 7
    governed = {path for row in OWNERSHIP for path in row.governs if "." in path}
    assert governed <= set(BY_PATH)


def test_only_a_merge_has_a_strategy() -> None:
    for row in FIELDS:
        assert (row.strategy is not None) == (row.policy is Policy.MERGE_WITH_AUDIT)
    assert Strategy.NEWEST in {row.strategy for row in FIELDS}


def test_every_error_class_has_an_exit_code() -> None:
    assert set(EXIT_OF_CLASS) == set(ErrorClass)
    failure = RemoteFailure(
        "busy", error_class=ErrorClass.RATE_LIMIT, retry_after=timedelta(seconds=3)
    )
    assert failure.exit_code is ExitCode.UNREACHABLE
    assert failure.outcome is Outcome.NOT_APPLIED
    assert failure.retry_after == timedelta(seconds=3)


def test_an_error_phrases_its_own_sentence() -> None:
    missing = NotFoundError("quote", "q9", next=("quotey quote list",))
    assert str(missing) == "There is no quote q9. Nothing was changed."
    assert missing.next == ("quotey quote list",)
    assert "no move 'go' from 'idle'" in IllegalMoveError("sync", "idle", "go").message
    assert isinstance(missing, QuoteyError)


def test_counts_add_up() -> None:
    counts = Counts(read=1, gone=2)
    counts.add(Counts(read=3, held=4))
    assert counts == Counts(read=4, gone=2, held=4)


def test_a_conflict_key_is_its_four_parts() -> None:
    key = ConflictKey(
        entity_id="d1", field_name="stage", local_version="3", remote_version_or_timestamp="r7"
    )
    assert str(key) == "d1|stage|3|r7"


def test_a_secret_is_never_shown() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret!r} {secret}"
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2") != Secret("hunter3")
    assert len({secret, Secret("hunter2")}) == 1


# --- schemas -------------------------------------------------------------------------------------


def _definitions() -> dict[str, dict[str, object]]:
    found = contract_schema()["$defs"]
    assert isinstance(found, dict)
    return found


def test_the_contract_schema_describes_the_five_dtos() -> None:
    names = {
        "CrmAccountDto", "CrmContactDto", "CrmDealDto", "CrmQuoteWriteDto", "CrmSyncResultDto",
    }  # fmt: skip
    assert names <= set(_definitions())


def test_the_contract_schema_names_every_field_of_a_dto() -> None:
    for dto in (CrmDealDto, CrmQuoteWriteDto):
        properties = _definitions()[dto.__name__]["properties"]
        assert isinstance(properties, dict)
        assert list(properties) == list(dto.__struct_fields__)


def test_every_reference_of_the_contract_schema_is_defined() -> None:
    text = msgspec.json.encode(contract_schema()).decode()
    wanted = {part.split('"', 1)[0] for part in text.split('"#/$defs/')[1:]}
    assert wanted <= set(_definitions())


def test_the_contract_schema_holds_the_dictionary() -> None:
    schema = contract_schema()
    assert schema["x-fields"] == [msgspec.to_builtins(row) for row in FIELDS]
    assert schema["x-ownership"] == [msgspec.to_builtins(row) for row in OWNERSHIP]
    assert msgspec.json.encode(schema) == msgspec.json.encode(contract_schema())


def _at(schema: object, *path: str) -> dict[str, object]:
    for part in path:
        assert isinstance(schema, dict)
        schema = schema[part]
    assert isinstance(schema, dict)
    return schema


def test_the_mapping_schema_knows_what_the_parser_knows() -> None:
    schema = mapping_schema()
    assert set(_at(schema, "properties")) == {str(key) for key in TOP_KEYS}
    for entity in Entity:
        fields = _at(schema, "properties", str(entity), "properties", "fields")
        assert set(_at(fields, "properties")) == {row.name for row in fields_of(entity)}
        for row in fields_of(entity):
            assert set(_at(fields, "properties", row.name, "properties")) == set(FIELD_KEYS)
    kinds = _at(schema, "$defs", "transform")["oneOf"]
    assert isinstance(kinds, list)
    described = {
        str(_at(kind, "properties", "kind")["const"]): set(_at(kind, "properties")) - {"kind"}
        for kind in kinds
    }
    assert described == {kind: set(keys) for kind, (keys, _) in TRANSFORMS.items()}


def test_the_schemas_are_json() -> None:
    for schema in (mapping_schema(), contract_schema()):
        assert msgspec.json.decode(msgspec.json.encode(schema))
