"""What adapters make of what the mapping refuses, and of a foreign cursor."""

from __future__ import annotations

import pytest

from quotey.contract.adapter import INVALID_CURSOR
from quotey.contract.errors import (
    Diagnostic,
    ErrorClass,
    MappingError,
    Outcome,
    RemoteFailure,
    Severity,
)
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapper
from quotey.contract.refusals import foreign_cursor, mapped, refusing
from tests.contract.texts import mapping_of, record, rejected

TOLD = (Diagnostic(code="not_writable", severity=Severity.ERROR, message="m"),)


def test_what_the_mapping_refuses_is_a_failure_without_an_effect() -> None:
    refusal = MappingError("The field is not written.", diagnostics=TOLD)
    with pytest.raises(RemoteFailure) as caught, refusing("Deal deal_1"):
        raise refusal
    error = caught.value
    assert str(error) == "Deal deal_1: The field is not written."
    assert (error.error_class, error.outcome) == (ErrorClass.MAPPING, Outcome.NOT_APPLIED)
    assert (error.diagnostics, error.__cause__) == (TOLD, refusal)


def test_what_is_not_refused_goes_on_and_other_errors_stay_as_they_are() -> None:
    done = []
    with refusing("Deal deal_1"):
        done.append(1)
    with pytest.raises(ValueError, match="something else"), refusing("Deal deal_1"):
        raise ValueError("something else")
    assert done == [1]


def test_a_record_that_keeps_the_contract_is_given() -> None:
    mapper = Mapper(mapping_of(), "main")
    found = mapped(mapper, Entity.CONTACT, record({"id": "1", "first": "Ada"}), Outcome.APPLIED)
    assert found.values["name"] == "Ada"


@pytest.mark.parametrize("outcome", [Outcome.APPLIED, Outcome.NOT_APPLIED])
def test_a_record_that_breaks_the_contract_keeps_what_is_known_of_the_write(
    outcome: Outcome,
) -> None:
    mapper = Mapper(mapping_of(), "main")
    with pytest.raises(RemoteFailure) as caught:
        mapped(mapper, Entity.DEAL, record({"id": "7", "title": "Rollout"}), outcome)
    error = caught.value
    problems = rejected(Entity.DEAL, {"id": "7", "title": "Rollout"}).problems
    assert (error.outcome, error.error_class) == (outcome, ErrorClass.MAPPING)
    assert len(error.diagnostics) == 2
    assert error.diagnostics == problems
    one, other = (problem.message.rstrip(".") for problem in problems)
    assert str(error) == f"deal 7 breaks the contract: {one}; {other}."


def test_a_foreign_cursor_is_told_by_its_code_and_nothing_was_read() -> None:
    error = foreign_cursor()
    assert (error.error_class, error.outcome) == (ErrorClass.PERMANENT, Outcome.NOT_APPLIED)
    (told,) = error.diagnostics
    assert (told.code, told.severity) == (INVALID_CURSOR, Severity.ERROR)
    assert str(error) == told.message == "The cursor is not one of this provider. Nothing was read."
