"""What an error carries: its sentence, its next commands, its exit code."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotey.contract.errors import (
    EXIT_OF_CLASS,
    Diagnostic,
    ErrorClass,
    ExitCode,
    IllegalMoveError,
    NotFoundError,
    Outcome,
    QuoteyError,
    RemoteFailure,
    Severity,
)

TOLD = (Diagnostic(code="c", severity=Severity.ERROR, message="m"),)


def test_an_error_says_its_sentence_and_carries_what_helps() -> None:
    error = QuoteyError("It broke.", next=("quotey crm doctor",), diagnostics=TOLD)
    assert (str(error), error.message) == ("It broke.", "It broke.")
    assert (error.next, error.diagnostics) == (("quotey crm doctor",), TOLD)
    bare = QuoteyError("It broke.")
    assert (bare.next, bare.diagnostics) == ((), ())


def test_what_is_not_found_is_named_with_its_kind() -> None:
    error = NotFoundError("deal", "deal_1", next=("quotey crm deal show",))
    assert str(error) == "There is no deal deal_1. Nothing was changed."
    assert (error.kind, error.key, error.next) == ("deal", "deal_1", ("quotey crm deal show",))
    assert NotFoundError("deal", "deal_1").next == ()


def test_an_illegal_move_names_machine_state_and_move() -> None:
    assert str(IllegalMoveError("quote", "draft", "sent")) == (
        "quote: there is no move 'sent' from 'draft'."
    )


def test_a_remote_failure_carries_all_that_is_known_of_it() -> None:
    error = RemoteFailure(
        "Slow down.",
        error_class=ErrorClass.RATE_LIMIT,
        outcome=Outcome.UNKNOWN,
        retry_after=timedelta(seconds=7),
        diagnostics=TOLD,
        loser="v3",
        ours=True,
    )
    assert (str(error), error.message, error.diagnostics) == ("Slow down.", "Slow down.", TOLD)
    assert (error.error_class, error.outcome) == (ErrorClass.RATE_LIMIT, Outcome.UNKNOWN)
    assert (error.retry_after, error.loser, error.ours) == (timedelta(seconds=7), "v3", True)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_a_failure_of_which_nothing_is_said_had_no_effect(error_class: ErrorClass) -> None:
    error = RemoteFailure("It broke.", error_class=error_class)
    assert (error.outcome, error.retry_after) == (Outcome.NOT_APPLIED, None)
    assert (error.diagnostics, error.loser, error.ours) == ((), "", False)
    assert error.exit_code is EXIT_OF_CLASS[error_class]
    assert error.exit_code not in (ExitCode.DONE, ExitCode.USAGE)
