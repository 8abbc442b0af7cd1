"""Amounts of a record whose currency the CRM has changed."""

from __future__ import annotations

import msgspec
import pytest

from quotey.contract.dto import Canonical
from quotey.contract.fields import Direction, FieldType, Policy
from quotey.contract.journal import MirrorRecord
from quotey.contract.mapping import OnBlank
from quotey.contract.reconciliation import ConflictType
from quotey.decide.currency import is_in_other_currency
from quotey.decide.inbound import RecordPlan, plan_record
from quotey.decide.merge import Ask, Converge, merge_field, sentence
from tests.decide.build import AMOUNT, DEAL, field, mirror, record_facts
from tests.decide.build import facts as field_facts

EUR: Canonical = {"amount": "1000", "currency": "EUR", "account_id": "acc_1"}
USD = EUR | {"currency": "USD"}
EDITED = mirror(EUR | {"amount": "1200"}, base=EUR)
MONEYED = msgspec.structs.replace(
    DEAL, fields=(*DEAL.fields, field("currency", type_=FieldType.CURRENCY))
)


def plan(values: Canonical, known: MirrorRecord) -> RecordPlan:
    return plan_record(record_facts(values, known=known, mapping=MONEYED))


def asked(values: Canonical, known: MirrorRecord) -> MirrorRecord:
    """Give the mirror after a reading by which exactly one question was asked, of the amount."""
    made = plan(values, known)
    assert made.reassert == ()
    [item] = made.items
    assert (item.field_name, item.conflict_type) == ("amount", ConflictType.UNDECIDED_MERGE)
    assert made.record is not None
    return made.record


def test_an_edit_that_was_meant_in_the_currency_before_waits_for_a_person() -> None:
    after = asked(USD, EDITED)
    assert (after.local["amount"], after.remote["amount"]) == ("1200", "1000")
    assert "amount" not in after.base
    assert after.local["currency"] == after.base["currency"] == "USD"


def test_it_waits_on_whatever_the_crm_says_next() -> None:
    after = asked(USD, EDITED)
    for values in (USD, USD | {"amount": "1100"}, EUR):
        after = asked(values, msgspec.structs.replace(after, content_hash="old"))
        assert (after.local["amount"], after.remote["amount"]) == ("1200", values["amount"])


def test_the_question_stands_until_it_is_answered() -> None:
    waiting = asked(USD, EDITED)
    assert is_in_other_currency(AMOUNT, USD, waiting)
    answered = msgspec.structs.replace(waiting, remote={}, base=USD)
    assert not is_in_other_currency(AMOUNT, USD, answered)
    never_agreed = msgspec.structs.replace(waiting, remote={}, local=waiting.base)
    assert not is_in_other_currency(AMOUNT, USD, never_agreed)


def test_an_amount_that_nobody_changed_here_is_the_crms_to_say() -> None:
    made = plan(USD | {"amount": "1100"}, mirror(EUR))
    assert made.items == ()
    assert made.record is not None
    assert made.record.local == USD | {"amount": "1100"}


@pytest.mark.parametrize("before", [EUR | {"currency": None}, {"amount": "1000"}])
def test_a_currency_that_was_not_known_before_has_not_moved(before: Canonical) -> None:
    known = mirror(before | {"amount": "1200"}, base=before)
    assert not is_in_other_currency(AMOUNT, USD, known)


@pytest.mark.parametrize("now", [EUR, EUR | {"currency": None}, {"amount": "1000"}])
def test_a_currency_that_stays_or_is_not_named_has_not_moved(now: Canonical) -> None:
    assert not is_in_other_currency(AMOUNT, now, EDITED)


@pytest.mark.parametrize(
    ("change", "remote", "stands"),
    [
        ({}, "1100", False),
        ({"policy": Policy.LOCAL_WINS}, "1100", True),
        ({"direction": Direction.OUTBOUND}, "1100", True),
        ({"on_blank": OnBlank.PREFER_NONBLANK}, None, True),
        ({"on_blank": OnBlank.PREFER_NONBLANK}, "1100", False),
        ({"direction": Direction.INBOUND, "policy": Policy.LOCAL_WINS}, "1100", False),
        ({"type": FieldType.TEXT, "policy": Policy.LOCAL_WINS}, "1100", False),
        ({"name": "x_budget", "policy": Policy.LOCAL_WINS}, "1100", False),
    ],
)
def test_what_would_put_ours_beside_another_currency_is_asked_about(
    change: dict[str, object], remote: str | None, *, stands: bool
) -> None:
    money = msgspec.structs.replace(AMOUNT, **change)
    assert is_in_other_currency(money, USD | {"amount": remote}, mirror(EUR)) is stands


def test_no_rule_that_lets_ours_stand_comes_before_the_question() -> None:
    here = field_facts(local="1200", remote="1000", of=AMOUNT, other_currency=True)
    for facts in (here, msgspec.structs.replace(here, in_flight=("1000",))):
        verdict = merge_field(facts)
        assert verdict == Ask(ConflictType.UNDECIDED_MERGE, rule="other_currency")
        assert "another currency" in sentence(verdict, facts)


def test_the_same_number_on_both_sides_needs_nobody() -> None:
    same = field_facts(local="1200", remote="1200", of=AMOUNT, other_currency=True)
    assert isinstance(merge_field(same), Converge)
