"""What the vendor says when it refuses: envelopes and texts, letter for letter.

Source: crm-semantics.md 4H unless a line says otherwise.
"""

import json
from collections.abc import Mapping, Sequence

from msgspec import Struct

from quotey.testing.simulators.exchange import Doc, Response, answer


class Problem(Struct, frozen=True):
    """Why one property value is not accepted."""

    name: str
    code: str
    message: str


class HubSpotError(Exception):
    """A refusal. `doc` lacks only its correlation id, which the core adds."""

    def __init__(self, status: int, doc: Doc, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(doc.get("message")))
        self.status = status
        self.doc = doc
        self.headers = dict(headers or {})

    @property
    def category(self) -> str:
        """The vendor's category, empty where it sends none."""
        return str(self.doc.get("category", ""))

    def response(self, correlation_id: str) -> Response:
        """The answer on the wire."""
        return answer(
            self.status,
            {"status": "error", **self.doc, "correlationId": correlation_id},
            {**self.headers, "x-hubspot-correlation-id": correlation_id},
        )

    def item(self, context: Mapping[str, Sequence[str]]) -> Doc:
        """The same refusal as one entry of a batch's `errors` (3H)."""
        return {
            "status": "error",
            "category": self.category or "VALIDATION_ERROR",
            "message": self.doc["message"],
            "context": {**self.doc.get("context", {}), **context},
            "errors": self.doc.get("errors", []),
            "subCategory": None,
            "links": {},
        }


def invalid(message: str, **more: object) -> HubSpotError:
    """Say 400 VALIDATION_ERROR in plain words."""
    return HubSpotError(400, {"message": message, "category": "VALIDATION_ERROR", **more})


def invalid_values(portal_id: int, problems: Sequence[Problem]) -> HubSpotError:
    """400: the message embeds a JSON array as text; the newer form adds `errors`."""
    embedded = [
        {
            "isValid": False,
            "message": p.message,
            "error": p.code,
            "name": p.name,
            "localizedErrorMessage": p.message,
            "portalId": portal_id,
        }
        for p in problems
    ]
    return invalid(
        "Property values were not valid: " + json.dumps(embedded, separators=(",", ":")),
        errors=[
            {"message": p.message, "code": p.code, "context": {"propertyName": [p.name]}}
            for p in problems
        ],
    )


def unique_clash(
    portal_id: int, legacy: str, name: str, value: str, *, burned: int, owner: int
) -> HubSpotError:
    """400 of a unique property: first the half-made record of this call, then the owner (3H)."""
    return invalid(
        f"Cannot set PropertyValueCoordinates{{portalId={portal_id}, "
        f"objectTypeId=ObjectTypeId{{legacyObjectType={legacy}}}, propertyName={name}, "
        f"value={value}}} on {burned}. {owner} already has that value."
    )


def contact_exists(owner: int) -> HubSpotError:
    """409 of a contact's e-mail."""
    message = f"Contact already exists. Existing ID: {owner}"
    return HubSpotError(409, {"message": message, "category": "CONFLICT"})


def not_unique(number: str, name: str, portal_id: int) -> HubSpotError:
    """400 of an `idProperty` that is not unique (3H)."""
    return invalid(
        f"Unable to perform update/upsert by non-unique {number} property {name} "
        f"in portal ID {portal_id}"
    )


def not_found() -> HubSpotError:
    """404 of a numeric id; it has no category."""
    return HubSpotError(404, {"message": "resource not found"})


def object_not_found(key: str) -> HubSpotError:
    """404 of a key that is no number, or of an `idProperty` look-up."""
    return HubSpotError(
        404,
        {
            "message": "Object not found.  objectId are usually numeric.",
            "context": {"id": [key]},
            "category": "OBJECT_NOT_FOUND",
        },
    )


def bad_json(line: int, column: int, why: str) -> HubSpotError:
    """400 of a body that cannot be read."""
    return invalid(f"Invalid input JSON on line {line}, column {column}: {why}")


def bad_associations(ids: Sequence[str]) -> HubSpotError:
    """400 of a link to a record that does not exist."""
    return invalid(
        "One or more associations are invalid", context={"INVALID_OBJECT_IDS": list(ids)}
    )


def no_credentials() -> HubSpotError:
    """401 without a known token."""
    return HubSpotError(
        401,
        {
            "message": "Authentication credentials not found. This API supports OAuth 2.0 "
            "authentication and you can find more details at "
            "https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            "category": "INVALID_AUTHENTICATION",
        },
    )


def expired(at: str, seconds: int) -> HubSpotError:
    """401 of a token that was good until `at`."""
    return HubSpotError(
        401,
        {
            "message": f"The OAuth token used to make this call expired {seconds} second(s) ago.",
            "category": "EXPIRED_AUTHENTICATION",
            "context": {"expire time": [at]},
        },
    )


def missing_scopes(scopes: Sequence[str]) -> HubSpotError:
    """403 of a token that may not do this."""
    return HubSpotError(
        403,
        {
            "message": "This app hasn't been granted all required scopes to make this call. "
            "Read more about required scopes here: https://developers.hubspot.com/scopes.",
            "errors": [
                {
                    "message": "One or more of the following scopes are required.",
                    "context": {"requiredScopes": list(scopes)},
                }
            ],
            "links": {"scopes": "https://developers.hubspot.com/scopes"},
            "category": "MISSING_SCOPES",
        },
    )


_LIMIT_WORDS = {
    "SECONDLY": "secondly",
    "TEN_SECONDLY_ROLLING": "ten_secondly_rolling",
    "DAILY": "daily",
}


def rate_limited(policy: str, portal_id: int, retry_after: str | None = None) -> HubSpotError:
    """429 by policy. No Retry-After unless one is asked for (real-crm.md section C)."""
    doc: Doc = {
        "message": f"You have reached your {_LIMIT_WORDS.get(policy, policy.lower())} limit.",
        "errorType": "RATE_LIMIT",
        "category": "RATE_LIMITS",
        "policyName": policy,
    }
    if policy != "SECONDLY":
        spelled = _LIMIT_WORDS.get(policy, policy.lower()).replace("_", "-")
        doc["groupName"] = f"publicapi:private_app-api-calls-{spelled}:{portal_id}"
    return HubSpotError(429, doc, {"retry-after": retry_after} if retry_after is not None else {})


def bad_refresh_token() -> Response:
    """400 of the token endpoint; its `status` is the code."""
    doc = {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}
    return answer(400, doc)
