"""A secret is hidden wherever it is shown, and known again in every form in which it comes back."""

from __future__ import annotations

import copy
import pickle
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotey.contract.secret import Secret, shapes, without_secrets

KEY = "ak_live/49+~?ü"
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=24)


def test_only_reveal_gives_the_secret() -> None:
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    assert (repr(secret), str(secret), f"{secret}") == ("Secret(hidden)", "hidden", "hidden")


def test_a_copy_is_the_same_secret_and_none_is_written_into_bytes() -> None:
    secret = Secret(KEY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    with pytest.raises(TypeError, match="not written into bytes"):
        pickle.dumps(secret)


def test_secrets_are_equal_by_what_they_hide() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert len({Secret(KEY), Secret(KEY), Secret("other")}) == 2
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abc.def-1",
        "basic dXNlcjpwYXNz=",
        "pat-na1-00aa-11bb",
        "whsec_aGVsbG8=",
        "ak_12345678",
        "sk_12345678",
        "eyJhbGciOi.eyJzdWIi.sig-1",
    ],
)
def test_what_looks_like_a_secret_is_hidden_whosever_it_is(text: str) -> None:
    assert without_secrets(f"it said {text} to us") == "it said (hidden) to us"


def test_what_stands_before_a_secret_stays() -> None:
    shown = without_secrets("https://u:p@crm.example/x?token=t1&key=k1&page=2")
    assert shown == "https://(hidden)@crm.example/x?token=(hidden)&key=(hidden)&page=2"
    assert without_secrets("nothing to hide: sk_short") == "nothing to hide: sk_short"


def test_the_forms_of_a_secret_are_itself_its_url_form_and_its_base64() -> None:
    forms = shapes(KEY)
    assert forms[0] == KEY
    assert forms[1] == "ak_live%2F49%2B~%3F%C3%BC" == quote(KEY, safe="~")
    assert forms[2] == b64encode(KEY.encode()).decode()
    assert len(set(forms)) == len(forms)
    assert "" not in forms


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
def test_a_secret_in_a_longer_base64_text_is_found_by_one_of_its_forms(
    secret: str, before: bytes, after: bytes
) -> None:
    forms = shapes(secret)
    whole = before + secret.encode() + after
    assert any(form in b64encode(whole).decode() for form in forms)
    assert any(form in urlsafe_b64encode(whole).decode() for form in forms)


@given(SECRETS, st.binary(min_size=3, max_size=3), st.integers(0, 2))
def test_a_base64_form_leaves_out_only_what_depends_on_the_neighbours(
    secret: str, neighbour: bytes, shift: int
) -> None:
    text = b64encode(neighbour[:shift] + secret.encode() + neighbour).decode()
    found = max((form for form in shapes(secret) if form in text), key=len)
    assert len(found) >= len(secret.encode()) * 4 // 3 - 2


@given(SECRETS)
def test_the_url_form_is_what_a_url_makes_of_it(secret: str) -> None:
    assert quote(secret, safe="~") in shapes(secret)[:2]


def test_the_forms_within_base64_leave_out_as_little_as_can_be() -> None:
    """The last sign and, behind neighbours, the first ones; both alphabets."""
    assert shapes("~~~~") == (
        "~~~~",
        "fn5+fg==",
        "fn5+f",
        "5+fn",
        "+fn5",
        "fn5-f",
        "5-fn",
        "-fn5",
    )


def test_a_secret_is_hashed_by_what_it_hides() -> None:
    assert hash(Secret("a")) == hash(Secret("a"))
    assert len({hash(Secret(str(number))) for number in range(50)}) > 1


def test_an_empty_secret_has_no_form() -> None:
    assert shapes("") == ()
