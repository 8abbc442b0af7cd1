"""Taking personal data and secrets out of what a vendor says of a failure (guarantee G8).

What a vendor says may hold anything: it quotes values, whole requests, and sometimes the token.
What is left is for a person who has to mend something: plain words, codes, property names, ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from quotey.adapters.composio.ops import Failed, Problem, Trace
from quotey.contract.secret import Secret, shapes, without_secrets
from quotey.wire import unpacked_text

LONGEST = 240
HIDDEN = "(hidden)"

_VALUES = (
    (re.compile(r"[^\s@\"'<>{}=,;]+@[^\s@\"'<>{},;]+"), "(e-mail)"),
    (re.compile(r"value=[^}]*"), "value=(hidden)"),
    (re.compile(r"\[label:.*", re.DOTALL), "(options)"),
    (re.compile(r"(?i)bearer\s+\S+"), HIDDEN),
    (re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|\u2018[^\u2019]*\u2019|\u201c[^\u201d]*\u201d"),
     HIDDEN),
    (re.compile(r"(?<![\w-])\+?\d[\d\s().-]{8,}\d(?![\w-])"), "(number)"),
)  # fmt: skip
_QUOTED_NAME = re.compile(r"([\"'])(\w[\w.]*)\1")
_TOKEN = re.compile(r"[\w.~+/=%-]{8,}")
_MIXED = re.compile(r"(?=.*\d)(?=.*[A-Z])(?=.*[a-z]).{16,}")
_RECORD_ID = re.compile(r"0(?=(?:.*\d){3})[0-9A-Za-z]{14}(?:[0-9A-Za-z]{3})?")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_CAPITAL = re.compile(r"(?<![\w.])[^\W\d_]++(?:[-\u2019'][^\W\d_]++)*+(?![\w.]*[_.]\w)")
# What vendors begin sentences with, and their own names; any other such word may be a person's.
_PLAIN = frozenset(
    """
    A About Access Account Action All An And Api Are At Auth Authentication Authorization Bad
    Batch Both Cannot Companies Company Concurrent Connected Connection Consent Contact
    Contacts Could Create Credentials Currency Daily Date Deal Deals Delete Denied Developer
    Do Does Duplicate Each Either Entity Error Every Execution Expired Failed Field Fields
    Filter For Forbidden Found From Gateway Got Grant Has Http Id If In Input Insufficient
    Internal Invalid Is It Json Key Limit Link Malformed Max Maximum Method Minimum Minute
    Missing More Must Name No Not Nothing Object On One Only Opportunities Opportunity Option
    Or Org Page Parameter Password Pay Payload Permanent Permission Permissions Pipeline
    Please Portal Project Properties Property Provider Proxy Quota Quote Quotey Rate Read
    Reauthorize Reconnect Record Records Refresh Request Requests Required Resource Response
    Retry Revoked Rule Salesforce Scope Scopes Search Second Secondly Security Server Service
    Session Some Something Stage Status System Temporary Ten That The There This Timeout To
    Token Too Tool Toolkit Total Try Unable Unauthorized Unexpected Unique Unknown Unsupported
    Update Upstream User Validation Value Values Version We Write You Your
    """.split()  # noqa: SIM905 - a list of words reads as one
)


def scrubbed(message: object, *, authored: bool = False) -> str:
    """Give a vendor's message in one line, without values of records.

    One that is `authored` was written by an administrator for people, and holds no names.

    >>> scrubbed("Cannot set propertyName=quotey_key, value=Q-1} for ann@example.com")
    'Cannot set propertyName=quotey_key, value=(hidden)} for (e-mail)'
    >>> scrubbed("Contact Ann Smith has no field 'quotey_key' of value 'very good'")
    'Contact (name) has no field quotey_key of value (hidden)'
    """
    text = " ".join(message.split()) if isinstance(message, str) else ""
    if "<html" in text.lower() or "<!doctype" in text.lower():
        return "a web page"
    text = _QUOTED_NAME.sub(_bare, without_secrets(text))
    for pattern, stand_in in _VALUES:
        text = pattern.sub(stand_in, text)
    text = _TOKEN.sub(lambda found: HIDDEN if _is_packed(found[0]) else found[0], text)
    if authored:
        return text[:LONGEST]
    text = _CAPITAL.sub(lambda found: found[0] if _is_plain(found[0]) else "(name)", text)
    return re.sub(r"\(name\)(?: \(name\))+", "(name)", text)[:LONGEST]


def _bare(found: re.Match[str]) -> str:
    """Take the quotes from a property's name, which says what to mend; a value keeps them."""
    return found[2] if re.search(r"[a-z]_[a-z]|__c|[a-z][A-Z]", found[2]) else found[0]


def _is_packed(token: str) -> bool:
    """Say whether a word is a key, or has something packed in it."""
    if _PERCENT.search(token):
        return True
    if _RECORD_ID.fullmatch(token):
        return False
    return bool(_MIXED.fullmatch(token) or unpacked_text(token))


def _is_plain(word: str) -> bool:
    """Say whether a word cannot be a name: it begins small, or is all capitals, or is known."""
    return word[0].islower() or (word.isupper() and word.isascii()) or word in _PLAIN


def cleaned(failed: Failed, secrets: Iterable[Secret]) -> Failed:
    """Give a failure as it may be shown: no known secret, and only codes where a code is due.

    The vendor's own document stays, for those who look for more in it; it is never kept.
    """
    hidden = [one.reveal() for one in secrets]
    problems = [
        Problem(word(one.property, hidden), word(one.code, hidden)) for one in failed.problems
    ]
    return replace(
        failed,
        message=_without(failed.message, hidden),
        code=word(failed.code, hidden),
        problems=tuple(one for one in problems if one.property and one.code),
        trace=Trace(failed.trace.request_id, word(failed.trace.log_id, hidden)),
    )


_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


def word(text: str, secrets: Iterable[str] = ()) -> str:
    """Give a code or a name of the vendor's; "" for what is none.

    >>> word("VALIDATION_ERROR"), word("ann@example.com"), word("Ann Smith")
    ('VALIDATION_ERROR', '', '')
    """
    is_one = _WORD.fullmatch(text) and not _is_packed(text)
    return text if is_one and _without(text, secrets) == text else ""


def _without(text: str, secrets: Iterable[str]) -> str:
    forms = {form for secret in secrets if secret for form in shapes(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text
