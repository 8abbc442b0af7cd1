"""What is concealed keeps its shape and its sameness; what is unknown is never kept."""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.errors import RefusedError
from quotey.contract.fields import FieldType
from quotey.contract.values import parse
from quotey.wire import Concealer, Kind, Known, Pseudonyms, digits_of, leaks, pairs_of

KEY = b"a key of thirty-two bytes or so.."
MAKE = Pseudonyms(KEY)
KINDS = {
    "id": Kind.ID,
    "email": Kind.EMAIL,
    "phone": Kind.PHONE,
    "who": Kind.NAME,
    "amount": Kind.NUMBER,
    "day": Kind.MOMENT,
    "stage": Kind.CODE,
}


def concealer() -> Concealer:
    return Concealer(Pseudonyms(KEY), KINDS, {}, named_by="property")


def test_an_address_stays_a_valid_address_and_a_domain_stays_one_domain() -> None:
    ann, bob = MAKE.email("Ann.Smith@acme.com"), MAKE.email("bob@ACME.com")
    assert parse(ann, FieldType.EMAIL) == ann.lower()
    assert ann.partition("@")[2] == bob.partition("@")[2] == MAKE.domain("acme.com")
    assert not re.search("ann|smith|acme|bob", f"{ann}{bob}", re.IGNORECASE)


def test_the_words_of_a_name_are_those_of_its_address() -> None:
    first, last = MAKE.text("Ann Smith").split()
    assert MAKE.email("ann.smith@acme.com").startswith(f"{first}.{last}@".casefold())


@pytest.mark.parametrize("phone", ["+1 (555) 010-1234", "0041 44 123 45 67", "5550101"])
def test_a_phone_keeps_its_shape_and_loses_its_digits(phone: str) -> None:
    made = MAKE.phone(phone)
    assert re.sub(r"\d", "0", made) == re.sub(r"\d", "0", phone)
    assert made != phone


def test_a_number_written_otherwise_is_the_same_number() -> None:
    plain, spaced = MAKE.phone("5550101234"), MAKE.phone("555 010-1234")
    assert plain == re.sub(r"\D", "", spaced)


@given(st.text(), st.text())
def test_equal_values_get_equal_stand_ins_and_others_do_not(one: str, other: str) -> None:
    made = [Pseudonyms(KEY).email(f"{text}@x.example") for text in (one, one)]
    assert made[0] == made[1]
    assert Pseudonyms(b"another").opaque(one) != Pseudonyms(KEY).opaque(one)
    if one != other:
        assert MAKE.opaque(one) != MAKE.opaque(other)


@given(st.text(min_size=1, max_size=200))
def test_nothing_that_was_an_address_is_left_in_any_text(text: str) -> None:
    held = f"{text} ann.smith@acme.com {text}"
    assert "acme.com" not in MAKE.text(held)


def test_what_nobody_knows_is_replaced_whatever_it_is() -> None:
    given_ = {"note": "call Ann", "height": 182, "tax": Decimal("12.34"), "ok": True, "none": None}
    made = concealer().document({**given_, "a@b.example": ["Ann"]})
    assert isinstance(made, dict)
    assert (made["ok"], made["none"]) == (True, None)
    assert all(made[name] != given_[name] for name in ("note", "height", "tax"))
    assert "a@b.example" not in made
    assert "Ann" not in json.dumps(made, default=str)


def test_ids_money_dates_and_stages_are_kept() -> None:
    held = {"id": "512", "amount": "1500.50", "day": "2026-03-01", "stage": "closed won"}
    assert concealer().document(held) == held


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "ann@acme.com"),
        ("amount", "ask Ann Smith"),
        ("day", "Ann's birthday"),
        ("stage", "Ann said +1 555 010 1234567"),
        ("stage", "ann@acme.com"),
    ],
)
def test_what_has_not_the_form_of_what_is_kept_is_replaced(key: str, value: str) -> None:
    made = concealer().document({key: value})
    assert made != {key: value}
    assert "Ann" not in str(made)


def test_a_value_is_judged_by_the_property_that_it_is_said_to_be() -> None:
    asked = {"filters": [{"property": "email", "value": "ann@acme.com"}]}
    made = concealer().document(asked)
    assert made == {
        "filters": [{"property": MAKE.text("email"), "value": MAKE.email("ann@acme.com")}]
    }


def test_a_document_inside_a_text_is_concealed_as_a_document() -> None:
    made = concealer().document({"message": '{"id":"7","email":"ann@acme.com"}'})
    assert isinstance(made, dict)
    assert json.loads(made["message"]) == {"id": "7", "email": MAKE.email("ann@acme.com")}


def test_what_is_too_deep_to_be_judged_is_refused() -> None:
    deep: object = "Ann"
    for _ in range(80):
        deep = [deep]
    with pytest.raises(RefusedError, match="nested too deeply"):
        concealer().document(deep)


KNOWN = Known(
    secrets=frozenset({"ak_live_51Hx/+secret"}),
    addresses=frozenset({"made@made.example"}),
    phones=digits_of({"+1 (555) 010-1234"}),
    names=pairs_of({"Ann Mary Smith"}),
)


@pytest.mark.parametrize("before", ["", "x", "xy"])
@pytest.mark.parametrize(
    ("held", "kind"),
    [
        ("ak_live_51Hx/+secret", "a secret"),
        ("Bearer abcdef123456", "a secret"),
        ("ann@acme.com", "an e-mail address"),
        ("+1 555-010-1234", "a phone number"),
        ("ann  MARY", "a person's name"),
    ],
)
def test_what_is_left_in_is_found_raw_percent_encoded_and_in_base64(
    before: str, held: str, kind: str
) -> None:
    raw = f"{before} {held} ".encode()
    for text in (raw, quote(raw).encode(), base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        assert kind in leaks(b'{"x":"' + text + b'"}', KNOWN), text


def test_a_secret_amid_other_bytes_in_base64_is_found() -> None:
    for size in range(3):
        packed = base64.b64encode(b"\xff" * size + b"ak_live_51Hx/+secret" + b"\xfe" * 7)
        assert leaks(packed, KNOWN) == ("a secret",)


def test_what_we_made_ourselves_is_no_leak() -> None:
    text = b'{"email":"made@made.example","id":"5550101","at":"2026-03-01T10:00:00Z","who":"Mary"}'
    assert leaks(text, KNOWN) == ()
