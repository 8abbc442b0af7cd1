"""A refusal is judged by its code and message first (crm-error-matrix.json, crm-semantics 4S)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from quotey.adapters.composio.ops import Kind, Refusal
from quotey.adapters.composio.salesforce import judge

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def refusal(status: int, doc: object, **headers: str) -> Refusal:
    return Refusal(status, doc, headers, NOW)


def one(code: str, message: str = "", *fields: str, **more: object) -> list[dict[str, Any]]:
    return [{"errorCode": code, "message": message, "fields": list(fields), **more}]


MATRIX = [
    (401, "INVALID_SESSION_ID", "", Kind.AUTH),
    (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", Kind.RATE_LIMIT),
    (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", Kind.RATE_LIMIT),
    (403, "API_DISABLED_FOR_ORG", "", Kind.PERMISSION),
    (403, "API_CURRENTLY_DISABLED", "", Kind.PERMISSION),
    (400, "INSUFFICIENT_ACCESS_OR_READONLY", "", Kind.PERMISSION),
    (400, "INSUFFICIENT_ACCESS", "", Kind.PERMISSION),
    (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", Kind.PERMISSION),
    (400, "UNABLE_TO_LOCK_ROW", "", Kind.TRANSIENT),
    (400, "TOO_MANY_APEX_REQUESTS", "", Kind.TRANSIENT),
    (400, "REQUEST_RUNNING_TOO_LONG", "", Kind.AMBIGUOUS),
    (400, "QUERY_TIMEOUT", "", Kind.TRANSIENT),
    (400, "INVALID_QUERY_LOCATOR", "", Kind.TRANSIENT),
    (503, "SERVER_UNAVAILABLE", "", Kind.AMBIGUOUS),
    (500, "UNKNOWN_EXCEPTION", "", Kind.AMBIGUOUS),
    (420, "", "", Kind.TRANSIENT),
    (425, "", "", Kind.TRANSIENT),
    *[(status, "", "", Kind.PERMANENT) for status in (301, 302, 307, 308, 413, 414, 431, 501, 505)],
    (429, "", "", Kind.RATE_LIMIT),
    (502, "", "", Kind.AMBIGUOUS),
    (504, "", "", Kind.AMBIGUOUS),
    (500, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "", Kind.TRANSIENT),
    (404, "NOT_FOUND", "", Kind.NOT_FOUND),
    (404, "ENTITY_IS_DELETED", "", Kind.CONFLICT),
    (400, "DUPLICATE_EXTERNAL_ID", "", Kind.CONFLICT),
    (400, "DUPLICATE_VALUE", "", Kind.CONFLICT),
    (400, "DUPLICATES_DETECTED", "", Kind.CONFLICT),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "QUOTEY_STALE_VERSION", Kind.CONFLICT),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "QUOTEY_VERSION_REUSED", Kind.CONFLICT),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Ask your manager first", Kind.PERMANENT),
    (412, "MATCH_PRECONDITION_FAILED", "", Kind.CONFLICT),
    (412, "", "", Kind.CONFLICT),
    (400, "ENTITY_IS_LOCKED", "", Kind.CONFLICT),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "a trigger failed", Kind.PERMANENT),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: UNABLE_TO_LOCK_ROW, x", Kind.TRANSIENT),
    (400, "INVALID_FIELD", "", Kind.MAPPING),
    (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "", Kind.MAPPING),
    (400, "INVALID_TYPE", "", Kind.MAPPING),
    (400, "MALFORMED_ID", "", Kind.MAPPING),
    (400, "MALFORMED_QUERY", "", Kind.MAPPING),
    (400, "JSON_PARSER_ERROR", "", Kind.MAPPING),
    (400, "REQUIRED_FIELD_MISSING", "", Kind.MAPPING),
    (400, "STRING_TOO_LONG", "", Kind.MAPPING),
    (400, "NUMBER_OUTSIDE_VALID_RANGE", "", Kind.MAPPING),
    (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "", Kind.MAPPING),
    (400, "INVALID_CURRENCY_ISO", "", Kind.MAPPING),
    (400, "INVALID_CROSS_REFERENCE_KEY", "", Kind.MAPPING),
    (400, "FIELD_INTEGRITY_EXCEPTION", "", Kind.MAPPING),
    (400, "INVALID_EMAIL_ADDRESS", "", Kind.PERMANENT),
    (400, "STORAGE_LIMIT_EXCEEDED", "", Kind.PERMANENT),
    (400, "NEVER_HEARD_OF", "", Kind.PERMANENT),
    (418, "", "", Kind.PERMANENT),
    (599, "", "", Kind.AMBIGUOUS),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), MATRIX)
def test_a_code_has_its_class_at_the_top_and_inside_a_collection(
    status: int, code: str, message: str, kind: Kind
) -> None:
    assert judge(refusal(status, one(code, message) if code else None)).kind is kind
    item = {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}
    assert judge(refusal(status, item if code else "<html>")).kind is kind


@pytest.mark.parametrize(
    ("code", "message", "wait"),
    [
        ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 900.0),
        ("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", 10.0),
        ("REQUEST_LIMIT_EXCEEDED", "Other Limit exceeded.", None),
        ("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "", 300.0),
        ("UNABLE_TO_LOCK_ROW", "", None),
    ],
)
def test_a_limit_says_how_long_to_wait(code: str, message: str, wait: float | None) -> None:
    assert judge(refusal(403, one(code, message))).wait_seconds == wait


def test_a_wait_that_was_asked_for_goes_before_ours() -> None:
    found = refusal(
        403, one("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit"), **{"retry-after": "7"}
    )
    assert judge(found).wait_seconds == 7


def test_an_oauth_error_is_an_object() -> None:
    found = judge(refusal(400, {"error": "invalid_grant", "error_description": "expired"}))
    assert (found.kind, found.code) == (Kind.AUTH, "invalid_grant")


def test_300_names_the_records_that_share_the_key() -> None:
    urls = ["/services/data/v67.0/sobjects/Opportunity/006A", "/x/006B"]
    found = judge(refusal(300, urls))
    assert found.kind is Kind.CONFLICT
    assert "006A, 006B" in found.message


def test_a_duplicate_rule_names_its_candidates_for_a_person() -> None:
    result = {"matchResults": [{"matchRecords": [{"record": {"Id": "006A"}}]}]}
    found = judge(refusal(400, one("DUPLICATES_DETECTED", "Use one", duplicateResult=result)))
    assert found.kind is Kind.CONFLICT
    assert "006A" in found.message


def test_our_own_rule_weighs_more_than_what_stands_beside_it() -> None:
    entries = [
        *one("REQUIRED_FIELD_MISSING", "Required fields are missing: [CloseDate]", "CloseDate"),
        *one("FIELD_CUSTOM_VALIDATION_EXCEPTION", "QUOTEY_STALE_VERSION", "Quotey_Version__c"),
    ]
    found = judge(refusal(400, entries))
    assert (found.kind, found.problems) == (Kind.CONFLICT, ())
    assert "QUOTEY_STALE_VERSION" in found.message


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (one("STRING_TOO_LONG", "Name: data value too large: Ann Doe", "Name"), ["Name"]),
        (one("INVALID_FIELD", "No such column 'Foo__c' on sobject of type Account"), ["Foo__c"]),
        (
            one(
                "INVALID_FIELD", "\nSELECT A.B__c FROM X\n ^\nNo such column 'B__c' on entity 'X'."
            ),
            ["B__c"],
        ),
        (
            one("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name, CloseDate]"),
            ["Name", "CloseDate"],
        ),
    ],
)
def test_a_mapping_problem_names_its_fields(entry: object, named: list[str]) -> None:
    assert [problem.property for problem in judge(refusal(400, entry)).problems] == named


@pytest.mark.parametrize(
    "entry",
    [
        one("STRING_TOO_LONG", "Name: data value too large: CANARY (max length=120)", "Name"),
        one("STRING_TOO_LONG", "data value too large: CANARY (max length=120)"),
        one("INVALID_EMAIL_ADDRESS", "Email: invalid email address: CANARY", "Email"),
        one("MALFORMED_QUERY", "unexpected token: 'SELECT Id FROM Contact LIKE 'CANARY''"),
        one("INVALID_FIELD", "SELECT x WHERE Name LIKE '%CANARY%' Didn't understand"),
        one("NEVER_HEARD_OF", "CANARY"),
        one("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No deal for CANARY@example.com"),
    ],
)
def test_no_value_of_a_record_is_in_a_message(entry: object) -> None:
    assert "CANARY" not in judge(refusal(400, entry)).message


@pytest.mark.parametrize("doc", [None, [], {}, "", "text", [1], [[]], Decimal(1), {"errors": 3}])
def test_whatever_comes_is_judged_by_its_status_at_least(doc: object) -> None:
    assert judge(refusal(404, doc)).kind is Kind.NOT_FOUND
