"""What a vendor says of a failure keeps what mends it and loses everybody's data and every key."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from quotey.adapters.composio.ops import Failed, Kind, Problem, Trace
from quotey.adapters.composio.scrub import cleaned, scrubbed, word
from quotey.contract.secret import Secret, shapes

KEY = "ak_live9Qz+/0"


@pytest.mark.parametrize(
    "held",
    [
        "ann.smith@acme.com",
        "Ann Smith",
        "Jean-Luc O\u2019Hara",
        "+1 (555) 010-1234",
        "'ann and bob'",
        '"very personal"',
        "Bearer abc.def",
        "pat-na1-0123abcd-4567",
        "whsec_MfKQ9r8GKYqrTwjU",
        "eyJhbGciOi.eyJzdWIi.c2ln",
        "CItyToken9Qz7abcd",
        quote("ann.smith@acme.com", safe=""),
        base64.b64encode(b"ann.smith@acme.com").decode(),
        base64.b64encode(b"Ann Smith").decode(),
    ],
)
def test_values_and_keys_are_hidden_wherever_they_stand(held: str) -> None:
    for text in (held, f"Property value {held} is not valid", f"Contact {held}: not found"):
        assert held not in scrubbed(text), text
        assert "Smith" not in scrubbed(text)


@pytest.mark.parametrize(
    "kept",
    [
        "property quotey_key of deals is read-only (READ_ONLY_VALUE)",
        "No such column 'Quotey_Total__c' on entity 'Opportunity'",
        "You have reached your secondly limit of 5",
        "record 0065gS0010000JCABY is locked",
        "The request 0f8101f5-555f-4249-9602-503f0749aa06 was refused",
        "propertyName must be set",
    ],
)
def test_what_mends_it_is_kept(kept: str) -> None:
    bare = kept.replace("'Quotey_Total__c'", "Quotey_Total__c").replace("'Opportunity'", "(hidden)")
    assert scrubbed(kept) == bare


def test_a_failure_loses_the_key_in_every_form_and_codes_that_are_none() -> None:
    forms = " ".join(shapes(KEY))
    failed = Failed(
        kind=Kind.PERMANENT,
        message=f"no {forms}",
        code="ann@acme.com",
        problems=(Problem("amount", "BAD"), Problem("Ann Smith", "BAD"), Problem("x", KEY)),
        trace=Trace("request", KEY),
    )
    found = cleaned(failed, (Secret(KEY),))
    assert not any(form in found.message for form in shapes(KEY))
    assert (found.code, found.trace) == ("", Trace("request", ""))
    assert found.problems == (Problem("amount", "BAD"),)


def test_a_word_is_no_sentence_and_no_token() -> None:
    assert word("DUPLICATE_VALUE") == "DUPLICATE_VALUE"
    assert not any(map(word, ("", "two words", "a@b", "CItyToken9Qz7abcd", "a%40b")))
